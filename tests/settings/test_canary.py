"""No representation, exception or traceback of the settings holds a secret, whatever was done with it."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from pydantic import Field, field_validator
from resolving import Outcome, item, settle

from arkworker import Secret, UserConfiguration
from arkworker.errors import ArkworkerError, ConfigurationError
from arkworker.settings.resolution import validate

CANARY = "c4n4ry-s3cr3t"


class Inner(UserConfiguration):
    password: Secret[str] | None = None


class Configuration(UserConfiguration):
    token: Secret[str] | None = None
    inner: Inner = Inner()
    tokens: dict[str, Secret[str]] = Field(default_factory=dict)
    size: int = 1

    @field_validator("token")
    @classmethod
    def _check(cls, value: Secret[str] | None) -> Secret[str] | None:
        if value is not None and value.get_secret_value():
            raise ValueError(f"bad token {value.get_secret_value()}", value.get_secret_value())
        return value


GIVEN: dict[str, dict[str, Any]] = {
    "environment": {"environ": {"ARKINDEX_CONFIG_TOKEN": CANARY, "ARKINDEX_API_TOKEN": CANARY}},
    "environment, group": {"environ": {"ARKINDEX_CONFIG_INNER_PASSWORD": CANARY}},
    "environment, mapping": {"environ": {"ARKINDEX_CONFIG_TOKENS": f"a={CANARY}"}},
    "environment, wrong": {"environ": {"ARKINDEX_CONFIG_TOKENS": CANARY, "ARKINDEX_CONFIG_SIZE": CANARY}},
    "environment, unknown": {"environ": {"ARKINDEX_CONFIG_TOKKEN": CANARY}},
    "env file": {"env_file": f"ARKINDEX_CONFIG_TOKEN={CANARY}\nARKINDEX_API_TOKEN={CANARY}\n"},
    "env file, broken": {"env_file": f"A {CANARY}\nARKINDEX_CONFIG_TOKEN='{CANARY}\n"},
    "file": {"file": f"token: {CANARY}\ninner: {{password: {CANARY}}}\ntokens: {{a: {CANARY}}}\n"},
    "file, content": {"file": f"token: [{CANARY}]\ninner: {{password: {{a: {CANARY}}}}}\ntokens: {CANARY}\n"},
    "file, unknown": {"file": f"tokken: {CANARY}\ninner: {{pass: {CANARY}}}\n"},
    "file, beside": {"file": f'{{"token": "{CANARY}", "size": "x"}}'},
    "file, broken": {"file": f"token: {CANARY}: {CANARY}\n"},
    "file, list": {"file": f"configuration: [{{key: token, value: {CANARY}, secret: yes}}]\n"},
    "flag": {"argv": [f"--config.tokken {CANARY}"]},
    "flag, wrong": {"argv": [f"--config.size={CANARY}", f"--config.tokens={CANARY}"]},
    "modern": {"items": [item("token", CANARY, secret=True), item("inner.password", CANARY)]},
    "modern, wrong": {"items": [item("token", [CANARY], secret=True), item("size", CANARY)]},
    "modern, unknown": {"items": [item("tokken", CANARY, secret=True), item("size", CANARY, secret=True)]},
    "modern, twice": {"items": [item("token", CANARY, secret=True), item("token", CANARY, secret=True)]},
}


def settled(model: type[UserConfiguration] | None, argv: list[str] | None = None, **given: Any) -> Outcome:
    return settle(model, *(argv or ()), **given)


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
@pytest.mark.parametrize("model", [Configuration, None], ids=["typed", "free"])
def test_canary_is_in_no_representation(given: dict[str, Any], model: type[UserConfiguration] | None) -> None:
    """Of resolutions, claims, requests, values, problems and warnings."""
    outcome = settled(model, **given)
    ledger = outcome.resolution.ledger

    # A free mapping that nobody calls secret is what it is.
    is_plain = model is None and "s3cr3t" in str(outcome.config)
    config = "" if is_plain else repr(outcome.config) + str(outcome.config)
    shown = [outcome.resolution, ledger, ledger.claims, outcome.problems, outcome.warnings, dict(outcome.origins)]
    assert CANARY not in config + "".join(map(repr, shown)) + "".join(map(str, shown))


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_canary_is_in_no_exception(given: dict[str, Any]) -> None:
    """Text, representation, arguments, traceback, and whatever is chained to it."""
    outcome = settled(Configuration, **given)
    loaded = {request.reference: Secret(CANARY) for request in outcome.resolution.secrets}

    error = None
    try:
        validate(outcome.resolution, loaded)
    except ConfigurationError as caught:
        error = caught

    assert (error is None) <= (outcome.told == {})
    if error is not None:
        assert CANARY not in "".join(traceback.format_exception(error)) + str(error) + repr(error) + repr(error.args)
        assert (error.__cause__, error.__context__) == (None, None)


@pytest.mark.parametrize(
    "argv",
    [
        [f"--config.token={CANARY}", CANARY],
        [f"--dev={CANARY}"],
        [f"-v4{CANARY}"],
        ["--element", CANARY],
        [CANARY],
    ],
)
def test_canary_is_in_no_usage_error(argv: list[str]) -> None:
    """What follows a flag is never repeated."""
    with pytest.raises(ArkworkerError) as caught:
        settle(Configuration, *argv)

    error = caught.value
    shown = str(error) + "".join(traceback.format_exception(error, chain=False))
    assert CANARY not in shown.split("settle(Configuration")[0]
    assert error.__suppress_context__ or error.__context__ is None
