"""The rules on a field that depend on its type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arkworker.declaration import vocabulary
from arkworker.declaration.defaults import check_default
from arkworker.declaration.report import join
from arkworker.documents.nodes import Sequence
from arkworker.text import did_you_mean

if TYPE_CHECKING:
    from arkworker.declaration.checks import Checks, Entries


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
        checks.report.warn(join(path, "choices"), entries["choices"].value, f"means nothing for {of}", "remove it")
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
            join(path, "default"), node, "none of the choices", did_you_mean(value, choices) or "correct it"
        )
