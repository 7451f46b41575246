"""From PyYAML's events to nodes, within limits that hold at every step: nothing is built beyond them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import yaml

from arkworker.documents.nodes import Entry, Mapping, Node, Scalar, Sequence, YamlError
from arkworker.documents.scalars import resolve_scalar
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

_CORE = "tag:yaml.org,2002:"
_SURROGATE = re.compile("[\ud800-\udfff]")
_SCALAR_TAGS = frozenset({"str", "int", "float", "bool", "null"})
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_CORE_TAGS = _SCALAR_TAGS | {"seq", "map"}
_KNOWN_TAGS = ("python/", "binary", "merge", "omap", "pairs", "set", "timestamp", "value", "yaml")
_TAG_HINT = "remove it, or put text that begins with '!' in quotes"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a document may hold.

    Attributes:
        bytes: Its length in UTF-8.
        levels: How deep lists and mappings nest.
        aliases: How often `*name` occurs.
        size: What it holds with aliases and merge keys expanded: one a value, and one more for every 16 characters.
    """

    bytes: int = 1024 * 1024
    levels: int = 50
    aliases: int = 20
    size: int = 100_000


class _Anchored(NamedTuple):
    """What an alias stands for: `size` as in `Limits`, `height` in levels of lists and mappings."""

    node: Node
    size: int
    height: int


class _OpenSequence:
    """A list under construction."""

    def __init__(self, line: int, column: int, start: int) -> None:
        self.line, self.column, self.start = line, column, start
        self.height = 1
        self.items: list[Node] = []

    def close(self) -> Sequence:
        return Sequence(tuple(self.items), self.line, self.column)


class _OpenMapping:
    """A mapping under construction; `key` waits for its value."""

    def __init__(self, line: int, column: int, start: int) -> None:
        self.line, self.column, self.start = line, column, start
        self.height = 1
        self.key: Scalar | None = None
        self.lines: dict[str, int] = {}
        self.entries: list[Entry] = []
        self.merged: dict[str, Entry] = {}

    def close(self) -> Mapping:
        inherited = (entry for name, entry in self.merged.items() if name not in self.lines)
        return Mapping((*inherited, *self.entries), self.line, self.column)


_Open: TypeAlias = _OpenSequence | _OpenMapping


