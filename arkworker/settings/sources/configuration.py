"""What a configuration file and a worker run hold: mappings of options, and lists of keys and values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping as AnyMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_settings import InitSettingsSource

from arkworker.documents.nodes import Mapping, Node, Scalar, Sequence, YamlError, is_null
from arkworker.options.options import DEBUG, RESERVED_KEYS, Group, Option
from arkworker.options.secret import Secret
from arkworker.settings.provenance import Path, Place, nested
from arkworker.settings.reading import Refused, read_data, read_node
from arkworker.settings.sources.source import Named
from arkworker.text import printable

if TYPE_CHECKING:
    from arkworker.documents.text_file import TextFile


LONGEST_EXCERPT = 160  # characters of a line; what follows adds nothing on a screen
_COMMENT = re.compile(r"(?:^|\s)#")

#: The operations of Arkindex that tell of a worker run and its configuration, as reports name them.
WORKER_RUN = "RetrieveWorkerRun"
CONFIGURATION = "RetrieveWorkerRunConfiguration"


class Given(NamedTuple):
    """A key and its value in a source.

    Attributes:
        value: A YAML node or plain data.
        is_secret: Whether Arkindex keeps it as the reference of a secret.
        is_item: Whether it is an item of the list that Arkindex sends: there, null for an option that does not accept
            it is an absent value.
    """

    key: str
    value: Any
    location: str
    is_secret: bool = False
    is_item: bool = True

    @property
    def is_null(self) -> bool:
        return self.value is None or (isinstance(self.value, Scalar) and is_null(self.value))


class ConfigurationSource(Named, InitSettingsSource):
    """A source that holds a mapping of options, as plain data.

    A name twice is an error, in whatever form; an unknown one, too, where a person typed it (`typed_by_person`), and a
    warning where the platform sent it.
    """

    typed_by_person: bool = False
    read: Callable[[Any, Any], Any] = staticmethod(read_data)

    def fill(self, settings_cls: Any, entries: Iterable[Given]) -> None:
        """Take the entries, once everything that they need is known."""
        self._nodes: dict[Path, Any] = {}  # the value as it was given, for its place
        self._seen: dict[str, str] = {}
        self._first_inside: dict[Path, Path] = {}
        for given in entries:
            self._take(given)
        InitSettingsSource.__init__(self, settings_cls, nested(self._given.items()))

    def entries_of(self, given: Given) -> list[Given] | None:
        """What lies in a group's value; None when it is not a mapping."""
        if not isinstance(given.value, AnyMapping):
            return None
        return [Given(key, value, _at(given.location, key)) for key, value in given.value.items()]

    def _take(self, given: Given, group: str = "") -> None:
        part = self.worker.by_name.get(f"{group}{given.key}")
        name = part.name if part else f"{group}{given.key}"
        if given.is_item or not isinstance(part, Group):  # a mapping may hold a group in several places
            if name in self._seen:
                self._report_twice(("config", name), self._seen[name], given)
                return
            self._seen[name] = given.location
        if isinstance(part, Group):
            self._take_group(part, given)
        elif part or self.worker.is_free:
            self._take_option(part, given)
        elif name == DEBUG:
            value = self.read(given.value, bool | None) if self.typed_by_person else bool(given.value)
            self.give((DEBUG,), value if isinstance(value, Refused) else bool(value), given.location)
        else:
            # At the key, and without the excerpt: an unknown option may hold a secret.
            self.report_unknown(name, given.location, warn=not self.typed_by_person)

    def _take_group(self, group: Group, given: Given) -> None:
        path, entries, mistakes = ("config", *group.keys), self.entries_of(given), len(self.problems)
        for inner in entries or ():
            self._take(inner, f"{group.name}.")
        is_empty = path not in self._first_inside and len(self.problems) == mistakes
        if entries is not None and is_empty and group.accepts_null and self.typed_by_person:
            self._put(path, {}, given)  # the group with its defaults, not null
        elif entries is None and not given.is_null:
            self._put(path, Refused.because("this is a group: give its options below it"), given)
        elif entries is None and group.accepts_null:
            self._put(path, None, given)

    def _take_option(self, option: Option | None, given: Given) -> None:
        """An option that is declared, or any of a free mapping."""
        path, value = ("config", *(option.keys if option else (given.key,))), given.value
        if given.is_null and given.is_item and option and not option.accepts_null:
            return
        if given.is_secret and not given.is_null:
            if option is None:
                value = self.read(value, Secret[Any])
            elif not option.is_secret:
                value = Refused.because("a secret on Arkindex, but not in code", "declare the option as Secret[str]")
        self._put(path, value, given)

    def _put(self, path: Path, value: Any, given: Given) -> None:
        above = [path[:length] for length in range(2, len(path))]
        whole = next((other for other in above if self._given.get(other, {}) != {}), None)
        inside = self._first_inside.get(path)
        if whole or (inside and value != {}):
            self._report_twice(path, self.locations[whole or inside or path], given)
        elif not inside:
            self._first_inside |= {other: path for other in above if other not in self._first_inside}
            self._nodes[path] = given.value
            self.give(path, value, given.location)

    def _report_twice(self, path: Path, first: str, given: Given) -> None:
        self.report(path, f"given twice, first at {first}", given.location, "remove one of the two")


