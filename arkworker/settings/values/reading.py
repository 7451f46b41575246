"""Values by the type of their option: text from files, variables and flags, and plain data from payloads.

The result is what JSON can hold, of the kinds that the type declares, and `Reference` where a secret will be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from arkworker.documents.nodes import Entry, Mapping, Scalar, Sequence, YamlError
from arkworker.options.options import accepts_null, alternatives, bare, is_lenient, is_secret_type
from arkworker.options.secret import content_type
from arkworker.settings.values.dialects import FILE, PAYLOAD, PAYLOAD_DICT, TEXT, Dialect
from arkworker.settings.values.inner_types import has_only_fields, is_list, is_mapping, item_types, value_types
from arkworker.settings.values.kinds import expectation, takes_anything
from arkworker.settings.values.scalars import checked, checked_text, choices_of, text_as
from arkworker.settings.values.unreadable import UnknownKeyError, UnreadableError
from arkworker.text import MOST_SUGGESTIONS, did_you_mean

if TYPE_CHECKING:
    from arkworker.documents.nodes import Node

#: Text that says itself that it is text, where no type does.
_QUOTED = re.compile(r"\"[^\"\\]*\"|'[^']*'")

Steps = tuple[str, ...]


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
    from arkworker.documents.yaml import parse_yaml

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
        UnreadableError: Something in it is of another kind than its type, a number that is not finite or beyond 64
            bits, text that is not Unicode, a secret given otherwise than by reference; it carries all that is wrong.
    """
    reader = _Reader(dialect)
    read_value = reader.read(value, annotation, ())
    if reader.errors:
        first = reader.errors[0]
        first.errors = tuple(reader.errors)
        raise first
    return read_value


class _Reader:
    """Reads one value, and goes on after what it cannot read."""

    def __init__(self, dialect: Dialect, errors: list[UnreadableError] | None = None) -> None:
        self.dialect = dialect
        self.errors = [] if errors is None else errors

    def read(self, value: Any, annotation: Any, steps: Steps) -> Any:
        members = alternatives(annotation)
        try:
            if _is_null(value, members, self.dialect, nullable=accepts_null(annotation)):
                return self._null(annotation, members)
            secret = next(filter(is_secret_type, members), None)
            if secret is not None:
                return _reference(value, secret)
            if isinstance(value, (Sequence, list)):
                return self._list(value, members, steps, lenient=is_lenient(annotation))
            if isinstance(value, (Mapping, dict)):
                return self._mapping(value, members, steps, lenient=is_lenient(annotation))
            return self._single(value, members, lenient=is_lenient(annotation))
        except UnreadableError as error:
            error.steps = steps
            error.line = error.line or getattr(value, "line", 0)
            error.column = error.column or getattr(value, "column", 0)
            self.errors.append(error)
        return None

    def _null(self, annotation: Any, members: tuple[Any, ...]) -> None:
        if not accepts_null(annotation) and not is_lenient(annotation) and not any(map(takes_anything, members)):
            remedy = "put text in quotes" if str in members else "give it a value, or leave the line out"
            hint = f"an empty value is null; {remedy}" if self.dialect is FILE else ""
            raise UnreadableError(expectation(members), hint)

    def _list(self, value: Any, members: tuple[Any, ...], steps: Steps, *, lenient: bool) -> list[Any]:
        items = value.items if isinstance(value, Sequence) else value
        if not lenient and not any(is_list(member) or takes_anything(member) for member in members):
            raise UnreadableError(expectation(members))
        types = item_types(members, len(items))
        return [
            self.read(item, of, (*steps, str(index))) for index, (item, of) in enumerate(zip(items, types, strict=True))
        ]

    def _mapping(self, value: Any, members: tuple[Any, ...], steps: Steps, *, lenient: bool) -> dict[str, Any]:
        if not lenient and not any(is_mapping(member) or takes_anything(member) for member in members):
            raise UnreadableError(expectation(members))
        entries = _entries_of(value)
        named, others = value_types(members)
        reader = self
        if self.dialect is PAYLOAD and not named and others is not Any:
            reader = _Reader(PAYLOAD_DICT, self.errors)
        if self.dialect.refuses_unknown and has_only_fields(members) and not lenient:
            self._refuse_unknown([key for key in entries if key not in named], list(named), value, steps)
        return {
            checked_text(key): reader.read(item, named.get(key, others), (*steps, key)) for key, item in entries.items()
        }

    def _refuse_unknown(self, unknown: list[str], known: list[str], value: Any, steps: Steps) -> None:
        places = {entry.key.text: entry.key for entry in value.entries} if isinstance(value, Mapping) else {}
        for number, key in enumerate(unknown):
            nearest = did_you_mean(key, known) if number < MOST_SUGGESTIONS else ""
            message = f"unknown option; {nearest}" if nearest else "unknown option"
            place = (places[key].line, places[key].column) if key in places else (0, 0)
            self.errors.append(UnknownKeyError(message, "", *place, (*steps, key)))

    def _single(self, value: Any, members: tuple[Any, ...], *, lenient: bool) -> Any:
        if isinstance(value, str) and self.dialect.strings_are_plain:
            value = _plain(value)
        data = self._scalar(value, members) if isinstance(value, Scalar) else value
        try:
            return checked(data, members, lenient=lenient)
        except UnreadableError as error:
            if self.dialect is FILE and isinstance(data, str):
                error.hint = error.hint or _hint(members)
            raise

    def _scalar(self, scalar: Scalar, members: tuple[Any, ...]) -> Any:
        text = checked_text(scalar.text)
        if scalar.tag == "str" or (not scalar.plain and scalar.tag is None):
            return text
        if scalar.tag is not None or any(member in (Any, object) for member in members):
            return _resolve(scalar)
        return text_as(text, members, self.dialect)


def _hint(members: tuple[Any, ...]) -> str:
    if int in members or float in members:
        return "write a number, without quotes"
    return "write true or false, without quotes" if bool in members else ""


def _entries_of(value: Any) -> dict[str, Any]:
    return {entry.key.text: entry.value for entry in value.entries} if isinstance(value, Mapping) else value


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
    raise UnreadableError("a secret is given by reference", "write the name of the secret, file:PATH or env:NAME")


def _resolve(scalar: Scalar) -> Any:
    """An untyped scalar, as YAML 1.1 reads it."""
    from arkworker.documents.scalars import resolve_scalar

    try:
        return resolve_scalar(scalar)
    except YamlError as error:
        message, hint, line, column = error.message, error.hint, error.line, error.column
    raise UnreadableError(message, hint, line, column)
