"""A group whose default is an instance keeps the rest of it when some of its options are given."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field
from resolving import settle

from arkworker import Secret, UserConfiguration


class Leaf(UserConfiguration):
    x: int = 1
    y: int = 2


class Branch(UserConfiguration):
    leaf: Leaf = Leaf()
    spare: Leaf | None = None
    z: int = Field(3, alias="zed")
    path: Path = Path("a")
    kinds: set[str] = Field(default_factory=set)
    token: Secret[str] | None = None


class Required(UserConfiguration):
    size: int
    name: str = "n"


TREE = Branch.model_validate(
    {
        "leaf": Leaf(x=10, y=20),
        "spare": Leaf(x=100),
        "zed": 30,
        "path": Path("b"),
        "kinds": {"k"},
        "token": Secret("t"),
    }
)


class Configuration(UserConfiguration):
    tree: Branch = TREE
    maybe: Leaf | None = Leaf(x=5)
    given: Required = Required(size=7)
    plain: Branch = Branch()


def with_changes(**changes: object) -> Branch:
    return TREE.model_copy(update=changes)


CASES: list[tuple[str, Branch]] = [
    ("tree.zed=31", with_changes(z=31)),
    ("tree.leaf.x=11", with_changes(leaf=Leaf(x=11, y=20))),
    ("tree.spare.y=200", with_changes(spare=Leaf(x=100, y=200))),
    ("tree.path=c", with_changes(path=Path("c"))),
    ("tree.kinds=l", with_changes(kinds={"l"})),
]


@pytest.mark.parametrize(("flag", "expected"), CASES)
def test_rest_of_the_default_stays(flag: str, expected: Branch) -> None:
    """At every level, secrets and sets included."""
    assert settle(Configuration, f"--config.{flag}").config.tree == expected


def test_group_is_as_declared_when_nothing_is_given() -> None:
    """Defaults of the instance, not of its class."""
    assert settle(Configuration).config.tree == TREE


def test_class_defaults_fill_a_group_without_instance() -> None:
    """What an instance does not say, its class does."""
    assert settle(Configuration, "--config.plain.leaf.x", "9").config.plain == Branch(leaf=Leaf(x=9))


def test_null_replaces_an_instance() -> None:
    """A group that may be absent is so when someone says it."""
    assert settle(Configuration, file="maybe: ~\n").config.maybe is None


def test_children_replace_null_with_the_default() -> None:
    """A stronger source that gives an option of the group brings its default back."""
    assert settle(Configuration, "--config.maybe.y", "9", file="maybe: ~\n").config.maybe == Leaf(x=5, y=9)


def test_required_option_of_a_group_may_come_from_its_default() -> None:
    """The class needs it, the instance has it."""
    assert settle(Configuration, "--config.given.name", "m").config.given == Required(size=7, name="m")


def test_group_without_default_takes_those_of_its_options() -> None:
    """A group that nobody mentions is there; what is missing in it is told by option."""

    class Needed(UserConfiguration):
        leaf: Leaf
        required: Required

    outcome = settle(Needed)

    assert outcome.told == {"config.required.size": "a value is needed"}


def test_optional_group_without_default_is_needed() -> None:
    """Null is a value of it, but not its default."""

    class Needed(UserConfiguration):
        leaf: Leaf | None

    assert settle(Needed).told == {"config.leaf": "a value is needed"}
    assert settle(Needed, file="leaf: ~\n").config.leaf is None
