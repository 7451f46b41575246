"""A worker's own source has its place among the others, and whatever it does wrong is a problem."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import AliasChoices, BaseModel, Field, SecretStr
from pydantic_settings import InitSettingsSource, TomlConfigSettingsSource
from resolving import settle

from arkworker import Secret, UserConfiguration

if TYPE_CHECKING:
    from pathlib import Path


class Inner(UserConfiguration):
    size: int = 1


class Configuration(UserConfiguration):
    threshold: float = 0.5
    inner: Inner = Inner()
    token: Secret[str] | None = None


class OfAllKinds(UserConfiguration):
    count: int = 1
    names: list[str] = Field(default_factory=list)
    sizes: list[int] = Field(default_factory=list)
    when: dt.date | None = None
    token: Secret[str] | None = None


def adding(place: int, *added: Any) -> Any:
    """A hook that puts sources before the one at a place; classes are given the settings model."""

    def arrange(settings_cls: Any, sources: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*sources[:place], *(source(settings_cls) for source in added), *sources[place:])

    return arrange


def saying(name: str, **config: Any) -> Any:
    """A source of the worker's own."""

    class Own(InitSettingsSource):
        def __init__(self, settings_cls: Any) -> None:
            super().__init__(settings_cls, {"config": config})
            self.name = name

    return Own


@pytest.mark.parametrize(("place", "expected"), [(0, 0.1), (1, 0.9), (8, 0.9)])
def test_source_of_a_worker_has_a_place(place: int, expected: float) -> None:
    """Stronger than those after it, weaker than those before it."""
    outcome = settle(
        Configuration, "--config.threshold", "0.9", arrange_sources=adding(place, saying("vault", threshold=0.1))
    )

    assert outcome.config.threshold == expected
    provenance = outcome.origins["config.threshold"]
    assert "vault" in [provenance.source, *(other.origin.source for other in provenance.shadowed)]


def test_source_of_a_worker_merges_with_others() -> None:
    """Inside groups, too; text is read, and a secret is a reference."""
    own = saying("vault", inner={"size": "5"}, token="name")

    outcome = settle(Configuration, file="threshold: 0.7\n", arrange_sources=adding(3, own))

    assert (outcome.config.threshold, outcome.config.inner.size) == (0.7, 5)
    assert [request.reference.value for request in outcome.resolution.secrets] == ["name"]
    assert outcome.origins["config.inner.size"].location == "config.inner.size"


def test_sources_of_pydantic_settings_can_be_added(tmp_path: Path) -> None:
    """As those who know them write it; the name is that of the class."""
    (tmp_path / "worker.toml").write_text("[config]\nthreshold = 0.7\n")

    outcome = settle(
        Configuration,
        arrange_sources=adding(2, lambda model: TomlConfigSettingsSource(model, tmp_path / "worker.toml")),
    )

    assert outcome.config.threshold == 0.7
    assert outcome.origins["config.threshold"].source == "TomlConfigSettingsSource"


@pytest.mark.parametrize("name", ["beta", "bee", "b"])
def test_source_of_a_worker_may_use_any_name_of_an_option(name: str) -> None:
    """Its aliases and the name of its field; `explain` has one name for it."""

    class Named(UserConfiguration):
        b: int = Field(1, validation_alias=AliasChoices("beta", "bee"))

    class Outer(UserConfiguration):
        group: Named = Field(Named(), alias="part")

    class Arguments(BaseModel):
        b: int = Field(1, validation_alias=AliasChoices("beta", "bee"))

    def own(settings_cls: Any) -> Any:
        return InitSettingsSource(settings_cls, {"config": {"group": {name: 2}}, "arguments": {name: 3}})

    outcome = settle(Outer, arguments=Arguments, arrange_sources=adding(1, own))

    assert (outcome.config.group.b, outcome.arguments.b) == (2, 3)
    assert {outcome.origins[name].source for name in ("config.part.beta", "arguments.beta")} == {"InitSettingsSource"}


@pytest.mark.parametrize("said", [None, 5, ["config"]])
def test_source_that_says_no_mapping_is_a_problem(said: Any) -> None:
    """It failed, and all others are asked."""

    class Own(InitSettingsSource):
        def __call__(self) -> dict[str, Any]:
            return said  # type: ignore[no-any-return]

    outcome = settle(Configuration, arrange_sources=adding(1, lambda model: Own(model, {})))

    assert outcome.problem.message == "this source failed: it should return a mapping, such as {'config': {…}}"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"count": True}, "Input should be a valid integer"),
        ({"count": 2**70}, "this number does not fit into 64 bits"),
        ({"token": ["name"]}, "a secret is given by reference"),
        ({"token": SecretStr("content")}, "Input should be a valid string"),
    ],
)
def test_values_of_a_workers_source_are_as_strict_as_those_of_others(config: dict[str, Any], expected: str) -> None:
    """A boolean is not an integer, numbers fit 64 bits, a secret is given by reference."""
    outcome = settle(OfAllKinds, arrange_sources=adding(1, saying("vault", **config)))

    assert list(outcome.told.values()) == [expected]


