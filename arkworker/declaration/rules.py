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
from arkworker.declaration.checks import UNREADABLE, Place, Report, described, join, text_remedy
from arkworker.documents.nodes import Mapping, Scalar, Sequence
from arkworker.documents.yaml import read_yaml
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from arkworker.declaration.checks import Fields
    from arkworker.documents.nodes import Node
    from arkworker.documents.text_file import TextFile
    from arkworker.errors import Problem


#: Fields of one kind like to share their keys through `<<: *common`; what that expands to stays bounded.
MOST_ALIASES = 500
_START = f"write {', '.join(vocabulary.WORKER.required)}, one a line"


def validate(file: TextFile) -> list[Problem]:
    """All problems of a declaration file, in order of place; none when Arkindex takes it."""
    return examine(file).problems


def examine(file: TextFile) -> Report:
    """All problems, and warnings about what Arkindex accepts but hardly as it was meant."""
    report = Report(file)
    root, errors = read_yaml(file.text, most_aliases=MOST_ALIASES, json_pairs=False)
    for error in errors:
        report.unreadable(error)
    if root is not None:
        report.shows_lines = not _may_hold_secrets(root)
        _check_worker(Place(report, "", root))
    elif not errors:
        report.error("", Scalar("", True, 1, 1), "an empty file", _START)
    return report.finished()


def _check_worker(root: Place) -> None:
    worker = root.fields("a declaration is a mapping", _START)
    if worker is None:
        return
    if "workers" in worker and not any(name in worker for name in vocabulary.WORKER.required):
        worker["workers"].error(
            "the former format, .arkindex.yml, which Arkindex no longer reads", vocabulary.WORKER.hints["workers"]
        )
        return
    worker.check_keys(vocabulary.WORKER)
    _check_slug(worker)
    for name in ("display_name", "type"):
        worker.name(name, longest=vocabulary.LONGEST_NAME)
    worker.name("description")
    for name in ("gpu_usage", "model_usage"):
        if usage := worker.given(name):
            _check_usage(usage)
    if docker := worker.given("docker"):
        _check_docker(docker)
    if configuration := worker.given("configuration"):
        FieldRules().check(configuration, parent="")


def _check_slug(worker: Fields) -> None:
    text = worker.text("slug")
    if text is None:
        return
    if not vocabulary.SLUG.fullmatch(text):
        message = f"should be 1 to {vocabulary.LONGEST_NAME} letters without accents, digits, - and _"
        worker["slug"].error(message, "replace everything else with -")
    elif text.endswith("\n"):
        worker["slug"].warn("ends with a line break, which becomes part of it", "write it on one line")


def _check_usage(usage: Place) -> None:
    if isinstance(usage.value, bool):
        # YAML 1.1 has it that `off` and `no` are booleans, and the former format had them here.
        message = f"should be one of {', '.join(vocabulary.USAGES)}, not a boolean"
        usage.error(message, f"write {'supported or required' if usage.value else 'disabled'}")
    else:
        usage.one_of(vocabulary.USAGES, {})


def _check_docker(place: Place) -> None:
    docker = place.fields("should be a mapping", "write command: and shm_size: below it")
    if docker is None:
        return
    docker.check_keys(vocabulary.DOCKER)
    docker.text("command", nullable=True)
    if size := docker.given("shm_size"):
        _check_shm_size(size)


def _check_shm_size(size: Place) -> None:
    value = size.value
    if value is not UNREADABLE and not (isinstance(value, str) and vocabulary.SHM_SIZE.fullmatch(value)):
        message = "should be a size above zero with its unit in lower case: b, k, m or g"
        size.error(message, _shm_size_remedy(size.node))


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

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}

    def check(self, place: Place, parent: str | None) -> None:
        """A list of fields; `parent` is the key of the field that holds them, None where that is not text."""
        fields = place.items
        if fields is None:
            place.error("should be a list of fields", "begin each field with `- key: `")
        for field in fields or ():
            self._check_field(field, parent)

    def _check_field(self, place: Place, parent: str | None) -> None:
        field = place.fields("should be a mapping", "write key, display_name and type")
        if field is None:
            return
        field.path = _named(field)
        field.check_keys(vocabulary.FIELD)
        key = field.name("key", longest=vocabulary.LONGEST_FIELD_NAME)
        field.name("display_name", longest=vocabulary.LONGEST_FIELD_NAME)
        field.text("help_text", nullable=True)
        if key is not None and parent is not None:
            self._take_name(field["key"], f"{parent}.{key}" if parent else key)
        if _check_type(field) == "group":
            _check_group(field)
        if "children" in field:
            self.check(field["children"], key)

    def _take_name(self, key: Place, name: str) -> None:
        # Arkindex trims the dotted name as a whole, not its parts.
        name, line = name.strip(), key.node.line
        if name in self._lines:
            first = self._lines[name]
            key.error(
                "this field is listed twice" if first == line else f"this key is taken, on line {first}",
                "rename or remove one",
            )
        self._lines.setdefault(name, line)


def _named(field: Fields) -> str:
    """`configuration.threshold` for `configuration[0]`, where the field has a name to show."""
    key = field["key"].node if "key" in field else None
    if not isinstance(key, Scalar) or not key.text.strip():
        return field.path
    return join(field.path.rpartition("[")[0].removesuffix(".children"), printable(key.text.strip(), 60))


