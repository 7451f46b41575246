"""The checks that every part of a declaration needs, on scalars as Arkindex reads them, by YAML 1.1."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import yaml
from yaml.constructor import SafeConstructor

from arkworker.documents.nodes import Mapping, Scalar, Sequence, core_type
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
        unreadable_nodes: Those that were already reported, by their `id()`.
    """

    def __init__(self, file: TextFile) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.shows_lines = True
        self.unreadable_nodes: set[int] = set()
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


class _Unreadable:
    """Stands for a value that was reported already."""


UNREADABLE: Final = _Unreadable()


class Place:
    """A part of a declaration: read as Arkindex reads it, and what is wrong with it is reported.

    Attributes:
        report: Where to.
        path: Names it, such as `configuration.threshold.default`.
        node: What is there.
    """

    def __init__(self, report: Report, path: str, node: Node) -> None:
        self.report = report
        self.path = path
        self.node = node

    def error(self, message: str, hint: str = "") -> None:
        self.report.error(self.path, self.node, message, hint)

    def warn(self, message: str, hint: str = "") -> None:
        self.report.warn(self.path, self.node, message, hint)

    @property
    def value(self) -> Any:
        """A scalar as Arkindex reads it; a collection as it is; `UNREADABLE`, reported, where it cannot be read."""
        if not isinstance(self.node, Scalar):
            return self.node
        try:
            return arkindex_value(self.node)
        except UnreadableError:
            if id(self.node) not in self.report.unreadable_nodes:
                self.report.unreadable_nodes.add(id(self.node))
                self.error("looks like a number or date, but is not one", "put it in quotes")
            return UNREADABLE

    @property
    def items(self) -> list[Place] | None:
        """What a list holds; None where this is not a list."""
        if not isinstance(self.node, Sequence):
            return None
        return [Place(self.report, f"{self.path}[{index}]", item) for index, item in enumerate(self.node.items)]

    def fields(self, message: str, hint: str) -> Fields | None:
        """What a mapping holds; None, reported with the message, where this is not a mapping."""
        if isinstance(self.node, Mapping):
            return Fields(self.report, self.path, self.node)
        self.error(message, hint)
        return None

    def text(self) -> str | None:
        """A text; None, reported, where it is not text."""
        value = self.value
        if isinstance(value, str):
            return value
        if value is not UNREADABLE:
            self.error(f"should be text, not {described(value)}", text_remedy(value))
        return None

    def one_of(self, allowed: tuple[str, ...], hints: Hints[str, str]) -> str | None:
        """The text where it is one of the allowed; None, reported, where it is not one."""
        value = self.value
        if isinstance(value, str) and value in allowed:
            return value
        if value is not UNREADABLE:
            text = self.node.text if isinstance(self.node, Scalar) else ""
            hint = hints.get(text) or did_you_mean(text, allowed) or f"write {allowed[0]}, for example"
            self.error(f"should be one of {', '.join(allowed)}", hint)
        return None


class Fields:
    """What a mapping holds, by key; of two with one key the last.

    Attributes:
        report: Takes what is wrong.
        path: Names the mapping.
    """

    def __init__(self, report: Report, path: str, node: Mapping) -> None:
        self.report = report
        self.path = path
        self._node = node
        self._entries = {entry.key.text: entry for entry in node.entries}

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __getitem__(self, name: str) -> Place:
        return Place(self.report, join(self.path, name), self._entries[name].value)

    def given(self, name: str) -> Place | None:
        """What is under a key; None where there is nothing, or null."""
        return self[name] if name in self and self[name].value is not None else None

    def check_keys(self, vocabulary: Vocabulary) -> None:
        """Every required key is there, and none that is not known."""
        for name in vocabulary.required:
            if name not in self:
                self.report.hidden(join(self.path, name), self._node, "required", f"add {name}")
        # A thousand keys are not misspellings, and looking for near ones takes time.
        near = did_you_mean if len(self._entries) < 1000 else _no_suggestion
        for name, entry in self._entries.items():
            if name not in vocabulary.known:
                hint = vocabulary.hints.get(name) or near(name, vocabulary.known) or "remove it"
                self.report.hidden(join(self.path, printable(name, 60)), entry.key, "unknown key", hint)

    def is_true(self, name: str) -> bool:
        return name in self and self[name].value is True

    def flag(self, name: str) -> None:
        """A boolean, or null."""
        place = self.given(name)
        if place is not None and place.value is not UNREADABLE and not isinstance(place.value, bool):
            place.error("should be true or false", "write it without quotes")

    def text(self, name: str, *, nullable: bool = False) -> str | None:
        """The text under a key; None where it is absent, null, or reported as no text."""
        if name not in self or (nullable and self.given(name) is None):
            return None
        return self[name].text()

    def name(self, name: str, *, longest: int | None = None) -> str | None:
        """Text that is not blank, of limited length; None where it is not text."""
        text = self.text(name)
        if text is None:
            return None
        place = self[name]
        if not text.strip():
            place.error("should not be blank", "write a text")
        if longest is not None and len(text) > longest:
            place.error(f"{len(text)} characters, more than {longest}", "shorten it")
        if longest is not None and "\n" in text:
            place.warn("more than one line", "write it on one line")
        return text


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
