"""The checks that every part of a declaration needs."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from arkworker.declaration.report import join
from arkworker.declaration.values import UnreadableError, arkindex_value
from arkworker.documents.nodes import Entry, Mapping, Scalar, Sequence
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Mapping as Hints

    from arkworker.declaration.report import Report
    from arkworker.declaration.vocabulary import Vocabulary
    from arkworker.documents.nodes import Node

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
                self.report.error(path, node, "has the form of a number or date and is none", "put it in quotes")
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