def _check_group(field: Fields) -> None:
    if field.is_true("required"):
        field["required"].error("a group cannot be required", "remove it")
    if "editable" in field and not field.is_true("editable"):
        field["editable"].error("a group is always editable", "remove it")
    children = field["children"].items if "children" in field else []
    if children == []:
        place = field["children" if "children" in field else "type"].node
        message = "a group holds one field or more"
        field.report.error(join(field.path, "children"), place, message, "add a list of fields")
    for child in children or ():
        of = _type_of(child.node)
        if isinstance(of, Scalar) and of.text == "group":
            field.report.error(field.path, of, "a group cannot hold a group", "move its fields up")


def _type_of(field: Node) -> Node | None:
    entries = field.entries if isinstance(field, Mapping) else ()
    return next((entry.value for entry in entries if entry.key.text == "type"), None)


def _check_type(field: Fields) -> str | None:
    """Check `type` and the keys whose meaning depends on it; returns the type, None where it is not one."""
    of = field["type"].one_of(vocabulary.FIELD_TYPES, vocabulary.TYPE_HINTS) if "type" in field else None
    for name in ("many", "editable", "required"):
        field.flag(name)
    choices = _check_choices(field)
    if of is None:
        return None
    if of == "enum":
        _check_enum(field, choices)
    elif choices:
        field["choices"].warn(f"has no meaning for {of}", "remove it")
    if of != "group":
        _check_editable(field)
    if field.is_true("many") and of not in vocabulary.MANY_TYPES:
        field["many"].error(f"only for {', '.join(vocabulary.MANY_TYPES)}", "remove it")
    elif "default" in field:
        _check_default(field["default"], of, choices, many=field.is_true("many"))
    return of


def _check_editable(field: Fields) -> None:
    if "editable" not in field or field.is_true("editable"):
        return
    editable = field["editable"]
    if editable.value is None:
        editable.warn("null means that it cannot be edited", "write true or false")
    if "default" not in field and (editable.value is None or editable.value is False):
        hint = "add default: null where the model version gives the value, else the value"
        editable.error("a field that cannot be edited needs a default", hint)


def _check_choices(field: Fields) -> list[str] | None:
    """The choices; None where there are none, or not all are right."""
    place = field.given("choices")
    if place is None:
        return None
    items = place.items
    if items is None:
        place.error("should be a list of texts", "write it like [one, another]")
        return None
    texts = [item.text() for item in items]
    if len(texts) < vocabulary.FEWEST_CHOICES:
        place.error("fewer than two choices", "add one, or make it a string")
    choices = [text for text in texts if text is not None]
    return choices if len(choices) == len(texts) else None


def _check_enum(field: Fields, choices: list[str] | None) -> None:
    if field.given("choices") is None:
        node = field["choices" if "choices" in field else "type"].node
        message, hint = "an enum needs choices", "add choices, like [one, another]"
        field.report.error(join(field.path, "choices"), node, message, hint)
    elif choices is not None and len(set(choices)) < len(choices):
        field["choices"].error("a choice is given twice", "remove one")


_EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")
_TEXTS = ("string", "text", "enum")
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def _check_default(default: Place, of: str, choices: list[str] | None, *, many: bool) -> None:
    """A default against the type of its field; null passes everywhere, except inside a list."""
    value = default.value
    if value is None or value is UNREADABLE:
        return
    if not many:
        _check_value(default, of)
    elif default.items is None:
        default.error("should be a list, since many is true", "write it like [one, another]")
    for item in default.items or () if many else ():
        _check_value(item, of)
    if of == "enum" and choices and isinstance(value, str) and value not in choices:
        default.error("not one of the choices", did_you_mean(value, choices) or "correct it")


def _check_value(place: Place, of: str) -> None:
    if of not in vocabulary.VALUE_TYPES:
        place.error(f"a field of type {of} has no default", "remove it, or write null")
    elif of == "dict":
        _check_dict(place)
    elif of in _TEXTS:
        place.text()
    elif place.value is not UNREADABLE:
        _check_plain(place, of, place.value)


def _check_plain(place: Place, of: str, value: Any) -> None:
    """A boolean or a number."""
    if of == "bool":
        if not isinstance(value, bool):
            place.error(f"should be a boolean, not {described(value)}", "write true or false")
    elif not isinstance(value, int if of == "int" else (int, float)):
        word = "an integer" if of == "int" else "a number"
        found = described(value) if of == "float" or not isinstance(value, float) else "a number with a decimal point"
        place.error(f"should be {word}, not {found}", _number_remedy(place.node, of, value))
    elif not _is_finite(value) and of == "float":
        place.error("should be finite", "write null, and let the worker choose")
    else:
        _warn_of_number(place, value)


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


def _warn_of_number(place: Place, value: float) -> None:
    if isinstance(value, bool):
        place.warn("a boolean, which Arkindex takes for a number", "write a number")
    elif isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
        place.warn("beyond 64 bits, which arkworker refuses", "write a smaller number")
    elif isinstance(value, int) and isinstance(place.node, Scalar) and _surprises(place.node.text):
        place.warn(f"YAML reads this as {value}", "write that")


def _surprises(text: str) -> bool:
    """Octal by a leading zero, or base 60 by a colon."""
    digits = text.lstrip("+-")
    return ":" in digits or (len(digits) > 1 and digits[0] == "0" and digits[1].isdigit())


def _check_dict(place: Place) -> None:
    if not isinstance(place.node, Mapping):
        place.error("should be a mapping of texts", "write it like {name: text}")
        return
    for entry in place.node.entries:
        # As a key, `=` is text.
        name = Place(place.report, place.path, entry.key)
        key = "=" if entry.key.text == "=" else name.value
        if not isinstance(key, str) and key is not UNREADABLE:
            name.error(f"a key should be text, not {described(key)}", text_remedy(key))
        Place(place.report, place.path, entry.value).text()
