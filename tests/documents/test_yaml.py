from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import assume, given, strategies as some

from arkworker.documents import yaml as documents_yaml
from arkworker.documents.nodes import Entry, Mapping, Scalar, Sequence, YamlError, to_python
from arkworker.documents.yaml import parse_yaml


def failure(text: str) -> YamlError:
    with pytest.raises(YamlError) as caught:
        parse_yaml(text)
    return caught.value


def place(text: str) -> tuple[int, int]:
    error = failure(text)
    return error.line, error.column


def read(text: str) -> object:
    node = parse_yaml(text)
    assert node is not None
    return to_python(node)


def test_nodes_keep_their_places() -> None:
    """Every node says where it is written, from 1, and whether its text is bare."""
    assert parse_yaml("a: 1\nb:\n  - 'x'\n") == Mapping(
        (
            Entry(Scalar("a", True, 1, 1), Scalar("1", True, 1, 4)),
            Entry(Scalar("b", True, 2, 1), Sequence((Scalar("x", False, 3, 5),), 3, 3)),
        ),
        1,
        1,
    )


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "\ufeff", "%YAML 1.1\n---\n...\n"])
def test_a_document_without_content_is_none(text: str) -> None:
    """Nothing is nothing, not an empty mapping."""
    assert parse_yaml(text) is None


def test_json_is_yaml() -> None:
    """A JSON document is read as it is meant."""
    assert read('{"a": 1, "b": [true, null, 1.5, "\\u00e9"], "c": {}}') == {
        "a": 1,
        "b": [True, None, 1.5, "é"],
        "c": {},
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2", [(2, 1)]),
        ("a: 1\n'a': 2", [(2, 1)]),
        ('{"a": 1, "a": 2}', [(1, 10)]),
        ("a: 1\nb: [{c: 1, c: 1}]\na: 3\na: 4", [(2, 12), (3, 1), (4, 1)]),
        ("a: {x: 1, x: 2}\nb: [", [(2, 5)]),
    ],
)
def test_all_keys_given_twice_are_found(text: str, expected: list[tuple[int, int]]) -> None:
    """Duplicates at any depth are reported together; where the text cannot be parsed, only that is."""
    assert [(error.line, error.column) for error in failure(text).errors] == expected


def test_merge_keys_are_resolved() -> None:
    """Explicit keys win over merged ones, the first merged mapping over later ones; places are those of the text."""
    text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc:\n  <<: [*a, *b]\n  x: 5\n"
    assert read(text) == {"a": {"x": 1, "y": 2}, "b": {"y": 3, "z": 4}, "c": {"y": 2, "z": 4, "x": 5}}
    root = parse_yaml(text)
    assert isinstance(root, Mapping)
    merged = root.entries[2].value
    assert isinstance(merged, Mapping)
    assert [(entry.key.text, entry.key.line) for entry in merged.entries] == [("y", 1), ("z", 2), ("x", 5)]


def test_a_quoted_merge_key_is_a_key() -> None:
    """Only the bare word merges."""
    assert read('"<<": {a: 1}') == {"<<": {"a": 1}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a\n- [b]: 1", (2, 3)),
        ("? {a: 1}\n: 2", (1, 3)),
        ("a: &x [1]\n*x : 2", (2, 1)),
        ("a: 1\n: 2", (2, 1)),
        ("~: 1", (1, 1)),
        ("null: 1", (1, 1)),
        ('"": 1', (1, 1)),
        ("!!null k: 1", (1, 1)),
        ("<<: 1", (1, 5)),
        ("<<: [{a: 1}, 2]", (1, 14)),
    ],
)
def test_keys_are_text(text: str, expected: tuple[int, int]) -> None:
    """A key that is a collection, null or empty is refused where it stands, like a merge of what is not a mapping."""
    assert place(text) == expected


@pytest.mark.parametrize(
    "tag",
    ["!!python/object:os.system", "!!python/name:os", "!foo", "!!binary", "!!set", "!!timestamp", "!!omap", "!<x:y>"],
)
def test_only_core_tags_are_read(tag: str) -> None:
    """Any other tag is an error, on a scalar, a list and a mapping."""
    for value in ("x", "[x]", "{x: 1}"):
        assert "is not allowed" in failure(f"a:\n  - {tag} {value}").message
        assert place(f"a:\n  - {tag} {value}") == (2, 5)


def test_core_tags_say_what_a_value_is() -> None:
    """A tagged scalar is what its tag says, and a tag that does not fit is refused."""
    assert read(
        "{a: !!str 5, b: !!int '5', c: !!float 5, d: !!bool 'no', e: !!null '', f: !!seq [], g: !!map {},"
        " h: !!float 1e3, i: !!int 1:30, j: !!bool yEs}"
    ) == {
        "a": "5",
        "b": 5,
        "c": 5.0,
        "d": False,
        "e": None,
        "f": [],
        "g": {},
        "h": 1000.0,
        "i": 90,
        "j": True,
    }
    for text in (
        "!!int x",
        "!!bool 5",
        "!!map [a]",
        "!!seq {a: b}",
        "!!str [a]",
        "!!map x",
        "!!null 5",
        "!!float x",
        "!!int ''",
    ):
        assert place(text) == (1, 1)


