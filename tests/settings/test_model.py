"""The sources are those of pydantic-settings, in the order of their precedence."""

from __future__ import annotations

from typing import Any

import pydantic_settings
import pytest
from resolving import RUN_ID, settle

from arkworker import Secret, UserConfiguration
from arkworker.errors import DeclarationError
from arkworker.settings.provenance import SOURCES


class Inner(UserConfiguration):
    size: int = 1


class Configuration(UserConfiguration):
    threshold: float = 0.5
    inner: Inner = Inner()
    token: Secret[str] | None = None


def test_order_of_the_sources_is_the_precedence() -> None:
    """The tuple that pydantic-settings gets, weakest last."""
    names: list[str] = []

    def look(_: Any, sources: tuple[Any, ...]) -> tuple[Any, ...]:
        names.extend(source.name for source in sources)
        return sources

    settle(Configuration, arrange_sources=look)

    assert [*names, "default"] == list(reversed(SOURCES))


@pytest.mark.parametrize(
    ("source", "parent"),
    [
        ("command line", pydantic_settings.CliSettingsSource),
        ("environment", pydantic_settings.EnvSettingsSource),
        ("env file", pydantic_settings.DotEnvSettingsSource),
        ("configuration file", pydantic_settings.InitSettingsSource),
        ("worker run", pydantic_settings.InitSettingsSource),
    ],
)
def test_nothing_resolves_without_the_sources_of_pydantic_settings(
    source: str, parent: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in that says nothing in the place of its parent, a source says nothing."""
    for name in ("__call__", "get_field_value"):
        if name in vars(parent):
            monkeypatch.setattr(parent, name, lambda *_, **__: {})
    if parent is pydantic_settings.EnvSettingsSource or source in ("env file", "command line"):
        monkeypatch.setattr(pydantic_settings.EnvSettingsSource, "__call__", lambda *_, **__: {})
    given: dict[str, dict[str, Any]] = {
        "command line": {},
        "environment": {"environ": {"ARKINDEX_CONFIG_THRESHOLD": "0.7"}},
        "env file": {"env_file": "ARKINDEX_CONFIG_THRESHOLD=0.7\n"},
        "configuration file": {"file": "threshold: 0.7\n"},
        "worker run": {
            "items": [{"key": "threshold", "value": 0.7, "secret": False}],
            "environ": {"ARKINDEX_WORKER_RUN_ID": RUN_ID},
        },
    }
    flags = ["--config.threshold=0.7"] if source == "command line" else []

    outcome = settle(Configuration, *flags, **given[source])

    assert getattr(outcome.config, "threshold", None) != 0.7


def test_hook_returns_sources() -> None:
    """Anything else is a mistake of the author."""
    with pytest.raises(DeclarationError, match="should return a tuple of settings sources"):
        settle(Configuration, arrange_sources=lambda *_: None)


def test_hook_takes_the_model_and_the_sources() -> None:
    """One with the parameters that it has in a `BaseSettings` is told so."""
    with pytest.raises(DeclarationError, match="should be a class method that takes the model and the sources"):
        settle(Configuration, arrange_sources=lambda _model, _init, _env, _dotenv, _files: ())