@dataclass(frozen=True, slots=True)
class Layer:
    """What a worker run says of options, in one of its layers.

    Attributes:
        name: One of `SOURCES`.
        location: Where it comes from, as reports show it before a key.
        entries: Each key with its value, and whether it is a secret.
    """

    name: str
    location: str = ""
    entries: tuple[tuple[str, Any, bool], ...] = field(default=(), repr=False)


class LayerSource(ConfigurationSource):
    """A layer of a worker run: the list that the server merged, or one of those of older instances."""

    def __init__(self, settings_cls: Any, layer: Layer) -> None:
        self.begin(settings_cls)
        self.name = layer.name
        self.fill(
            settings_cls,
            (Given(key, value, _at(layer.location, key), is_secret) for key, value, is_secret in layer.entries),
        )


def _at(location: str, key: str) -> str:
    return f"{location} {printable(key, 60)}"


class FileSource(ConfigurationSource):
    """The configuration file: a flat mapping, or Arkindex's list under `configuration:`; each value with its place."""

    name = "configuration file"
    typed_by_person = True

    def __init__(self, settings_cls: Any, file: TextFile | None) -> None:
        self.begin(settings_cls)
        self.file = file
        self.lines = file.text.splitlines() if file else []
        self.hidden: frozenset[int] = frozenset(range(1, len(self.lines) + 1))
        self.fill(settings_cls, self._entries(file.text) if file else ())

    read = staticmethod(read_node)

    def entries_of(self, given: Given) -> list[Given] | None:
        if not isinstance(given.value, Mapping):
            return None
        return [self._entry(entry.key, entry.value) for entry in given.value.entries]

    def place_of(self, path: Path, rest: Path, *, at_key: bool) -> Place:
        """The place of a part of what was given for a path, or of its key; keys and indices lead to it."""
        if path not in self._nodes:
            return Place(self.locations.get(path, ""))
        return self._place(_descend(self._nodes[path], rest, at_key=at_key))

    def _entries(self, text: str) -> Iterable[Given]:
        from arkworker.documents.yaml import parse_yaml

        try:
            root = parse_yaml(text)
        except YamlError as failure:
            for error in failure.errors:
                self.report((), error.message, self._location(error), error.hint)
            return ()
        if isinstance(root, Mapping):
            return self._options(root)
        if root is not None:
            self.report((), "should be a mapping of options", self._location(root))
        return ()

    def _options(self, root: Mapping) -> Iterable[Given]:
        self.hidden = frozenset(_hidden_lines(root, self._is_shown))
        reserved = {entry.key.text: entry.value for entry in root.entries if entry.key.text in RESERVED_KEYS}
        flat = [entry for entry in root.entries if entry.key.text not in RESERVED_KEYS]
        modern = reserved.get("configuration")
        if "configuration" in reserved and not isinstance(modern, Sequence):
            message = "should be a list of items with key, value and secret"
            self.report(("configuration",), message, self._location(reserved["configuration"]))
            return ()
        self._take_reserved({name: node for name, node in reserved.items() if not is_null(node)})
        if not isinstance(modern, Sequence):
            return [self._entry(entry.key, entry.value) for entry in flat]
        if flat:
            hint = "use one form: all options in the list, or all of them flat"
            path = ("config", flat[0].key.text)
            self.report(path, "not allowed next to a configuration list", self._location(flat[0].key), hint)
        return list(filter(None, map(self._item, range(len(modern.items)), modern.items)))

    def _take_reserved(self, reserved: dict[str, Node]) -> None:
        kinds = {"extras_dir": (str, "the path of a directory"), "secrets": (list[str], "a list of names of secrets")}
        for name, (kind, meant) in kinds.items():
            if name in reserved:
                value, location = read_node(reserved[name], kind), self._location(reserved[name])
                if isinstance(value, Refused) or not all([value] if kind is str else value):
                    self.report((name,), f"should be {meant}", location)
                else:
                    self.give((name,), value, location)

    def _item(self, index: int, item: Node) -> Given | None:
        if isinstance(item, Mapping) and set(item.by_name) == {"key", "value", "secret"}:
            key, value, secret = (item.by_name[name].value for name in ("key", "value", "secret"))
            is_secret = read_node(secret, bool)
            if isinstance(is_secret, bool) and isinstance(key, Scalar) and read_node(key, str) == key.text != "":
                return Given(key.text, value, self._location(key), is_secret)
        message = "should be an item with key, value and secret (true or false), and nothing more"
        self.report(("configuration", str(index)), message, self._location(item))
        return None

    def _entry(self, key: Scalar, value: Node) -> Given:
        return Given(key.text, value, self._location(key), is_item=False)

    def _place(self, node: Node) -> Place:
        excerpt = "" if node.line in self.hidden else _shown_part(self.lines[node.line - 1], node.column)
        return Place(self._location(node), *((excerpt, node.line, node.column) if excerpt else ()))

    def _location(self, node: Node | YamlError) -> str:
        return f"{self.file.name}:{node.line}:{node.column}" if self.file else ""

    def _is_shown(self, name: str, value: Node) -> bool:
        part = self.worker.by_name.get(name)
        if isinstance(part, Group):
            return isinstance(value, Mapping)  # anything else may be meant for a secret in it
        return part is not None and not part.is_secret


