"""Values by the type of their option: text from files, variables and flags, and plain data from payloads.

What cannot be read as its type is left as it is, for the strict validation that follows to refuse with its own words.
The result is what JSON can hold, and `Reference` where a secret will be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from arkworker.options import accepts_null, alternatives, bare, is_secret_type
from arkworker.secret import content_type
from arkworker.settings.dialects import FILE, PAYLOAD, PAYLOAD_DICT, TEXT, Dialect
from arkworker.settings.inner_types import is_list, is_mapping, item_types, value_types
from arkworker.settings.scalars import checked_data, checked_text, choices_of, text_as
from arkworker.settings.unreadable import UnreadableError
from arkworker.settings.yaml_nodes import Entry, Mapping, Scalar, Sequence, YamlError

if TYPE_CHECKING:
    from arkworker.settings.yaml_nodes import Node

#: Text that says itself that it is text, where no type does.
_QUOTED = re.compile(r"\"[^\"\\]*\"|'[^']*'")


@dataclass(frozen=True, slots=True)
class Reference:
    """What stands for a secret until it is loaded.

    Attributes:
        value: The name of a secret, `file:PATH` or `env:NAME`; a Community instance sends the content itself.
        annotation: The type of the content.
    """

    value: Any = field(repr=False)
    annotation: Any


def read_text(text: str, annotation: Any) -> Any:
    """A variable's or a flag's text: a list is `[a, b]` or `a,b`, a mapping `{k: v}` or `k=v,k2=v2`.

    Where the option has no type, `"010"` in quotes is text.

    Raises:
        UnreadableError: The text is a list or mapping that cannot be parsed, or its values fit no type.
    """
    members = alternatives(annotation)
    node: Node = _plain(text)
    if not any(map(is_secret_type, members)):
        wants_list, wants_mapping = any(map(is_list, members)), any(map(is_mapping, members))
        if (wants_list or wants_mapping or Any in members) and text.lstrip()[:1] in ("[", "{"):
            return read(_parse(text), annotation, FILE)
        if Any in members and _QUOTED.fullmatch(text):
            return text[1:-1]
        if str not in members and wants_list:
            node = _items(text)
        elif str not in members and wants_mapping:
            node = _pairs(text)
    return read(node, annotation, TEXT)


def _parse(text: str) -> Any:
    from arkworker.settings.yaml_document import parse_yaml

    try:
        return parse_yaml(text)
    except YamlError as error:
        message, hint = error.message, error.hint
    raise UnreadableError(message, hint)


def _items(text: str) -> Sequence:
    return Sequence(tuple(_plain(part.strip()) for part in text.split(",")) if text else (), 0, 0)


def _pairs(text: str) -> Node:
    entries = []
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals:
            return Scalar(text, plain=False, line=0, column=0)
        entries.append(Entry(_plain(key.strip()), _plain(value.strip())))
    if len({entry.key.text for entry in entries}) < len(entries):
        raise UnreadableError("a key is given twice", "remove one of the two")
    return Mapping(tuple(entries), 0, 0)


def _plain(text: str) -> Scalar:
    return Scalar(text, plain=True, line=0, column=0)


def read(value: Any, annotation: Any, dialect: Dialect) -> Any:
    """A node, or plain data, by the type of its option.

    Raises:
        UnreadableError: A number that is not finite or beyond 64 bits where no type refuses it, text that is not
            Unicode, a secret given otherwise than by reference, a date that is none.
    """
    members = alternatives(annotation)
    secret = next(filter(is_secret_type, members), None)
    if _is_null(value, members, dialect, nullable=accepts_null(annotation)):
        return None
    if secret is not None:
        return _reference(value, secret)
    if isinstance(value, (Sequence, list)):
        items = value.items if isinstance(value, Sequence) else value
        return [read(item, of, dialect) for item, of in zip(items, item_types(members, len(items)), strict=True)]
    if isinstance(value, (Mapping, dict)):
        return _read_mapping(value, members, dialect)
    return _read_single(value, members, dialect)


def _is_null(value: Any, members: tuple[Any, ...], dialect: Dialect, *, nullable: bool) -> bool:
    if not isinstance(value, Scalar):
        return value is None
    if value.tag == "null":
        return True
    is_choice = any(value.text in choices_of(member) for member in members)
    if not value.plain or value.text.lower() not in dialect.null or is_choice:
        return False
    return dialect.null_text or (nullable and str not in members)


def _reference(value: Any, annotation: Any) -> Reference:
    text = value.text if isinstance(value, Scalar) else value
    if isinstance(text, str) and text:
        return Reference(checked_text(text), content_type(bare(annotation)))
    hint = "write the name of the secret, file:PATH or env:NAME"
    place = getattr(value, "line", 0), getattr(value, "column", 0)
    raise UnreadableError("a secret is given by reference", hint, *place)


def _read_mapping(value: Any, members: tuple[Any, ...], dialect: Dialect) -> dict[str, Any]:
    pairs = {entry.key.text: entry.value for entry in value.entries} if isinstance(value, Mapping) else value
    named, others = value_types(members)
    if dialect is PAYLOAD and not named and others is not Any:
        dialect = PAYLOAD_DICT
    return {checked_text(key): read(item, named.get(key, others), dialect) for key, item in pairs.items()}


def _read_single(value: Any, members: tuple[Any, ...], dialect: Dialect) -> Any:
    scalar = _plain(value) if isinstance(value, str) and dialect.strings_are_plain else value
    if not isinstance(scalar, Scalar):
        return checked_data(value, members)
    try:
        return _read_scalar(scalar, members, dialect)
    except UnreadableError as error:
        error.line, error.column = error.line or scalar.line, error.column or scalar.column
        raise


def _read_scalar(scalar: Scalar, members: tuple[Any, ...], dialect: Dialect) -> Any:
    text: str = checked_text(scalar.text)
    if scalar.tag == "str" or (not scalar.plain and scalar.tag is None):
        return checked_data(text, members)
    if scalar.tag is not None or any(member in (Any, object) for member in members):
        return checked_data(_resolve(scalar), members)
    return text_as(text, members, dialect)


def _resolve(scalar: Scalar) -> Any:
    """An untyped scalar, as YAML 1.1 reads it."""
    from arkworker.settings.yaml_scalars import resolve_scalar

    try:
        return resolve_scalar(scalar)
    except YamlError as error:
        message, hint, line, column = error.message, error.hint, error.line, error.column
    raise UnreadableError(message, hint, line, column)