class Builder:
    """Takes the events of one document in order.

    Attributes:
        root: The document, once its last event was taken; None when it is empty.
        duplicates: Keys given twice: they end nothing, so that all are found.
        line: Where the latest event began, from 1.
        column: The same, from 1.
    """

    def __init__(self, limits: Limits, decode: Callable[[str], str] = str) -> None:
        self._decode = decode
        self.root: Node | None = None
        self.duplicates: list[YamlError] = []
        self.line = self.column = 1
        self._limits = limits
        self._documents = self._aliases = self._size = 0
        self._open: list[_Open] = []
        self._open_anchors: list[str | None] = []
        self._anchors: dict[str, _Anchored] = {}

    def take(self, event: yaml.Event) -> None:
        """Build on; raises `YamlError` at the first thing that cannot be part of a document within the limits."""
        if event.start_mark is not None:
            self.line, self.column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, yaml.ScalarEvent):
            self._take_scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._open_collection(event, "seq", _OpenSequence(self.line, self.column, self._size))
        elif isinstance(event, yaml.MappingStartEvent):
            self._open_collection(event, "map", _OpenMapping(self.line, self.column, self._size))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close_collection()
        elif isinstance(event, yaml.AliasEvent):
            self._take_alias(event.anchor or "")
        elif isinstance(event, yaml.DocumentStartEvent):
            self._start_document()

    def _take_scalar(self, event: yaml.ScalarEvent) -> None:
        text = self._decode(event.value)
        size = 1 + len(text) // 16
        self._grow(size)
        if not text.isascii() and _SURROGATE.search(text):  # PyYAML's own parser lets them through
            raise self._error("an escape that stands for half a character", "write the character itself")
        tag = self._core_tag(event.tag)
        if tag is not None and tag not in _SCALAR_TAGS:
            raise self._error(f"!!{tag} does not fit a single value", "remove the tag")
        # `implicit` is false for a lone `!`, and true for a quoted text after one.
        plain = tag is None and not event.style and event.implicit[0]
        scalar = Scalar(text, plain, self.line, self.column, tag)
        if tag is not None:
            resolve_scalar(scalar)
        if event.anchor is not None:
            self._anchor(event.anchor, _Anchored(scalar, size, 0))
        self._place(scalar)

    def _take_alias(self, name: str) -> None:
        self._aliases += 1
        if self._aliases > self._limits.aliases:
            raise self._error(f"more than {self._limits.aliases} aliases", "write the values out")
        if name in self._open_anchors:
            raise self._error("this alias is part of what it stands for", "write the value out")
        if name not in self._anchors:
            raise self._error("this alias has no anchor before it", "put text that begins with '*' in quotes")
        anchored = self._anchors[name]
        self._grow(anchored.size)
        self._check_levels(anchored.height)
        self._place(anchored.node, anchored.height)

    def _open_collection(self, event: yaml.CollectionStartEvent, kind: str, collection: _Open) -> None:
        self._grow(1)
        self._check_levels(1)
        if self._awaits_key():
            raise self._error("a key cannot be a list or a mapping", "put text that begins with a bracket in quotes")
        tag = self._core_tag(event.tag)
        if tag not in (None, kind):
            raise self._error(f"!!{tag} does not fit a {'list' if kind == 'seq' else 'mapping'}", "remove the tag")
        self._open.append(collection)
        self._open_anchors.append(event.anchor)

    def _close_collection(self) -> None:
        collection = self._open.pop()
        anchor = self._open_anchors.pop()
        node = collection.close()
        # What a problem with this node concerns begins where the node does.
        self.line, self.column = node.line, node.column
        if anchor is not None:
            self._anchor(anchor, _Anchored(node, self._size - collection.start, collection.height))
        self._place(node, collection.height)

    def _start_document(self) -> None:
        self._documents += 1
        if self._documents > 1:
            raise self._error("a second document", "a file holds one: remove the line '---' and what follows")

    def _place(self, node: Node, height: int = 0) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        parent.height = max(parent.height, height + 1)
        if isinstance(parent, _OpenSequence):
            parent.items.append(node)
        elif parent.key is None:
            parent.key = self._checked_key(node, parent)
        else:
            self._place_value(parent, parent.key, node)
            parent.key = None

    def _place_value(self, parent: _OpenMapping, key: Scalar, node: Node) -> None:
        if not (key.plain and key.text == "<<"):
            parent.entries.append(Entry(key, node))
            return
        for mapping in node.items if isinstance(node, Sequence) else (node,):
            if not isinstance(mapping, Mapping):
                raise self._error("'<<' takes a mapping or a list of mappings", "put the key in quotes if it is one")
            self._grow(len(mapping.entries))
            for entry in mapping.entries:
                parent.merged.setdefault(entry.key.text, entry)

    def _checked_key(self, node: Node, parent: _OpenMapping) -> Scalar:
        if not isinstance(node, Scalar):
            raise self._error("a key cannot be a list or a mapping", "write the key out")
        if not node.text or node.tag == "null" or (node.plain and node.text in _NULLS):
            raise self._error("an empty key", "give it a name, or put it in quotes")
        if node.text in parent.lines:
            first = parent.lines[node.text]
            message = f"the key '{printable(node.text, 60)}' is given twice, first on line {first}"
            self.duplicates.append(self._error(message, "remove one"))
        parent.lines.setdefault(node.text, self.line)
        if (node.line, node.column) == (self.line, self.column):
            return node
        # An alias for a key: what is wrong with the key is wrong here, not at the anchor.
        return replace(node, line=self.line, column=self.column)

    def _awaits_key(self) -> bool:
        parent = self._open[-1] if self._open else None
        return isinstance(parent, _OpenMapping) and parent.key is None

    def _anchor(self, name: str, anchored: _Anchored) -> None:
        if name in self._anchors:
            raise self._error("this anchor is given twice", "rename one, or put text that begins with '&' in quotes")
        self._anchors[name] = anchored

    def _check_levels(self, height: int) -> None:
        if len(self._open) + height > self._limits.levels:
            raise self._error(f"more than {self._limits.levels} levels of lists and mappings")

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self._limits.size:
            raise self._error("too large: too many values, aliases and merge keys included", "is it the right file?")

    def _core_tag(self, tag: str | None) -> str | None:
        if tag is None or tag == "!":
            return None
        name = tag.removeprefix(_CORE)
        if name == tag or name not in _CORE_TAGS:
            # Named only when well known: a password may begin with '!'.
            shown = f"the tag !!{printable(name)}" if name.startswith(_KNOWN_TAGS) else "a tag that is not known"
            raise self._error(f"{shown} is not read", _TAG_HINT)
        return name

    def _error(self, message: str, hint: str = "") -> YamlError:
        return YamlError(message, self.line, self.column, hint)
