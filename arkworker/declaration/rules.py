"""The rules of Arkindex on a declaration file, each problem with its place and its remedy.

The verdict is that of the official validator. Stricter on purpose, since it accepts them in silence and means
something else: a key given twice, an empty key in a default, `!!null` on what is not null. Stricter by the limits of
the reader: the size of the file, its depth, tags outside the core, numbers of thousands of digits.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from arkworker.declaration import vocabulary
from arkworker.declaration.checks import UNREADABLE, Checks, Report, described, join, text_remedy
from arkworker.documents.nodes import Mapping, Scalar, Sequence
from arkworker.documents.yaml import Limits, read_yaml
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from arkworker.declaration.checks import Entries
    from arkworker.documents.nodes import Node
    from arkworker.documents.text_file import TextFile
    from arkworker.errors import Problem


#: Fields of one kind like to share their keys through `<<: *common`; what that expands to stays bounded.
LIMITS = Limits(aliases=500)
_START = f"write {', '.join(vocabulary.WORKER.required)}, one a line"


def validate(file: TextFile) -> list[Problem]:
    """All problems of a declaration file, in order of place; none when Arkindex takes it."""
    return examine(file).problems


def examine(file: TextFile) -> Report:
    """All problems, and warnings about what Arkindex accepts but hardly as it was meant."""
    report = Report(file)
    root, errors = read_yaml(file.text, LIMITS, json_pairs=False)
    for error in errors:
        report.unreadable(error)
    if root is not None:
        report.shows_lines = not _may_hold_secrets(root)
        _check_worker(Checks(report), root)
    elif not errors:
        report.error("", Scalar("", True, 1, 1), "an empty file", _START)
    return report.finished()


def _check_worker(checks: Checks, root: Node) -> None:
    entries = checks.mapping("", root, "a declaration is a mapping", _START)
    if entries is None:
        return
    checks.keys("", root, entries, vocabulary.WORKER)
    _check_slug(checks, entries)
    for name in ("display_name", "type"):
        checks.name(name, entries, longest=vocabulary.LONGEST_NAME)
    checks.name("description", entries)
    for name in ("gpu_usage", "model_usage"):
        _check_usage(checks, name, entries)
    if "docker" in entries and not checks.is_null("docker", entries):
        _check_docker(checks, entries["docker"].value)
    if "configuration" in entries and not checks.is_null("configuration", entries):
        FieldRules(checks).check(entries["configuration"].value)


def _check_slug(checks: Checks, entries: Entries) -> None:
    text = checks.text("slug", entries)
    if text is None:
        return
    node = entries["slug"].value
    if not vocabulary.SLUG.fullmatch(text):
        message = f"should be 1 to {vocabulary.LONGEST_NAME} letters without accents, digits, - and _"
        checks.report.error("slug", node, message, "replace everything else with -")
    elif text.endswith("\n"):
        checks.report.warn("slug", node, "ends with a line break, which becomes part of it", "write it on one line")


def _check_usage(checks: Checks, name: str, entries: Entries) -> None:
    if name not in entries or checks.is_null(name, entries):
        return
    node = entries[name].value
    value = checks.value(name, node)
    if isinstance(value, bool):
        # YAML 1.1 has it that `off` and `no` are booleans, and the former format had them here.
        message = f"should be one of {', '.join(vocabulary.USAGES)}, not a boolean"
        checks.report.error(name, node, message, f"write {'supported or required' if value else 'disabled'}")
    else:
        checks.one_of(name, node, vocabulary.USAGES, {})


def _check_docker(checks: Checks, node: Node) -> None:
    entries = checks.mapping("docker", node, "should be a mapping", "write command: and shm_size: below it")
    if entries is None:
        return
    checks.keys("docker", node, entries, vocabulary.DOCKER)
    checks.text("command", entries, "docker", nullable=True)
    if "shm_size" in entries and not checks.is_null("shm_size", entries, "docker"):
        _check_shm_size(checks, entries["shm_size"].value)


def _check_shm_size(checks: Checks, node: Node) -> None:
    value = checks.value("docker.shm_size", node)
    if value is UNREADABLE or (isinstance(value, str) and vocabulary.SHM_SIZE.fullmatch(value)):
        return
    message = "should be a size above zero with its unit in lower case: b, k, m or g"
    checks.report.error("docker.shm_size", node, message, _shm_size_remedy(node))


def _shm_size_remedy(node: Node) -> str:
    """`write 8g` for `8G`, `8 GB`, `8GiB`; an example where the size cannot be guessed."""
    text = node.text.strip().lower() if isinstance(node, Scalar) and len(node.text) < 20 else ""
    size = text.replace(" ", "").removesuffix("ib").removesuffix("b" if text[-2:-1] in "kmg" else "")
    if size and vocabulary.SHM_SIZE.fullmatch(size) and not size.isdigit():
        return f"write {size}"
    return "write it like 512m or 8g"


def _may_hold_secrets(node: Node) -> bool:
    """Whether a default stands beside a type that takes none: it may be a secret, on any line of the field."""
    if isinstance(node, Sequence):
        return any(_may_hold_secrets(item) for item in node.items)
    if isinstance(node, Scalar):
        return False
    entries = {entry.key.text: entry.value for entry in node.entries}
    default, of = entries.get("default"), entries.get("type")
    is_null = default is None or (isinstance(default, Scalar) and default.text in ("", "~", "null"))
    takes_default = isinstance(of, Scalar) and of.text in vocabulary.VALUE_TYPES
    return not (is_null or takes_default) or any(_may_hold_secrets(value) for value in entries.values())


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


def check_type(checks: Checks, path: str, entries: Entries) -> str | None:
    """Check `type` and the keys whose meaning depends on it; answers the type, None where it is none."""
    of = None
    if "type" in entries:
        where = join(path, "type")
        of = checks.one_of(where, entries["type"].value, vocabulary.FIELD_TYPES, vocabulary.TYPE_HINTS)
    for name in ("many", "editable", "required"):
        checks.flag(name, entries, path)
    choices = _check_choices(checks, path, entries)
    if of is None:
        return None
    if of == "enum":
        _check_enum(checks, path, entries, choices)
    elif choices:
        checks.report.warn(join(path, "choices"), entries["choices"].value, f"has no meaning for {of}", "remove it")
    if of != "group":
        _check_editable(checks, path, entries)
    _check_default(checks, path, entries, of, choices)
    return of


def _check_default(checks: Checks, path: str, entries: Entries, of: str, choices: list[str] | None) -> None:
    many = checks.is_true("many", entries)
    if many and of not in vocabulary.MANY_TYPES:
        message = f"only for {', '.join(vocabulary.MANY_TYPES)}"
        checks.report.error(join(path, "many"), entries["many"].value, message, "remove it")
    elif "default" in entries:
        check_default(checks, join(path, "default"), entries["default"].value, of, many=many)
        if of == "enum" and choices:
            _check_enum_default(checks, path, entries, choices)


def _check_editable(checks: Checks, path: str, entries: Entries) -> None:
    if "editable" not in entries or checks.is_true("editable", entries):
        return
    node = entries["editable"].value
    value = checks.value(join(path, "editable"), node)
    if value is None:
        checks.report.warn(join(path, "editable"), node, "null means that it cannot be edited", "write true or false")
    if "default" not in entries and (value is None or value is False):
        message = "a field that cannot be edited needs a default"
        hint = "add default: null where the model version gives the value, else the value"
        checks.report.error(join(path, "editable"), node, message, hint)


def _check_choices(checks: Checks, path: str, entries: Entries) -> list[str] | None:
    """The choices; None where there are none, or not all are right."""
    if "choices" not in entries or checks.is_null("choices", entries, path):
        return None
    where, node = join(path, "choices"), entries["choices"].value
    if not isinstance(node, Sequence):
        checks.report.error(where, node, "should be a list of texts", "write it like [one, another]")
        return None
    texts = [checks.as_text(f"{where}[{index}]", item) for index, item in enumerate(node.items)]
    if len(texts) < vocabulary.FEWEST_CHOICES:
        checks.report.error(where, node, "fewer than two choices", "add one, or make it a string")
    choices = [text for text in texts if text is not None]
    return choices if len(choices) == len(texts) else None


def _check_enum(checks: Checks, path: str, entries: Entries, choices: list[str] | None) -> None:
    where = join(path, "choices")
    if "choices" not in entries or checks.is_null("choices", entries, path):
        node = entries["choices" if "choices" in entries else "type"].value
        checks.report.error(where, node, "an enum needs choices", "add choices, like [one, another]")
    elif choices is not None and len(set(choices)) < len(choices):
        checks.report.error(where, entries["choices"].value, "a choice is given twice", "remove one")


def _check_enum_default(checks: Checks, path: str, entries: Entries, choices: list[str]) -> None:
    node = entries["default"].value
    value = checks.value(join(path, "default"), node)
    if isinstance(value, str) and value not in choices:
        checks.report.error(
            join(path, "default"), node, "not one of the choices", did_you_mean(value, choices) or "correct it"
        )


_EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")
_TEXTS = ("string", "text", "enum")
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def check_default(checks: Checks, path: str, node: Node, of: str, *, many: bool) -> None:
    """A default against the type of its field; null passes everywhere, except inside a list."""
    value = checks.value(path, node)
    if value is None or value is UNREADABLE:
        return
    if not many:
        _check_value(checks, path, node, of)
    elif not isinstance(node, Sequence):
        checks.report.error(path, node, "should be a list, since many is true", "write it like [one, another]")
    else:
        for index, item in enumerate(node.items):
            _check_value(checks, f"{path}[{index}]", item, of)


def _check_value(checks: Checks, path: str, node: Node, of: str) -> None:
    if of not in vocabulary.VALUE_TYPES:
        checks.report.error(path, node, f"a field of type {of} has no default", "remove it, or write null")
    elif of == "dict":
        _check_dict(checks, path, node)
    elif of in _TEXTS:
        checks.as_text(path, node)
    else:
        value = checks.value(path, node)
        if value is not UNREADABLE:
            _check_plain(checks, path, node, of, value)


def _check_plain(checks: Checks, path: str, node: Node, of: str, value: Any) -> None:
    """A boolean or a number."""
    if of == "bool":
        if not isinstance(value, bool):
            checks.report.error(path, node, f"should be a boolean, not {described(value)}", "write true or false")
    elif not isinstance(value, int if of == "int" else (int, float)):
        word = "an integer" if of == "int" else "a number"
        found = described(value) if of == "float" or not isinstance(value, float) else "a number with a decimal point"
        checks.report.error(path, node, f"should be {word}, not {found}", _number_remedy(node, of, value))
    elif not _is_finite(value) and of == "float":
        checks.report.error(path, node, "should be finite", "write null, and let the worker choose")
    else:
        _warn_of_number(checks, path, node, value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def _number_remedy(node: Node, of: str, value: Any) -> str:
    if of == "int" and isinstance(value, float):
        return "write it without the point, or `type: float`"
    if isinstance(node, Scalar) and not node.plain:
        return "remove the quotes"
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        return "YAML needs a point and a sign, as in 1.0e-3"
    return "correct it, or correct the type"


def _warn_of_number(checks: Checks, path: str, node: Node, value: float) -> None:
    if isinstance(value, bool):
        checks.report.warn(path, node, "a boolean, which Arkindex takes for a number", "write a number")
    elif isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
        checks.report.warn(path, node, "beyond 64 bits, which arkworker refuses", "write a smaller number")
    elif isinstance(value, int) and isinstance(node, Scalar) and _surprises(node.text):
        checks.report.warn(path, node, f"YAML reads this as {value}", "write that")


def _surprises(text: str) -> bool:
    """Octal by a leading zero, or base 60 by a colon."""
    digits = text.lstrip("+-")
    return ":" in digits or (len(digits) > 1 and digits[0] == "0" and digits[1].isdigit())


def _check_dict(checks: Checks, path: str, node: Node) -> None:
    if not isinstance(node, Mapping):
        checks.report.error(path, node, "should be a mapping of texts", "write it like {name: text}")
        return
    for entry in node.entries:
        # As a key, `=` is text.
        key = "=" if entry.key.text == "=" else checks.value(path, entry.key)
        if not isinstance(key, str) and key is not UNREADABLE:
            checks.report.error(path, entry.key, f"a key should be text, not {described(key)}", text_remedy(key))
        checks.as_text(path, entry.value)