def test_values_of_a_workers_source_may_be_text_or_objects() -> None:
    """Text is read by the type of its option; a secret may come loaded, and is not taken for a reference."""
    own = saying(
        "vault", count="4", names="a,b", sizes=["1", "2"], when=dt.date(2024, 1, 2), token=Secret[str]("s3cr3t")
    )

    outcome = settle(OfAllKinds, arrange_sources=adding(1, own))

    assert outcome.config.model_dump(exclude={"token"}) == {
        "count": 4,
        "names": ["a", "b"],
        "sizes": [1, 2],
        "when": dt.date(2024, 1, 2),
    }
    assert outcome.config.token.get_secret_value() == "s3cr3t"
    assert "s3cr3t" not in outcome.everything


def test_null_of_a_workers_source_for_a_group_is_absent() -> None:
    """It hides nothing that weaker sources say of what lies in the group."""
    own = saying("vault", inner=None)

    outcome = settle(Configuration, file="inner: {size: 5}\n", arrange_sources=adding(1, own))

    assert outcome.config.inner.size == 5


def test_setting_in_a_wrong_place_of_a_workers_source_is_told() -> None:
    """An option that is not below `config` is not read; a warning says so."""

    def own(settings_cls: Any) -> Any:
        return InitSettingsSource(settings_cls, {"threshold": 0.1, "cnfig": {}})

    outcome = settle(Configuration, arrange_sources=adding(1, own))

    assert [(warning.path, warning.hint) for warning in outcome.resolution.ledger.warnings] == [
        ("threshold", "did you mean config.threshold?"),
        ("cnfig", "did you mean config?"),
    ]


def test_places_of_a_workers_source_are_text_on_one_line() -> None:
    """Whatever its methods say: no control characters, the path for none, and an exception is a problem."""

    class Own(saying("va\x1bult", count="x")):  # type: ignore[misc]
        place: Any = "a\nb"

        def locate(self, path: Any) -> Any:
            return self.place if self.place != 1 else path[self.place + 1]

    def told(place: Any) -> list[tuple[str, str]]:
        own = type("Own", (Own,), {"place": place})
        outcome = settle(OfAllKinds, arrange_sources=adding(1, own))
        return [(problem.source, problem.location) for problem in outcome.problems]

    assert told("a\nb") == [(r"va\x1bult", r"a\nb")]
    assert told(None) == [(r"va\x1bult", "config.count")]
    assert [location for _, location in told(1)] == [r"va\x1bult"] * 2


@pytest.mark.parametrize(("said", "path"), [({"config": 5}, "config"), ({"config": {"inner": 5}}, "config.inner")])
def test_source_that_says_a_value_for_a_group_is_a_problem(said: dict[str, Any], path: str) -> None:
    """A group has options."""
    outcome = settle(Configuration, arrange_sources=adding(1, lambda model: InitSettingsSource(model, said)))

    assert outcome.told == {path: "Input should be a mapping"}


def test_problem_of_a_workers_source_is_told() -> None:
    """What it says is held against the model, and an unknown name gets the nearest known one."""
    outcome = settle(Configuration, arrange_sources=adding(1, saying("vault", threshold="many", inner={"sise": 1})))

    assert {(problem.path, problem.source, problem.message) for problem in outcome.problems} == {
        ("config.threshold", "vault", "Input should be a valid number"),
        ("config.inner.sise", "vault", "unknown option; did you mean size?"),
    }


def test_source_that_fails_is_a_problem() -> None:
    """Of the configuration, without what the exception says."""

    def own(model: Any) -> Any:
        class Late(InitSettingsSource):
            name = "vault"

            def __call__(self) -> dict[str, Any]:
                raise ConnectionRefusedError(111, "Connection refused")

        return Late(model, {})

    problem = settle(Configuration, arrange_sources=adding(1, own)).problem

    assert problem.source == "vault"
    assert re.fullmatch(
        r"this source failed: ConnectionRefusedError \(test_own\.py, line \d+\), Connection refused", problem.message
    )


def test_source_that_cannot_be_made_is_a_problem(tmp_path: Path) -> None:
    """As one that reads its file at once; nothing of the file is said."""
    (tmp_path / "worker.toml").write_text("[config\nthreshold = 's3cr3t'\n")

    outcome = settle(
        Configuration,
        arrange_sources=adding(2, lambda model: TomlConfigSettingsSource(model, tmp_path / "worker.toml")),
    )

    pattern = r"this source failed: TOMLDecodeError \(test_own\.py, line \d+\)"  # the author's line, not of tomllib
    assert re.fullmatch(pattern, outcome.problem.message)
    assert "s3cr3t" not in outcome.everything


def test_source_sees_what_stronger_ones_say() -> None:
    """As of its address, which a flag may give."""
    seen: list[Any] = []

    def own(model: Any) -> Any:
        class Looking(InitSettingsSource):
            def __call__(self) -> dict[str, Any]:
                seen.append(self.current_state)
                return {}

        return Looking(model, {})

    settle(Configuration, "--config.threshold=0.9", file="inner: {size: 2}\n", arrange_sources=adding(1, own))

    assert [state["config"] for state in seen] == [{"threshold": 0.9}]


def test_source_that_exits_is_a_problem() -> None:
    """A library that gives up does not end the run in silence."""

    class Own(saying("vault")):  # type: ignore[misc]
        def __call__(self) -> dict[str, Any]:
            raise SystemExit(3)

    assert "SystemExit" in settle(Configuration, arrange_sources=adding(1, Own)).problem.message
