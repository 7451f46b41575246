"""Values by the type of their option: text from files, variables and flags, and plain data from payloads.

What cannot be read as its type is left as it is, for the strict validation that follows to refuse with its own words.
The result is what JSON can hold, and `Reference` where a secret will be.
"""

from __future__ import annotations

import collections.abc
import contextlib
import enum
import math
import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import BaseModel

from arkworker.options import accepts_null, alternatives, bare, is_secret_type, key_of
from arkworker.settings.yaml_nodes import Entry, Mapping, Scalar, Sequence, YamlError

if TYPE_CHECKING:
    from arkworker.settings.yaml_nodes import Node

INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.0*)?")
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
LONGEST_NUMBER = 100  # characters; a longer one fits no type, and takes time to read
SMALLEST, LARGEST = -(2**63), 2**63 - 1

_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Set, collections.abc.Collection)
_DICTS = (dict, collections.abc.Mapping)


class UnreadableError(Exception):
    """A value that no type could take; `line` and `column` are 0 where it has no place of its own."""

    def __init__(self, message: str, hint: str = "", line: int = 0, column: int = 0) -> None:
        self.message = message
        self.hint = hint
        self.line = line
        self.column = column
        super().__init__(message, hint, line, column)


@dataclass(frozen=True, slots=True)
class Reference:
    """What stands for a secret until it is loaded.

    Attributes:
        value: The name of a secret, `file:PATH` or `env:NAME`; the content itself where `is_content`.
        annotation: The type of the content.
        is_content: A Community instance sends the content in place of a reference.
    """

    value: Any = field(repr=False)
    annotation: Any
    is_content: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """How plain text is read.

    Attributes:
        true, false: The words for booleans, in lower case.
        null: The words for null, in lower case.
        null_text: Whether a null word is null for an option that takes text, too.
        strings_are_plain: Strings in data are text of any type; else they are text and nothing more.
    """

    true: frozenset[str]
    false: frozenset[str]
    null: frozenset[str]
    null_text: bool
    strings_are_plain: bool = False


#: YAML files: the words of YAML 1.1, as far as the type of the option asks for them.
FILE = Dialect(frozenset({"true", "yes", "on"}), frozenset({"false", "no", "off"}), frozenset({"", "~", "null"}), True)
#: Variables and flags hold nothing but text, so `1` and `0` are booleans where one is asked for.
TEXT = Dialect(FILE.true | {"1"}, FILE.false | {"0"}, frozenset({"null"}), null_text=False)
#: Payloads are typed; only the values of a `dict`, which Arkindex keeps as strings, are read by type.
PAYLOAD = Dialect(frozenset(), frozenset(), frozenset(), null_text=False)
PAYLOAD_DICT = replace(TEXT, strings_are_plain=True)


def read_text(text: str, annotation: Any) -> Any:
    """A variable's or a flag's text: a list is `[a, b]` or `a,b`, a mapping `{k: v}` or `k=v,k2=v2`.

    Raises:
        UnreadableError: The text is a list or mapping that cannot be parsed, or its values fit no type.
    """
    members = [get_origin(member) or member for member in alternatives(annotation)]
    if any(is_secret_type(member) for member in members):
        return read(Scalar(text, plain=True, line=0, column=0), annotation, TEXT)
    wants_list = any(member in _LISTS for member in members)
    wants_dict = any(member in _DICTS or _is_model(member) for member in members)
    if (wants_list or wants_dict or Any in members) and text.lstrip()[:1] in ("[", "{"):
        return read(_parse(text), annotation, FILE)
    if wants_dict and not wants_list and str not in members:
        return read(_pairs(text), annotation, TEXT)
    if wants_list and str not in members:
        return read(_items(text), annotation, TEXT)
    return read(Scalar(text, plain=True, line=0, column=0), annotation, TEXT)


def _parse(text: str) -> Any:
    from arkworker.settings.yaml_document import parse_yaml

    try:
        return parse_yaml(text)
    except YamlError as error:
        message, hint = error.message, error.hint
    raise UnreadableError(message, hint)


def _items(text: str) -> Sequence:
    parts = text.split(",") if text else []
    return Sequence(tuple(Scalar(part.strip(), plain=True, line=0, column=0) for part in parts), 0, 0)


def _pairs(text: str) -> Node:
    entries = []
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals:
            return Scalar(text, plain=False, line=0, column=0)
        entries.append(Entry(_plain(key.strip()), _plain(value.strip())))
    return Mapping(tuple(entries), 0, 0)


def _plain(text: str) -> Scalar:
    return Scalar(text, plain=True, line=0, column=0)


def read(value: Any, annotation: Any, dialect: Dialect) -> Any:
    """A node, or plain data, by the type of its option.

    Raises:
        UnreadableError: A number that is not finite or beyond 64 bits where no type refuses it, text that is not
            Unicode, a secret given otherwise than by reference.
    """
    annotation = bare(annotation)
    members = alternatives(annotation)
    secret = next((member for member in members if is_secret_type(member)), None)
    if _is_null(value, members, dialect, nullable=accepts_null(annotation)):
        return None
    if secret is not None:
        return _reference(value, secret)
    if isinstance(value, (Sequence, list)):
        return _read_list(value, members, dialect)
    if isinstance(value, (Mapping, dict)):
        return _read_mapping(value, members, dialect)
    if isinstance(value, Scalar):
        return _read_scalar(value, members, dialect)
    if isinstance(value, str) and dialect.strings_are_plain:
        return _read_scalar(_plain(value), members, dialect)
    return _read_data(value, members)