@pytest.mark.parametrize("text", ["a: *b", "a: &a [*a]", "a: &a {<<: *a}", "a: &x 1\nb: &x 2"])
def test_aliases_have_one_anchor_before_them(text: str) -> None:
    """Unknown, recursive and ambiguous anchors are refused."""
    assert failure(text).hint


def test_an_exclamation_mark_alone_changes_little() -> None:
    """After the tag of no kind, nothing is empty text, and all else is what it is without."""
    assert read("[!, ! 5, ! '5']") == ["", 5, "5"]


def test_aliases_stand_for_the_same_value() -> None:
    """An alias may stand for a value and for a key; a key's place is where the alias is."""
    assert read("a: &x b\n*x : *x") == {"a": "b", "b": "b"}
    root = parse_yaml("{a: &x b, *x : c}")
    assert isinstance(root, Mapping)
    assert root.entries[1].key == Scalar("b", True, 1, 11)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 60,
        "- " * 60 + "a",
        "{a: " * 60,
        "? " * 60,
        "a: &a 1\nb: [" + "*a, " * 21 + "]",
        "x" * (1024 * 1024 + 1),
        "é" * (600 * 1024),
        "[" + "a," * 300_000 + "]",
        "".join(f"%TAG !a{i}! x\n" for i in range(21)),
    ],
)
def test_limits_end_the_reading(text: str) -> None:
    """Depth, aliases, bytes and values are bounded."""
    assert failure(text).message.startswith(("more than", "larger than", "too large", "a key cannot be"))


def test_nested_aliases_count_by_what_they_expand_to() -> None:
    """A bomb within the number of aliases is refused before it is built."""
    lines = ["a0: &a0 [" + ", ".join(["x"] * 1000) + "]"]
    lines += [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 10)]
    assert failure("\n".join(lines)).message.startswith("too large")


def test_nested_aliases_count_by_their_depth() -> None:
    """Fifty levels are fifty levels, however they come about."""
    lines = ["a0: &a0 " + "[" * 40 + "]" * 40, "a1: " + "[" * 9 + "*a0" + "]" * 9]
    assert isinstance(parse_yaml("\n".join(lines)), Mapping)
    lines.append("a2: " + "[" * 10 + "*a0" + "]" * 10)
    assert place("\n".join(lines)) == (3, 15)


@pytest.mark.parametrize("text", ["a: 1\n---\nb: 2", "---\n---\n", "a: 1\n...\nb: 2\n"])
def test_a_file_holds_one_document(text: str) -> None:
    """A second document is refused."""
    assert failure(text).line >= 2


@pytest.mark.parametrize("character", ["\0", "\x07", "\x1b", "\x7f", "\x9b", "\ud800", "\ufffe"])
def test_control_characters_are_refused_by_their_number(character: str) -> None:
    """What a terminal would obey is named, not shown, with its place."""
    error = failure(f"a: 1\nb: x{character}")
    assert (error.line, error.column) == (2, 5)
    assert f"U+{ord(character):04X}" in error.message
    assert character not in str(error)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n\t- b", (2, 1)),
        ('a: 1\nb: "x\nc: 2\n', (2, 4)),
        ("a: 'x", (1, 4)),
        ("a: [1, 2\nb: 3", (1, 4)),
        ("a: {b: 1\n", (1, 4)),
        ("a: b: c", (1, 5)),
        ("a: 1\nb\n", (2, 1)),
        ("a: @b", (1, 4)),
        ("a: %b", (1, 4)),
        ("a:\n  - b\n c", (3, 2)),
        ('a: "\\q"', (1, 5)),
        ('"\\ud800"', (1, 4)),
        ("a: !x!y 1", (1, 4)),
        ("a: - b", (1, 4)),
        ("%FOO bar\n---\na: 1", (1, 1)),
        ("a: 1\n%b c\n", (2, 1)),
        (f"{'k' * 1100}: 1", (1, 1)),
        (f"a: 1\n  # b\n{'k' * 1100}: 1", (3, 1)),
        (f"{{a: 1, '{'k' * 1100}': 1}}", (1, 8)),
        ("%YAML 3.0\n---\na: 1", (1, 1)),
    ],
)
def test_mistakes_of_syntax_have_a_place_and_a_remedy(text: str, expected: tuple[int, int]) -> None:
    """What cannot be read is explained in our words."""
    error = failure(text)
    assert (error.line, error.column) == expected
    assert error.hint
    assert not error.message.startswith("not valid YAML")


@pytest.mark.parametrize(
    "text", ["p: *hunter2", "p: !hunter2", "p: !!hunter2 x", "p: &hunter2 &hunter2", "p: @hunter2", "p: 'hunter2"]
)
def test_messages_hold_no_value(text: str) -> None:
    """A password that YAML takes for an alias, a tag or an anchor stays out of the message and its causes."""
    error = failure(text)
    assert "hunter2" not in repr(error.args)
    assert (error.__cause__, error.__context__) == (None, None)


