"""The configuration file: a flat mapping, or the modern list under `configuration:`; each value with its position."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arkworker.documents.nodes import Mapping, Node, Scalar, Sequence, YamlError, is_null
from arkworker.documents.yaml import parse_yaml
from arkworker.options.options import RESERVED_KEYS
from arkworker.settings.provenance import Origin, Path, Place
from arkworker.settings.report.excerpts import hidden_lines, shown_part
from arkworker.settings.sources.configuration_source import ConfigurationSource, Given
from arkworker.settings.values.dialects import FILE
from arkworker.settings.values.scalars import text_as

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from arkworker.documents.text_file import TextFile
    from arkworker.settings.sources.source import Bench
    from arkworker.settings.values.unreadable import UnreadableError


class YamlFileSource(ConfigurationSource):
    name = "configuration file"
    typed_by_person = True
    dialect = FILE

    def __init__(self, bench: Bench, file: TextFile) -> None:
        super().__init__(bench)
        self.file = file
        self.lines = file.text.splitlines()
        self.hidden: frozenset[int] = frozenset(range(1, len(self.lines) + 1))

    def offer_all(self) -> None:
        try:
            root = parse_yaml(self.file.text)
        except YamlError as failure:
            for error in failure.errors:
                place = self._location(error.line, error.column)
                self.ledger.report((), error.message, Origin(self.name, place), hint=error.hint)
            return
        if isinstance(root, Mapping):
            self._offer_root(root)
        elif root is not None:
            self._report_node((), "should be a mapping of options", root)

    def _offer_root(self, root: Mapping) -> None:
        self.hidden = hidden_lines(root, self.lines, self._is_shown)
        modern = next((entry for entry in root.entries if entry.key.text == "configuration"), None)
        if modern is not None and not isinstance(modern.value, Sequence):
            message = "should be a list of items with key, value and secret"
            self._report_node(("configuration",), message, modern.value)
            return
        reserved = [entry for entry in root.entries if entry.key.text in RESERVED_KEYS]
        flat = [entry for entry in root.entries if entry not in reserved]
        self._offer_reserved({entry.key.text: entry.value for entry in reserved})
        if modern is not None:
            self._offer_modern(modern.value)
            if flat:
                hint = "use one form: all options in the list, or all of them flat"
                path = ("config", flat[0].key.text)
                self._report_node(path, "beside a configuration list", flat[0].key, hint)
        else:
            self.offer_entries(self._given(entry.key, entry.value) for entry in flat)

    def entries_of(self, given: Given) -> Iterable[Given] | None:
        if not isinstance(given.value, Mapping):
            return None
        return [self._given(entry.key, entry.value) for entry in given.value.entries]

    def _offer_reserved(self, reserved: dict[str, Node]) -> None:
        given = {name: node for name, node in reserved.items() if not is_null(node)}
        if "extras_dir" in given:
            node = given["extras_dir"]
            text = _text(node)
            if text:
                self.offer_platform(("extras_dir",), text, self._location(node.line, node.column))
            else:
                self._report_node(("extras_dir",), "should be the path of a directory", node)
        if "secrets" in given:
            self._offer_secret_names(given["secrets"])

    def _offer_secret_names(self, node: Node) -> None:
        names = [_text(name) for name in node.items] if isinstance(node, Sequence) else [""]
        if all(names):
            self.ledger.offer(("secrets",), names, Origin(self.name, self._location(node.line, node.column)))
        else:
            self._report_node(("secrets",), "should be a list of names of secrets", node)

    def _offer_modern(self, items: Node) -> None:
        assert isinstance(items, Sequence)  # noqa: S101 - narrowed by the caller
        for index, item in enumerate(items.items):
            self._offer_item(index, item)

    def _offer_item(self, index: int, item: Node) -> None:
        fields = {entry.key.text: entry.value for entry in item.entries} if isinstance(item, Mapping) else {}
        key, secret = fields.get("key"), fields.get("secret")
        flag = _boolean(secret)
        if set(fields) == {"key", "value", "secret"} and isinstance(key, Scalar) and _text(key) and flag is not None:
            self.offer_item(self._given(key, fields["value"]), is_secret=flag)
        else:
            message = "should be an item with key, value and secret (true or false), and nothing more"
            self._report_node(("configuration", str(index)), message, item)

    def _given(self, key: Scalar, value: Node) -> Given:
        return Given(key.text, value, Origin(self.name, self._location(key.line, key.column)), self._locator(value))

    def _locator(self, node: Node) -> Callable[[Path], Place]:
        def place_of(rest: Path) -> Place:
            found = _descend(node, rest)
            return self._place(found.line, found.column)

        return place_of

    def place_of_error(self, given: Given, error: UnreadableError, *, shown: bool) -> Place:
        place = self._place(error.line, error.column) if error.line else given.place
        return place if shown else Place(place.location)

    def _place(self, line: int, column: int) -> Place:
        excerpt = "" if line in self.hidden else shown_part(self.lines[line - 1], column)
        location = self._location(line, column)
        return Place(location, excerpt, line, column) if excerpt else Place(location)

    def _location(self, line: int, column: int) -> str:
        return f"{self.file.name}:{line}:{column}"

    def _is_shown(self, name: str) -> bool:
        option = self.worker.options.get(name)
        return name in self.worker.groups or (option is not None and not option.is_secret)

    def _report_node(self, path: Path, message: str, node: Node, hint: str = "") -> None:
        # Without the excerpt: what it shows belongs to no known option.
        origin = Origin(self.name, self._location(node.line, node.column))
        self.ledger.report(path, message, origin, hint=hint)


def _boolean(node: Node | None) -> bool | None:
    value = text_as(node.text, (bool,), FILE) if isinstance(node, Scalar) and node.plain else None
    return value if isinstance(value, bool) else None


def _text(node: Node) -> str:
    """The text of a single value; nothing where it is none."""
    return node.text if isinstance(node, Scalar) and node.tag in (None, "str") and not is_null(node) else ""


def _descend(node: Node, rest: Path) -> Node:
    """The node of a part of a value: the deepest one on the way to it."""
    for step in rest:
        inner = _step(node, step)
        if inner is None:
            return node
        node = inner
    return node


def _step(node: Node, step: str) -> Node | None:
    if isinstance(node, Sequence) and step.isdigit() and int(step) < len(node.items):
        return node.items[int(step)]
    if isinstance(node, Mapping):
        return next((entry.value for entry in node.entries if entry.key.text == step), None)
    return None
