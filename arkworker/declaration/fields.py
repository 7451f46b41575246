"""The rules on the fields of a worker's configuration, and on those inside groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arkworker.declaration import vocabulary
from arkworker.declaration.field_types import check_type
from arkworker.declaration.report import join
from arkworker.documents.nodes import Mapping, Scalar, Sequence
from arkworker.text import printable

if TYPE_CHECKING:
    from arkworker.declaration.checks import Checks, Entries
    from arkworker.documents.nodes import Node


class FieldRules:
    """Checks the fields of one declaration, which share one set of names."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._report = checks.report
        self._lines: dict[str, int] = {}

    def check(self, node: Node) -> None:
        """The list under `configuration`."""
        self._check_list("configuration", node, parent="")

    def _check_list(self, path: str, node: Node, parent: str | None) -> None:
        """A list of fields; `parent` is the key of the field that holds them, None where that is no text."""
        if not isinstance(node, Sequence):
            self._report.error(path, node, "should be a list of fields", "begin each field with `- key: `")
            return
        for index, item in enumerate(node.items):
            self._check_field(f"{path}[{index}]", item, parent)

    def _check_field(self, path: str, node: Node, parent: str | None) -> None:
        checks = self._checks
        entries = checks.mapping(path, node, "should be a mapping", "write key, display_name and type")
        if entries is None:
            return
        path = _named(path, entries)
        checks.keys(path, node, entries, vocabulary.FIELD)
        key = checks.name("key", entries, path, longest=vocabulary.LONGEST_FIELD_NAME)
        checks.name("display_name", entries, path, longest=vocabulary.LONGEST_FIELD_NAME)
        checks.text("help_text", entries, path, nullable=True)
        if key is not None and parent is not None:
            self._take_name(path, f"{parent}.{key}" if parent else key, entries["key"].value)
        of = check_type(checks, path, entries)
        if of == "group":
            self._check_group(path, entries)
        if "children" in entries:
            self._check_list(join(path, "children"), entries["children"].value, key)

    def _take_name(self, path: str, name: str, node: Node) -> None:
        # Arkindex trims the dotted name as a whole, not its parts.
        name = name.strip()
        if name in self._lines:
            first = self._lines[name]
            message = "this field is listed twice" if first == node.line else f"this key is taken, on line {first}"
            self._report.error(join(path, "key"), node, message, "rename or remove one")
        self._lines.setdefault(name, node.line)

    def _check_group(self, path: str, entries: Entries) -> None:
        checks, report = self._checks, self._report
        if checks.is_true("required", entries):
            report.error(join(path, "required"), entries["required"].value, "a group cannot be required", "remove it")
        if "editable" in entries and not checks.is_true("editable", entries):
            report.error(join(path, "editable"), entries["editable"].value, "a group is always editable", "remove it")
        place = entries["children" if "children" in entries else "type"].value
        children = place.items if "children" in entries and isinstance(place, Sequence) else ()
        if not children and (isinstance(place, Sequence) or "children" not in entries):
            report.error(join(path, "children"), place, "a group holds one field or more", "add a list of fields")
        for child in children:
            node = _type_of(child)
            if isinstance(node, Scalar) and node.text == "group":
                report.error(path, node, "a group cannot hold a group", "move its fields up")


def _named(path: str, entries: Entries) -> str:
    """`configuration.threshold` for `configuration[0]`, where the field has a name to show."""
    key = entries["key"].value if "key" in entries else None
    if not isinstance(key, Scalar) or not key.text.strip():
        return path
    return join(path.rpartition("[")[0].removesuffix(".children"), printable(key.text.strip(), 60))


def _type_of(field: Node) -> Node | None:
    entries = field.entries if isinstance(field, Mapping) else ()
    return next((entry.value for entry in entries if entry.key.text == "type"), None)
