"""PyYAML's complaints in words that help, none of them with text of the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from arkworker.documents.nodes import YamlError
from arkworker.text import printable

if TYPE_CHECKING:
    import yaml


class _Advice(NamedTuple):
    problem: str  # what PyYAML says, both parsers of it, in part
    message: str
    hint: str
    at_start: bool = False  # show where the thing concerned begins, not where the parser gave up


_INDENT = "check the indentation, and put text that holds ': ' or ' #' in quotes"
_ADVICE = (
    _Advice("tab character", "a tab in the indentation", "indent with spaces"),
    _Advice("unexpected end of stream", "this quote is never closed", "close it", at_start=True),
    _Advice("unexpected document", "this quote is never closed", "close it", at_start=True),
    _Advice("',' or ']'", "this '[' is not closed, or a comma is missing in it", "close it with ']'", at_start=True),
    _Advice("',' or '}'", "this '{' is not closed, or a comma is missing in it", "close it with '}'", at_start=True),
    _Advice("mapping values are not allowed", "a ':' cannot stand here", _INDENT),
    _Advice("could not find expected ':'", "this key has no ':'", "write `key: value`, with the space", at_start=True),
    _Advice("entries are not allowed", "a list cannot begin here", "begin it on a line of its own"),
    _Advice("escape", "an escape that stands for no character", "double the backslash, or use single quotes"),
    _Advice("tag handle", "a tag of unknown kind", "remove the word that begins with '!'"),
    _Advice("incompatible YAML", "a %YAML line of another version", "remove the line that begins with '%'"),
    _Advice("directive", "a line that begins with '%' and says nothing known", "remove it"),
    _Advice("<document start>", "text after the end of the document", "a file holds one document; check the quotes"),
    _Advice("node content", "a value is missing here", "are all brackets closed?"),
    _Advice("expected key", "this does not belong to the mapping begun above", _INDENT),
    _Advice("<block end>", "this does not belong to the block begun above", _INDENT),
    _Advice("'-' indicator", "this does not belong to the list begun above", _INDENT),
)


def explain(error: yaml.MarkedYAMLError, text: str) -> YamlError:
    """The same complaint as a `YamlError`."""
    problem = error.problem or ""
    mark = error.problem_mark or error.context_mark
    if "cannot start any token" in problem and mark is not None:
        return _bad_start(text[mark.index : mark.index + 1], mark)
    for advice in _ADVICE:
        if advice.problem in problem:
            place = _place((error.context_mark or mark) if advice.at_start else mark, text)
            return YamlError(advice.message, *place, advice.hint)
    return YamlError(f"not valid YAML: {printable(problem, limit=100)}", *_place(mark, text))


def _bad_start(character: str, mark: yaml.Mark) -> YamlError:
    if character == "\t":
        return YamlError("a tab in the indentation", mark.line + 1, mark.column + 1, "indent with spaces")
    message = f"a value cannot begin with {printable(character)!r}"
    return YamlError(message, mark.line + 1, mark.column + 1, "put it in quotes")


def _place(mark: yaml.Mark | None, text: str) -> tuple[int, int]:
    if mark is None:
        return 1, 1
    # A parser that meets the end complains on the line after it, which nobody can look at.
    lines = text.rstrip().splitlines()
    if mark.line >= len(lines) > 0:
        return len(lines), len(lines[-1]) + 1
    return mark.line + 1, mark.column + 1
