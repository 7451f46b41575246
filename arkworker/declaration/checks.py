"""The checks that every part of a declaration needs, on scalars as Arkindex reads them, by YAML 1.1."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import yaml
from yaml.constructor import SafeConstructor

from arkworker.documents.nodes import Entry, Mapping, Scalar, Sequence
from arkworker.documents.scalars import core_type
from arkworker.errors import Problem
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Mapping as Hints

    from arkworker.declaration.vocabulary import Vocabulary
    from arkworker.documents.nodes import Node, YamlError
    from arkworker.documents.text_file import TextFile


_LONGEST = 5000  # characters; longer numbers are refused by Python, or take time by the square of their length
_CORE = "tag:yaml.org,2002:"
_CONSTRUCTOR = SafeConstructor()


class UnreadableError(Exception):
    """A scalar that Arkindex cannot read at all, such as the date 2001-02-30."""


def arkindex_value(scalar: Scalar) -> Any:
    """Text, number, boolean, None, or a date for `2024-01-02`; `12:30:45` is 45045.

    Raises:
        UnreadableError: The text looks like a number or date, but is not one.
    """
    kind = scalar.tag or (core_type(scalar.text) if scalar.plain else "str")
    if kind == "str":
        return scalar.text
    if kind == "null":
        return None
    if kind in ("value", "merge") or len(scalar.text) > _LONGEST:
        raise UnreadableError
    construct = SafeConstructor.yaml_constructors[_CORE + kind]
    try:
        return construct(_CONSTRUCTOR, yaml.ScalarNode(_CORE + kind, scalar.text))
    except (ValueError, KeyError, IndexError, OverflowError, AttributeError):
        pass
    raise UnreadableError


SOURCE = "declaration file"
_LONGEST_EXCERPT = 160  # characters


class Report:
    """Collects problems.

    Attributes:
        problems: What Arkindex refuses, and keys given twice.
        warnings: What Arkindex accepts but hardly as it was meant.
        shows_lines: Whether excerpts may be shown; not when one could hold a secret.
    """

    def __init__(self, file: TextFile) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.shows_lines = True
        self._name = file.name
        self._lines = file.text.removeprefix("\ufeff").splitlines()

    def unreadable(self, error: YamlError) -> None:
        self.hidden("", error, error.message, error.hint)

    def error(self, path: str, node: Node, message: str, hint: str = "") -> None:
        self.problems.append(self._problem(path, node, message, hint))

    def warn(self, path: str, node: Node, message: str, hint: str = "") -> None:
        self.warnings.append(self._problem(path, node, message, hint))

    def hidden(self, path: str, node: Node | YamlError, message: str, hint: str) -> None:
        """An error whose line is not shown: it may hold anything, or what is wrong is not on it."""
        location = f"{self._name}:{node.line}:{node.column}"
        self.problems.append(Problem(path, SOURCE, location, message, hint, "", node.line, node.column))

    def finished(self) -> Report:
        self.problems.sort(key=lambda problem: (problem.line, problem.column))
        self.warnings.sort(key=lambda problem: (problem.line, problem.column))
        return self

    def _problem(self, path: str, node: Node, message: str, hint: str) -> Problem:
        line = self._lines[node.line - 1] if self.shows_lines and node.line <= len(self._lines) else ""
        shown = "".join(character if character.isprintable() else " " for character in line[:_LONGEST_EXCERPT])
        excerpt = shown if node.column <= len(shown) else ""
        location = f"{self._name}:{node.line}:{node.column}"
        return Problem(path, SOURCE, location, message, hint, excerpt, node.line, node.column)


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


Entries: TypeAlias = dict[str, Entry]


class _Unreadable:
    """Stands for a value that was reported already."""


UNREADABLE: Final = _Unreadable()


class Checks:
    """Looks at nodes and reports what is wrong with them. `path` is that of the mapping, or of the node itself."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self._unreadable: set[int] = set()

    def mapping(self, path: str, node: Node, message: str, hint: str) -> Entries | None:
        """The entries by key, of two with one key the last; None, reported, where it is no mapping."""
        if isinstance(node, Mapping):
            return {entry.key.text: entry for entry in node.entries}
        self.report.error(path, node, message, hint)
        return None

    def keys(self, path: str, node: Node, entries: Entries, vocabulary: Vocabulary) -> None:
        """Every required key is there, and none that is not known."""
        for name in vocabulary.required:
            if name not in entries:
                self.report.hidden(join(path, name), node, "required", f"add {name}")
        # Nobody misspells a thousand keys, and looking for near ones takes time.
        near = did_you_mean if len(entries) < 1000 else _no_suggestion
        for name, entry in entries.items():
            if name not in vocabulary.known:
                hint = vocabulary.hints.get(name) or near(name, vocabulary.known) or "remove it"
                self.report.hidden(join(path, printable(name, 60)), entry.key, "unknown key", hint)

    def value(self, path: str, node: Node) -> Any:
        """A scalar as Arkindex reads it; a collection as it is; `UNREADABLE`, reported, where it cannot be read."""
        if not isinstance(node, Scalar):
            return node
        try:
            return arkindex_value(node)
        except UnreadableError:
            if id(node) not in self._unreadable:
                self._unreadable.add(id(node))
                self.report.error(path, node, "looks like a number or date, but is not one", "put it in quotes")
            return UNREADABLE

    def is_null(self, name: str, entries: Entries, path: str = "") -> bool:
        return self.value(join(path, name), entries[name].value) is None

    def is_true(self, name: str, entries: Entries) -> bool:
        return name in entries and self.value(name, entries[name].value) is True

    def flag(self, name: str, entries: Entries, path: str) -> None:
        """A boolean, or null."""
        if name not in entries:
            return
        node = entries[name].value
        value = self.value(join(path, name), node)
        if value is not None and value is not UNREADABLE and not isinstance(value, bool):
            self.report.error(join(path, name), node, "should be true or false", "write it without quotes")

    def text(self, name: str, entries: Entries, path: str = "", *, nullable: bool = False) -> str | None:
        """The text under a key; None where it is absent, null, or reported as no text."""
        if name not in entries or (nullable and self.is_null(name, entries, path)):
            return None
        return self.as_text(join(path, name), entries[name].value)

    def as_text(self, path: str, node: Node) -> str | None:
        value = self.value(path, node)
        if isinstance(value, str):
            return value
        if value is not UNREADABLE:
            self.report.error(path, node, f"should be text, not {described(value)}", text_remedy(value))
        return None

    def name(self, name: str, entries: Entries, path: str = "", *, longest: int | None = None) -> str | None:
        """Text that is not blank, of limited length; None where it is no text."""
        text = self.text(name, entries, path)
        if text is None:
            return None
        where, node = join(path, name), entries[name].value
        if not text.strip():
            self.report.error(where, node, "should not be blank", "write a text")
        if longest is not None and len(text) > longest:
            self.report.error(where, node, f"{len(text)} characters, more than {longest}", "shorten it")
        if longest is not None and "\n" in text:
            self.report.warn(where, node, "more than one line", "write it on one line")
        return text

    def one_of(self, path: str, node: Node, allowed: tuple[str, ...], hints: Hints[str, str]) -> str | None:
        """The text where it is one of the allowed; None, reported, where it is none."""
        value = self.value(path, node)
        if isinstance(value, str) and value in allowed:
            return value
        if value is not UNREADABLE:
            text = node.text if isinstance(node, Scalar) else ""
            hint = hints.get(text) or did_you_mean(text, allowed) or f"write {allowed[0]}, for example"
            self.report.error(path, node, f"should be one of {', '.join(allowed)}", hint)
        return None


def _no_suggestion(_name: str, _known: tuple[str, ...]) -> str:
    return ""


def described(value: Any) -> str:
    """What kind of thing a value is, in the words of a message."""
    kinds: tuple[tuple[Any, str], ...] = (
        (type(None), "null"),
        (bool, "a boolean"),
        ((int, float), "a number"),
        (dt.date, "a date"),
        (Sequence, "a list"),
        (Mapping, "a mapping"),
    )
    return next((words for kind, words in kinds if isinstance(value, kind)), "text")


def text_remedy(value: Any) -> str:
    """How to make text of what YAML took for something else."""
    if isinstance(value, bool):
        return "put it in quotes: YAML takes yes, no, on, off, true and false for booleans"
    return "put it in quotes" if isinstance(value, (int, float, dt.date)) else "write a text"
