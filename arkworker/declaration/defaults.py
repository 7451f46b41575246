"""The rules on the default of a field."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from arkworker.declaration import vocabulary
from arkworker.declaration.checks import UNREADABLE, described, text_remedy
from arkworker.documents.nodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from arkworker.declaration.checks import Checks
    from arkworker.documents.nodes import Node

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
        found = described(value) if of == "float" or not isinstance(value, float) else "a number with a point"
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
        return "YAML wants a point and a sign, as in 1.0e-3"
    return "correct it, or correct the type"


def _warn_of_number(checks: Checks, path: str, node: Node, value: float) -> None:
    if isinstance(value, bool):
        checks.report.warn(path, node, "a boolean, which Arkindex takes for a number", "write a number")
    elif isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
        checks.report.warn(path, node, "beyond 64 bits, which arkworker refuses", "write a smaller number")
    elif isinstance(value, int) and isinstance(node, Scalar) and _surprises(node.text):
        checks.report.warn(path, node, f"YAML reads this as {value}", "write it so")


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