def _is_null(value: Any, members: tuple[Any, ...], dialect: Dialect, *, nullable: bool) -> bool:
    if not isinstance(value, Scalar):
        return value is None
    if value.tag == "null":
        return True
    if not value.plain or value.text.lower() not in dialect.null or _is_choice(value.text, members):
        return False
    takes_text = str in members
    return dialect.null_text or (nullable and not takes_text)


def _is_choice(text: str, members: tuple[Any, ...]) -> bool:
    return any(text in _choices(member) for member in members)


def _is_model(member: Any) -> bool:
    return isinstance(member, type) and issubclass(member, BaseModel)


def _reference(value: Any, annotation: Any) -> Reference:
    from arkworker.secret import content_type

    text = value.text if isinstance(value, Scalar) else value
    if not isinstance(text, str) or not text:
        line, column = getattr(value, "line", 0), getattr(value, "column", 0)
        raise UnreadableError(
            "a secret is given by reference", "write the name of the secret, file:PATH or env:NAME", line, column
        )
    return Reference(text, content_type(annotation))


def _read_list(value: Any, members: tuple[Any, ...], dialect: Dialect) -> list[Any]:
    items = value.items if isinstance(value, Sequence) else value
    kind = next((member for member in members if (get_origin(member) or member) in _LISTS), Any)
    types = get_args(kind)
    if get_origin(kind) is tuple and types[-1:] != (...,):
        padded = (*types, *(Any,) * max(0, len(items) - len(types)))
        return [read(item, of, dialect) for item, of in zip(items, padded, strict=False)]
    return [read(item, types[0] if types else Any, dialect) for item in items]


def _read_mapping(value: Any, members: tuple[Any, ...], dialect: Dialect) -> dict[str, Any]:
    pairs = {entry.key.text: entry.value for entry in value.entries} if isinstance(value, Mapping) else value
    models = [member for member in members if _is_model(member)]
    if len(models) == 1:
        known = {key_of(name, field): field.annotation for name, field in models[0].model_fields.items()}
        return {key: read(item, known.get(key, Any), dialect) for key, item in pairs.items()}
    kind = next((member for member in members if (get_origin(member) or member) in _DICTS), Any)
    types = get_args(kind)
    of = types[1] if len(types) > 1 else Any
    if dialect is PAYLOAD and of is not Any:
        dialect = PAYLOAD_DICT
    return {_checked_text(key): read(item, of, dialect) for key, item in pairs.items()}


def _read_scalar(scalar: Scalar, members: tuple[Any, ...], dialect: Dialect) -> Any:
    text = scalar.text
    _checked_text(text)
    if scalar.tag == "str" or (not scalar.plain and scalar.tag is None):
        return text
    if scalar.tag is not None or any(member in (Any, object) for member in members):
        return _resolve(scalar)
    for member in members:
        choice = _choice(text, member, dialect)
        if choice is not _NONE:
            return choice
    return text


def _resolve(scalar: Scalar) -> Any:
    """An untyped scalar, as YAML 1.1 reads it."""
    from arkworker.settings.yaml_scalars import resolve_scalar

    try:
        return resolve_scalar(scalar)
    except YamlError as error:
        message, hint, line, column = error.message, error.hint, error.line, error.column
    raise UnreadableError(message, hint, line, column)


_NONE = object()


def _choice(text: str, member: Any, dialect: Dialect) -> Any:
    """The text as one member of the option's type; `_NONE` where it is none."""
    origin = get_origin(member) or member
    if origin is bool:
        lowered = text.lower()
        return True if lowered in dialect.true else False if lowered in dialect.false else _NONE
    if origin is int:
        return _integer(text)
    if origin in (float, timedelta):
        return _number(text)
    choices = _choices(member)
    if choices:
        return next((choice for written, choice in choices.items() if written == text), _NONE)
    return text if origin is str else _NONE


def _choices(member: Any) -> dict[str, Any]:
    """What may be written for each value of a `Literal` or an `Enum`."""
    if get_origin(member) is Literal:
        values = list(get_args(member))
    elif isinstance(member, type) and issubclass(member, enum.Enum):
        values = [item.value for item in member]
    else:
        return {}
    values = [value.value if isinstance(value, enum.Enum) else value for value in values]
    written: dict[str, Any] = {}
    for value in values:
        if isinstance(value, bool):
            written |= {word: value for word in (("true", "yes", "on") if value else ("false", "no", "off"))}
        elif value is not None:
            written[str(value)] = value
    return written


def _integer(text: str) -> Any:
    if len(text) > LONGEST_NUMBER or not INTEGER.fullmatch(text):
        return _NONE
    number = int(text.split(".")[0])
    return number if SMALLEST <= number <= LARGEST else _NONE


def _number(text: str) -> Any:
    if len(text) > LONGEST_NUMBER or not NUMBER.fullmatch(text):
        return _NONE
    number = float(text)
    return number if math.isfinite(number) else _NONE


def _read_data(value: Any, members: tuple[Any, ...]) -> Any:
    """Plain data, with what JSON does not tell apart: 8.0 is 8 for an integer."""
    if isinstance(value, str):
        return _checked_text(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    if isinstance(value, float) and int in members and float not in members and value.is_integer():
        value = int(value)
    typed = not any(member in (Any, object) for member in members)
    if isinstance(value, float):
        return _finite(value)
    if SMALLEST <= value <= LARGEST or (typed and float in members):
        return value
    raise UnreadableError("this number does not fit 64 bits")


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise UnreadableError("numbers must be finite")
    return value


def _checked_text(text: Any) -> Any:
    if isinstance(text, str):
        with contextlib.suppress(UnicodeEncodeError):
            text.encode()
            return text
        raise UnreadableError("not valid Unicode text", "write it as UTF-8")
    return text