def test_representations_hold_no_value() -> None:
    """A value may be a secret."""
    assert "hunter2" not in repr(parse_yaml("password: [hunter2]"))


@pytest.fixture(params=["_Loader", "_PythonLoader"])
def _either_parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """libyaml, and PyYAML's own parser where libyaml is missing."""
    monkeypatch.setattr(documents_yaml, "_Loader", getattr(documents_yaml, request.param))


@pytest.mark.usefixtures("_either_parser")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r'"\ud83d\ude00"', "😀"),
        (r'{"a\uD83D\uDE00b": "\\\ud83d\ude00\ud83d\ude01"}', {"a😀b": "\\😀😁"}),
        (r"'\ud83d\ude00 \uD83D\uDE00'", r"\ud83d\ude00 \uD83D\uDE00"),
        (r'["\\ud83d", "\ue000\ud83d\ude00", \ud83d\ude00]', ["\\ud83d", "\ue000😀", r"\ud83d\ude00"]),
        ("|\n \\ud83d\\ude00\n", "\\ud83d\\ude00\n"),
    ],
)
def test_pairs_of_surrogates_are_one_character(text: str, expected: object) -> None:
    """JSON writes an emoji as two escapes; outside double quotes the same letters are just letters."""
    assert read(text) == expected


@pytest.mark.usefixtures("_either_parser")
def test_a_pair_of_surrogates_moves_nothing() -> None:
    """What follows on the line keeps its place."""
    root = parse_yaml(r'["\ud83d\ude00", a]')
    assert isinstance(root, Sequence)
    assert [(item.line, item.column) for item in root.items] == [(1, 2), (1, 18)]


@pytest.mark.usefixtures("_either_parser")
@pytest.mark.parametrize("text", [r'a: "\ud800"', r'a: "\ud83dx"', r'a: "\ude00\ud83d"', r'a: "\\ud83d\ude00"'])
def test_half_a_pair_is_refused(text: str) -> None:
    """A lone surrogate is not a character."""
    assert "an escape" in failure(text).message


@pytest.mark.usefixtures("_either_parser")
@pytest.mark.parametrize(
    "text", ["a: [1", "a: 'x", "a: b: c", "a:\n\t- b", "a: *x", "a: !x y", "[" * 60, "a: @x", "a: 1\n b: 2"]
)
def test_either_parser_has_a_remedy(text: str) -> None:
    """The messages are ours whichever parser complains."""
    error = failure(text)
    assert error.hint or error.message.startswith("more than")
    assert not error.message.startswith("not valid YAML")


@pytest.mark.parametrize(
    "error", [KeyError("x"), ValueError("x"), AttributeError("x"), RecursionError(), MemoryError()]
)
def test_whatever_the_parser_raises_has_a_place(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """No exception of PyYAML passes."""

    def compose(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(yaml, "compose", compose)
    assert str(failure("a: 1")) == f"line 1, column 1: not valid YAML ({type(error).__name__})"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a: !foo x\nb: [", (1, 4)), ("a: *x\nb: &y 1\nc: &y 2", (1, 4)), ("? [a]\n: 1\nb: 'x", (1, 3))],
)
def test_first_mistake_in_the_document_is_told(text: str, expected: tuple[int, int]) -> None:
    """Whatever is wrong behind it: as a person reads it."""
    assert place(text) == expected


@given(some.text(alphabet="ab:-?[]{},&*!|>'\"%@`#~<=\n\t 0\\u", max_size=60))
def test_any_text_is_a_document_or_an_error(source: str) -> None:
    """Nothing but a node or a YamlError within the text comes out; what comes out is plain data or an error again."""
    errors: list[YamlError] = []
    try:
        node = parse_yaml(source)
        json.dumps(None if node is None else to_python(node))
    except YamlError as error:
        errors.append(error)
    lines = range(1, source.count("\n") + 2)
    assert all(error.line in lines and error.column >= 1 for error in errors)


@given(
    some.recursive(
        some.none() | some.booleans() | some.integers(-(2**63), 2**63 - 1) | some.text(),
        lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(min_size=1), inner, max_size=4),
        max_leaves=20,
    )
)
def test_all_json_is_read_as_json(data: object) -> None:
    """Escaped as JSON does by default, any value comes back the same."""
    assume(data is not None)
    assert read(json.dumps(data)) == data


@pytest.mark.parametrize(
    ("text", "key"),
    [("a: &x\n  b: *x\n", "b"), ("a: &x {b: {c: *x}}\n", "c"), ("a: &x [*x]", "a"), ("a: &x\n  b:\n  - [*x]\n", "b")],
)
def test_alias_in_a_loop_is_named_with_its_key(text: str, key: str) -> None:
    """The line is that of the alias."""
    error = failure(text)
    assert error.message == f"this alias refers to a value that contains it, below the key '{key}'"
    assert error.line == len(text.splitlines())
