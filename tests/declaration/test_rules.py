from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as some

from arkworker.declaration.rules import examine, validate
from arkworker.documents.text_file import TextFile

HEAD = "slug: s\ndisplay_name: S\ntype: t\ndescription: d\n"
FIELD = HEAD + "configuration:\n- {key: k, display_name: K, "
ORACLE = Path(__file__).parents[1] / "data" / "validator-oracle.json"
CASES: list[dict[str, Any]] = json.loads(ORACLE.read_text())["cases"]

#: Where the verdict differs from the official one on purpose.
DIFFERENCES = {"yaml: duplicate attribute (last wins)": "a key given twice means that one of the two is lost"}


def problems(text: str) -> list[tuple[int, int, str, str, str]]:
    found = validate(TextFile("worker.yml", text))
    return [(problem.line, problem.column, problem.path, problem.message, problem.hint) for problem in found]


def hints(text: str) -> list[str]:
    return [hint for *_, hint in problems(text)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_verdict_is_the_official_one(case: dict[str, Any]) -> None:
    """Valid and invalid as the official validator says; every problem has its place and its remedy."""
    found = validate(TextFile("worker.yml", case["yaml"]))
    expected = case["verdict"] if case["name"] not in DIFFERENCES else "invalid"
    assert ("invalid" if found else "valid") == expected
    lines = case["yaml"].splitlines() or [""]
    for problem in found:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert problem.location == f"worker.yml:{problem.line}:{problem.column}"
        assert problem.message
        assert problem.hint


@pytest.mark.parametrize(
    "text",
    [
        FIELD + "type: enum, default: a}\n",
        FIELD + "type: enum, choices: [[a], b]}\n",
        FIELD + "type: enum, choices: 5}\n",
        FIELD + "type: enum, choices: [1, 2], default: a}\n",
        FIELD + "type: int, children: null}\n",
        FIELD + "type: int, children: [x]}\n",
        FIELD + "type: string, default: 2001-02-30}\n",
        FIELD + "type: string, default: 0x_}\n",
        FIELD + "type: int, default: " + "1" * 5000 + "}\n",
        FIELD + "type: float, default: " + "9" * 400 + "}\n",
        FIELD + "type: int, default: !!int x}\n",
        HEAD + "configuration:\n- {key: on, display_name: K, type: int}\n",
        HEAD + "configuration:\n- {key: , display_name: K, type: int}\n",
        HEAD + "configuration: &c\n- {key: a, display_name: A, type: group, children: *c}\n",
        HEAD + 'docker: {shm_size: "64m\\n"}\n',
    ],
)
def test_what_crashes_the_official_validator_is_a_problem(text: str) -> None:
    """A declaration that Arkindex cannot check is refused with a remedy."""
    assert hints(text)
    assert all(hints(text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEAD + "slug: t\n", "given twice"),
        (HEAD + "docker: {<<: {command: a}, <<: {shm_size: 1g}}\n", "given twice"),
        (FIELD + 'type: dict, default: {"": a}}\n', "an empty key"),
        (FIELD + "type: bool, default: !!null x}\n", "this is not a valid !!null"),
        (FIELD + "type: string, many: true, default: !!omap []}\n", "is not allowed"),
        (FIELD + "type: int, default: 0x" + "f" * 5001 + "}\n", "looks like a number"),
    ],
)
def test_where_it_is_stricter_than_arkindex(text: str, reason: str) -> None:
    """What the official validator accepts in silence and means something else, or what only hostile files hold."""
    assert [reason in message for *_, message, _ in problems(text)] == [True]


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        (HEAD + "docker: {shm_size: 8G}", "write 8g"),
        (HEAD + "docker: {shm_size: 64 MB}", "write 64m"),
        (HEAD + "docker: {shm_size: 2GiB}", "write 2g"),
        (HEAD + "docker: {shm_size: 64}", "write it like 512m or 8g"),
        (HEAD + "gpu_usage: yes", "write supported or required"),
        (HEAD + "gpu_usage: off", "write disabled"),
        (HEAD + "gpu_usage: suported", "did you mean supported?"),
        (HEAD + "discription: d", "did you mean description?"),
        (HEAD + "version: 2", "remove it: the format has no version any more"),
        (FIELD + "type: str}", "write string"),
        (FIELD + "type: integre}", "did you mean int?"),
        (FIELD + "type: int, title: x}", "write display_name"),
        (FIELD + "type: int, defualt: 1}", "did you mean default?"),
        (FIELD + "type: int, default: '1'}", "remove the quotes"),
        (FIELD + "type: int, default: 1.0}", "write it without the point, or `type: float`"),
        (FIELD + "type: float, default: 1e-3}", "YAML needs a point and a sign, as in 1.0e-3"),
        (FIELD + "type: string, default: 2024-01-02}", "put it in quotes"),
        (FIELD + "type: bool, default: 'yes'}", "write true or false"),
        (FIELD + "type: enum, choices: [small, large], default: lage}", "did you mean large?"),
        (
            FIELD + "type: enum, choices: [a, no]}",
            "put it in quotes: YAML takes yes, no, on, off, true and false for booleans",
        ),
        (
            "version: 2\nworkers: [{slug: a, name: A, type: t}]",
            "write a file for each worker in the folder arkindex; `arkworker import` reads this one",
        ),
        ("", "write slug, display_name, type, description, one a line"),
        ("- a", "write slug, display_name, type, description, one a line"),
    ],
)
def test_each_problem_has_its_remedy(text: str, remedy: str) -> None:
    """What to write instead, where it can be known."""
    assert hints(text) == [remedy]


