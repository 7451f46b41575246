"""Our verdict on declarations beside that of the official validator, which is run as it is, from outside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, event, given, settings, strategies as some

from arkworker.declaration.rules import validate
from arkworker.declaration.vocabulary import FIELD_TYPES
from arkworker.documents.text_file import TextFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

pytestmark = pytest.mark.compat


def mostly(sound: SearchStrategy[str], odd: SearchStrategy[str]) -> SearchStrategy[str]:
    """Nine times in ten what should be there."""
    return some.integers(0, 9).flatmap(lambda number: sound if number else odd)


def mapping(pairs: dict[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}"


def sequence(items: list[str]) -> str:
    return "[" + ", ".join(items) + "]"


#: What people write where something else is wanted, as it stands in the file.
ODD_WORDS = """
null ~ yes no on true false 0 1 -1 +2 010 08 1_000 0x1F 0b1 0x_ 1:30 12:30:45 1.0 1. .5 1e3 1.0e+3
.inf -.INF .nan 2024-01-02 2024-02-30 2024-1-2 = << ! a é page 8G 64m 99999999999999999999
'' '1' 'true' [] {} [a] [a,b] [1,2] [1,x] [a,a] [true] [null] [1.5] [.inf] [[a]] [{}]
"""
ODD = some.sampled_from(
    [
        *ODD_WORDS.split(),
        *("' '", "{a: b}", "{a: 1}", "{1: a}", "{yes: b}", "{a: {b: c}}", "{=: a}", "{<<: {a: b}}"),
        *(
            "!!str 5",
            "!!int 5",
            "!!float 5",
            "!!int x",
            "!!bool yes",
            "!!null ''",
            "!!map {}",
            "!!seq [a]",
            "!!binary aGk=",
        ),
    ]
)
USAGES = some.sampled_from(["disabled", "supported", "required", "null"])
FLAGS = some.sampled_from(["true", "false", "null"])
SIZES = some.from_regex(r"\A[0-9]{1,3}[bkmg]?\Z") | some.from_regex(r"\A ?-?[0-9]{1,3}(\.5)? ?[bkmgBKMG]?b?\n?\Z")
KEYS = some.sampled_from(["a", "b", "c", "d", "e", "a.b", "a.c", "b.c", "' a'", "'b '", "'a.b '", "é", "'on'"])
ODD_KEYS = some.sampled_from(["on", "1", "null", "''", "' '", "x" * 250, "x" * 251])
NAMES = some.sampled_from(["A", "'A B'", '"A\\nB"', "x" * 100, "é"])
ODD_NAMES = some.sampled_from(["' '", "''", "1", "null", "no", "x" * 101, "x" * 250, "x" * 251])
ODD_CHOICES = some.sampled_from(["[a]", "[]", "[a, a]", "[a, 1]", "[yes, no]", "null", "a", "[[a], b]"])
DEFAULTS = {
    "bool": ["true", "off"],
    "int": ["1", "-3"],
    "float": ["1", "0.5", "1.0e-3"],
    "string": ["a", "'1'"],
    "text": ['"a\\nb"'],
    "enum": ["a", "b"],
    "dict": ["{}", "{a: b}"],
}


def field_of(of: str, depth: int) -> SearchStrategy[str]:
    defaults = some.sampled_from(["null", *DEFAULTS.get(of, [])])
    required = {
        "key": mostly(KEYS, ODD_KEYS),
        "display_name": mostly(NAMES, ODD_NAMES),
        "type": mostly(some.just(of), ODD),
    }
    optional = {
        "default": mostly(defaults | some.lists(defaults, max_size=2).map(sequence), ODD),
        "help_text": mostly(NAMES, ODD),
        **{name: mostly(FLAGS, ODD) for name in ("many", "editable", "required")},
    }
    choices = mostly(some.just("[a, b, c]"), ODD_CHOICES)
    children = mostly(some.lists(fields(depth + 1), min_size=1, max_size=2).map(sequence), ODD)
    (required if of == "enum" else optional)["choices"] = choices
    if depth < 2:
        (required if of == "group" else optional)["children"] = children
    chosen = some.sets(some.sampled_from(sorted(optional)), max_size=3)
    return chosen.flatmap(
        lambda names: some.fixed_dictionaries(required | {name: optional[name] for name in names})
    ).map(mapping)


def fields(depth: int = 0) -> SearchStrategy[str]:
    return some.sampled_from(FIELD_TYPES).flatmap(lambda of: field_of(of, depth))


DECLARATIONS = some.fixed_dictionaries(
    {
        "slug": mostly(some.from_regex(r"\A[-a-zA-Z0-9_]{1,5}\n?\Z").map(json.dumps), ODD),
        "display_name": mostly(NAMES, ODD_NAMES),
        "type": mostly(NAMES, ODD_NAMES),
        "description": mostly(NAMES, ODD),
    },
    optional={
        "gpu_usage": mostly(USAGES, ODD),
        "model_usage": mostly(USAGES, ODD),
        "docker": mostly(
            some.fixed_dictionaries(
                {}, optional={"command": mostly(NAMES, ODD), "shm_size": mostly(SIZES.map(json.dumps), ODD)}
            ).map(mapping),
            ODD,
        ),
        "configuration": mostly(some.lists(fields(), max_size=3).map(sequence), ODD),
    },
).map(lambda pairs: "".join(f"{key}: {value}\n" for key, value in pairs.items()))


#: Why we may refuse what the official validator takes: tags outside the core.
STRICTER = ("is not allowed",)


@given(declaration=DECLARATIONS)
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_verdict_is_the_official_one(declaration: str, official: Callable[[str], str]) -> None:
    """Valid is valid and invalid invalid; what makes the official validator crash is invalid."""
    found = validate(TextFile("worker.yml", declaration))
    theirs = official(declaration)
    event(theirs)
    if theirs == "valid":
        assert [problem for problem in found if not problem.message.endswith(STRICTER)] == []
    else:
        assert found != []