def _descend(node: Node, rest: Path, *, at_key: bool) -> Node:
    """The node of a part of a value, or of its key: the deepest one on the way to it."""
    key = node
    for step in rest:
        if isinstance(node, Sequence) and step.isdigit() and int(step) < len(node.items):
            key = node = node.items[int(step)]
        elif isinstance(node, Mapping) and step in node.by_name:
            key, node = node.by_name[step]
        else:
            break
    return key if at_key else node


def _shown_part(line: str, column: int) -> str:
    """What may be shown of a line that is not hidden: up to a comment, which may say anything; nothing after it."""
    shown = line[:LONGEST_EXCERPT]
    comment = _COMMENT.search(shown)
    shown = shown[: comment.start() if comment else None]
    return shown if column <= len(shown) else ""


def _hidden_lines(node: Node, is_shown: Callable[[str, Node], bool], name: str = "") -> Iterator[int]:
    """The numbers of the lines that stay hidden, from 1.

    Args:
        node: The document, or a part of it.
        is_shown: Whether the value of a dotted name may be seen; what lies in it may, then, too.
        name: The dotted name of the part.
    """
    for entry in node.entries if isinstance(node, Mapping) else ():
        inner = f"{name}.{entry.key.text}" if name else entry.key.text
        if is_shown(inner, entry.value):
            yield from _hidden_lines(entry.value, is_shown, inner)
        else:
            yield from range(entry.key.line, max(entry.key.line, entry.value.end) + 1)