def test_all_problems_are_told_at_once_in_order() -> None:
    """Unknown keys, types, limits and rules across fields, each at its place, beside a key given twice."""
    text = (
        "slug: s s\nname: S\ntype: t\ndescription: ' '\ndocker:\n  shm_size: 8G\nconfiguration:\n"
        "- key: a\n  display_name: A\n  type: group\n  required: true\n"
        "- key: a\n  display_name: A\n  type: int\n  type: int\n  many: true\n  default: [1, x]\n"
    )
    assert [(line, column, path) for line, column, path, _, _ in problems(text)] == [
        (1, 1, "display_name"),
        (1, 7, "slug"),
        (2, 1, "name"),
        (4, 14, "description"),
        (6, 13, "docker.shm_size"),
        (10, 9, "configuration.a.children"),
        (11, 13, "configuration.a.required"),
        (12, 8, "configuration.a.key"),
        (15, 3, ""),
        (17, 16, "configuration.a.default[1]"),
    ]


def test_a_problem_shows_its_line() -> None:
    """The excerpt is the line as written, fit for a terminal, with a column for the caret."""
    text = HEAD + "docker: {command: a\u202eb, shm_size: 8G}\n"
    (problem,) = validate(TextFile("worker.yml", text))
    assert (problem.excerpt, problem.line, problem.column) == ("docker: {command: a b, shm_size: 8G}", 5, 34)


@pytest.mark.parametrize(
    "text",
    [
        FIELD + "type: secret, default: hunter2}",
        FIELD + "type: secrt, default: hunter2}",
        FIELD + "default: hunter2, many: 1}",
        FIELD + "type: secret, default: [hunter2], many: 1}",
        HEAD + "pasword: hunter2",
        HEAD + "docker: !hunter2 x",
        HEAD + "docker: *hunter2",
    ],
)
def test_no_excerpt_holds_a_secret(text: str) -> None:
    """A default of a secret, a key that nobody knows, or what YAML takes for a tag is not shown."""
    found = validate(TextFile("worker.yml", text))
    assert found
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'slug: "s\\n"\ndisplay_name: S\ntype: t\ndescription: d\n',
            "ends with a line break, which becomes part of it",
        ),
        ('slug: s\ndisplay_name: "a\\nb"\ntype: t\ndescription: d\n', "more than one line"),
        (FIELD + "type: int, default: true}", "a boolean, which Arkindex takes for a number"),
        (FIELD + "type: int, default: 99999999999999999999}", "beyond 64 bits, which arkworker refuses"),
        (FIELD + "type: int, default: 010}", "YAML reads this as 8"),
        (FIELD + "type: int, default: 1:30}", "YAML reads this as 90"),
        (FIELD + "type: int, choices: [a, b]}", "has no meaning for int"),
        (FIELD + "type: int, editable: null, default: 1}", "null means that it cannot be edited"),
    ],
)
def test_what_arkindex_accepts_but_was_hardly_meant_is_a_warning(text: str, message: str) -> None:
    """It is told, and refused by nobody."""
    report = examine(TextFile("worker.yml", text))
    assert (report.problems, [problem.message for problem in report.warnings]) == ([], [message])


def test_fields_may_share_their_keys() -> None:
    """Merge keys are resolved, and may be many."""
    fields = "".join(f"- {{<<: *common, key: k{number}}}\n" for number in range(100))
    text = HEAD + "configuration:\n- &common {key: k, display_name: K, type: int}\n" + fields
    assert problems(text) == []


@pytest.mark.parametrize(
    ("keys", "count"),
    [
        (["a", "a"], 1),
        (["a", " a "], 1),
        (["g.c", ("g", "c")], 1),
        ([("g", "c"), "g.c"], 1),
        ([("g", " c"), "g.c"], 0),
        ([("g", "c "), "g.c"], 1),
        ([("g", "c"), ("h", "c")], 0),
        ([("g", "c"), "c"], 0),
        ([("g", "c.d"), ("g.c", "d")], 1),
    ],
)
def test_names_are_unique_as_arkindex_compares_them(keys: list[str | tuple[str, str]], count: int) -> None:
    """Dotted names are trimmed as a whole, and share one set with the keys at the top."""
    lines = []
    for key in keys:
        if isinstance(key, str):
            lines.append(f"- {{key: '{key}', display_name: K, type: int}}\n")
        else:
            child = f"{{key: '{key[1]}', display_name: K, type: int}}"
            lines.append(f"- {{key: '{key[0]}', display_name: K, type: group, children: [{child}]}}\n")
    assert len(problems(HEAD + "configuration:\n" + "".join(lines))) == count


@given(some.text(alphabet="slugkey:-?[]{},&*!|>'\"#~<=\n 01.", max_size=80), some.integers(0, 200))
def test_no_damage_to_a_declaration_is_a_crash(insertion: str, position: int) -> None:
    """Whatever is typed into a sound declaration, the answer is a list of problems with places."""
    sound = HEAD + "docker: {shm_size: 1g}\nconfiguration:\n- {key: k, display_name: K, type: enum, choices: [a, b]}\n"
    text = sound[:position] + insertion + sound[position:]
    for problem in validate(TextFile("worker.yml", text)):
        assert problem.line >= 1
        assert problem.message.isprintable()
