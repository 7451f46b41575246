"""Over random combinations of all sources, a value, its origin and what it replaced agree with the precedence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from arkindex_stub import worker_run
from hypothesis import given, settings as hypothesis_settings, strategies as st
from pydantic import Field
from resolving import item, settle

from arkworker import UserConfiguration


class Leaf(UserConfiguration):
    x: int = 1
    kinds: list[int] = Field(default_factory=list)


class Branch(UserConfiguration):
    leaf: Leaf = Leaf(x=3)
    y: int = Field(2, alias="why")


class Configuration(UserConfiguration):
    size: int = 1
    maximum: int | None = 4
    kinds: list[int] = Field(default_factory=list)
    table: dict[str, int] = Field(default_factory=dict)
    branch: Branch = Branch(y=5)
    maybe: Leaf | None = None
    needed: int


@dataclass(frozen=True)
class Known:
    """An option of the model, as the reference below knows it."""

    variable: str
    values: st.SearchStrategy[Any]
    nullable: bool = False
    default: Any = ...


NUMBERS = st.integers(-5, 5)
LISTS = st.lists(NUMBERS, max_size=2)
OPTIONS = {
    "size": Known("SIZE", NUMBERS, default=1),
    "maximum": Known("MAXIMUM", NUMBERS, nullable=True, default=4),
    "kinds": Known("KINDS", LISTS, default=[]),
    "table": Known("TABLE", st.dictionaries(st.sampled_from("ab"), NUMBERS, max_size=2), default={}),
    "branch.leaf.x": Known("BRANCH_LEAF_X", NUMBERS, default=3),
    "branch.leaf.kinds": Known("BRANCH_LEAF_KINDS", LISTS, default=[]),
    "branch.why": Known("BRANCH_Y", NUMBERS, default=5),
    "needed": Known("NEEDED", NUMBERS),
}
WEAKEST_FIRST = [
    "default",
    "worker version",
    "declared default",
    "model version",
    "worker run",
    "configuration file",
    "env file",
    "environment",
    "command line",
]
LAYERS = WEAKEST_FIRST[1:5]


def values(*, nulls: bool) -> st.SearchStrategy[dict[str, Any]]:
    """What one source says: some options, perhaps null."""
    said = {name: known.values | st.none() if nulls else known.values for name, known in OPTIONS.items()}
    return st.fixed_dictionaries({}, optional=said)


SOURCES = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(["modern", "legacy", "file", "file list"]),
        **{name: values(nulls=True) for name in LAYERS},
        "configuration file": values(nulls=False),
        **{name: values(nulls=False) for name in ("env file", "environment", "command line")},
        "nested": st.booleans(),
    }
)


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Dotted names as mappings in one another."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *way, last = name.split(".")
        part = tree
        for step in way:
            part = part.setdefault(step, {})
        part[last] = value
    return tree


def as_file(said: dict[str, Any], *, as_list: bool) -> str:
    if not as_list:
        return "".join(f"{name}: {value}\n" for name, value in said.items()) or "{}"
    items = "".join(f"\n- {{key: {name}, value: {value}, secret: no}}" for name, value in said.items())
    return f"configuration: {items or '[]'}\n"


def legacy_run(sources: dict[str, Any]) -> dict[str, Any]:
    shape = nested if sources["nested"] else dict
    run = worker_run(configuration={"configuration": shape(sources["worker run"])})
    defaults = {name: {"default": value} for name, value in sources["declared default"].items()}
    run["worker_version"]["configuration"] = {
        "configuration": shape(sources["worker version"]),
        "user_configuration": defaults,
    }
    run["model_version"] = {"id": "m", "configuration": shape(sources["model version"])}
    return run


def text_of(value: Any) -> str:
    return "" if value is None else str(value).replace("'", '"')


def settled(sources: dict[str, Any]) -> Any:
    """What the settings make of it."""
    mode = sources["mode"]
    environment = {
        f"ARKINDEX_CONFIG_{OPTIONS[name].variable}": text_of(value) for name, value in sources["environment"].items()
    }
    lines = (
        f"ARKINDEX_CONFIG_{OPTIONS[name].variable}='{text_of(value)}'" for name, value in sources["env file"].items()
    )
    payload: dict[str, Any] = {}
    if mode == "modern":
        payload = {"items": [item(name, value) for name, value in sources["worker run"].items()]}
    elif mode == "legacy":
        payload = {"run": legacy_run(sources)}
    else:
        payload = {"file": as_file(sources["configuration file"], as_list=mode == "file list")}
    return settle(
        Configuration,
        *(f"--config.{name}={text_of(value)}" for name, value in sources["command line"].items()),
        environ=environment,
        env_file="\n".join(lines) + "\n",
        **payload,
    )


def expected_claims(name: str, sources: dict[str, Any]) -> list[tuple[str, Any]]:
    """Who says something of an option, strongest first: the precedence in ten lines."""
    mode = sources["mode"]
    asked = {"modern": ["worker run"], "legacy": LAYERS}.get(mode, ["configuration file"])
    known = OPTIONS[name]
    strongest_first = reversed([*asked, "env file", "environment", "command line"])
    claims = [
        (source, sources[source][name])
        for source in strongest_first
        if name in sources[source] and (sources[source][name] is not None or known.nullable)
    ]
    return claims if known.default is ... else [*claims, ("default", known.default)]


def value_at(config: Any, name: str) -> Any:
    for step in name.replace("branch.why", "branch.y").split("."):
        config = getattr(config, step)
    return config


@hypothesis_settings(max_examples=2 * hypothesis_settings().max_examples)
@given(SOURCES)
def test_value_origin_and_shadows_agree_with_the_precedence(sources: dict[str, Any]) -> None:
    """Nine sources, weakest to strongest; a group merges, lists and dicts are replaced whole."""
    outcome = settled(sources)

    if not expected_claims("needed", sources):
        assert list(outcome.told) == ["config.needed"]
        return
    assert outcome.problems == ()
    for name in OPTIONS:
        claims = expected_claims(name, sources)
        provenance = outcome.origins[f"config.{name}"]
        assert value_at(outcome.config, name) == claims[0][1]
        assert [provenance.source, *(other.origin.source for other in provenance.shadowed)] == [s for s, _ in claims]
        assert [other.value for other in provenance.shadowed] == [value for _, value in claims[1:]]


def test_sources_are_those_of_the_reports() -> None:
    """The names above are the names in `explain` and in errors."""
    from arkworker.settings.provenance import SOURCES as NAMES

    assert list(NAMES) == WEAKEST_FIRST


@given(st.lists(st.sampled_from(["null", "child", "nothing"]), min_size=3, max_size=3))
def test_null_for_a_group_and_values_in_it_exclude_each_other(said: list[str]) -> None:
    """The stronger of both wins, whatever the weaker ones say."""
    file = {"null": "maybe: ~\nneeded: 1\n", "child": "maybe: {x: 7}\nneeded: 1\n", "nothing": "needed: 1\n"}[said[0]]
    environment = {"ARKINDEX_CONFIG_MAYBE_X": "8"} if said[1] == "child" else {}
    flags = ["--config.maybe.x=9"] if said[2] == "child" else []

    config = settle(Configuration, *flags, environ=environment, file=file).config

    numbers = [number for number, name in zip((7, 8, 9), said, strict=True) if name == "child"]
    assert config.maybe == (Leaf(x=numbers[-1]) if numbers else None)
