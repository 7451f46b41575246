"""Values by the type of their option, read by pydantic.

Text of variables and flags goes through `TypeAdapter.validate_strings`. What a file or a payload holds has kinds of its
own, and is held against its type in pydantic's strict mode: a quoted number is text, a boolean is not an integer.
The result is what JSON can hold, and `Reference` where a secret will be; constraints and validators of the author come
later, when everything is validated at once.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
import math
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

import pydantic
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from pydantic_settings import NoDecode

from arkworker.documents.nodes import Mapping, Scalar, Sequence, YamlError
from arkworker.options.configuration import BY_SETTINGS
from arkworker.options.options import accepts_null, alternatives, is_lenient, is_secret_type, parts_of
from arkworker.options.secret import BY_REFERENCE, content_type
from arkworker.settings.kinds import is_list, is_mapping, is_untyped, items_with_types

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arkworker.documents.nodes import Node

Steps = tuple[Any, ...]

_TRUE, _FALSE, _NULL = frozenset({"true", "yes", "on"}), frozenset({"false", "no", "off"}), frozenset({"", "~", "null"})
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 100  # characters; a longer one fits no type, and takes time to read
_QUOTED = re.compile(r"\"[^\"\\]*\"|'[^']*'")  # text that says itself that it is text, where no type does
#: pydantic reads digits alone as seconds since 1970.
_MOMENTS: tuple[Any, ...] = (
    dt.date,
    dt.datetime,
    dt.time,
    pydantic.PastDate,
    pydantic.FutureDate,
    pydantic.PastDatetime,
)
_MOMENTS += (pydantic.FutureDatetime, pydantic.AwareDatetime, pydantic.NaiveDatetime)
#: What pydantic says of the kind of a value; all else it says is for validation to say.
_OF_KIND = (
    *("_type", "_parsing", "literal_error", "enum", "extra_forbidden", "secret_reference", "none_required"),
    *("union_tag_invalid", "union_tag_not_found", "unreadable"),
)


@dataclass(frozen=True, slots=True)
class Reference:
    """What stands for a secret until it is loaded.

    Attributes:
        value: The name of a secret, `file:PATH` or `env:NAME`; a Community instance sends the content itself.
        annotation: The type of the content.
    """

    value: Any = field(repr=False)
    annotation: Any


@dataclass(frozen=True, slots=True)
class Refused:
    """A value that its type does not take.

    Attributes:
        value: As it was given.
        lines: What is wrong, as pydantic's `ValidationError.errors()`; each may have a `hint`, and a `place`.
    """

    value: Any = field(repr=False)
    lines: tuple[dict[str, Any], ...] = field(repr=False)

    @classmethod
    def because(
        cls, message: str, hint: str = "", *, value: Any = None, steps: Steps = (), place: tuple[int, int] | None = None
    ) -> Refused:
        """A refusal in our own words."""
        line = {"type": "unreadable", "loc": steps, "msg": message, "hint": hint, "place": place}
        return cls(value, (line,))


def read_text(text: str, annotation: Any) -> Any:  # noqa: PLR0911 - one for each form of text
    """A variable's or a flag's text: a list is `[a, b]` or `a,b`, a mapping `{k: v}` or `k=v,k2=v2`.

    Where the option has no type, `"010"` in quotes is text. What pydantic cannot read stays text: validation says why.
    """
    if not _is_unicode(text):
        return Refused.because("not valid Unicode text", "write it as UTF-8", value=text)
    members = alternatives(annotation)
    if any(map(is_secret_type, members)):
        return _reference(text, members) if text else _not_a_reference(text)
    if any(mark is NoDecode for mark in getattr(annotation, "__metadata__", ())):
        return text
    wants_list, wants_mapping = any(map(is_list, members)), any(map(is_mapping, members))
    if (wants_list or wants_mapping or Any in members) and text.lstrip()[:1] in ("[", "{"):
        return _read_document(text, annotation)
    if Any in members:
        return text[1:-1] if _QUOTED.fullmatch(text) else read_node(Scalar(text, plain=True, line=0, column=0), Any)
    if str not in members and (wants_list or wants_mapping):
        parts = [part.strip() for part in text.split(",")] if text else []
        return _held_as_text(parts, annotation) if wants_list else _read_pairs(text, parts, annotation)
    value = _read_scalar(text, members, nullable=accepts_null(annotation))
    return text if isinstance(value, Refused) and is_lenient(annotation) else value


def _read_document(text: str, annotation: Any) -> Any:
    from arkworker.documents.yaml import parse_yaml

    try:
        node = parse_yaml(text)
    except YamlError as error:
        return Refused.because(error.message, error.hint, value=text)
    return text if node is None else read_node(node, annotation)


def _read_pairs(text: str, parts: list[str], annotation: Any) -> Any:
    pairs = [part.partition("=") for part in parts]
    if not all(equals for _, equals, _ in pairs):
        return _held_against(text, annotation, {})
    values = {key.strip(): value.strip() for key, _, value in pairs}
    if len(values) < len(pairs):
        return Refused.because("a key is given twice", "remove one of the two", value=text)
    return _held_as_text(values, annotation)


def _held_as_text(value: Any, annotation: Any) -> Any:
    """A list or a mapping of texts, each of which may be a number or a switch."""
    return _held_against(value, annotation, {steps: _as_yaml(text) for steps, text in _texts_in(value, ())})


def _read_scalar(text: str, members: tuple[Any, ...], *, nullable: bool) -> Any:
    if nullable and text.lower() == "null" and str not in members:
        return None
    if any(member in _MOMENTS for member in members):
        return _held_against(text, Union[members], {})  # noqa: UP007 - made at run time
    choices = choices_of(members)
    try:
        value: Any = _adapter(Union[members]).validate_strings(text)  # noqa: UP007 - made at run time
    except ValidationError as error:
        lines = tuple(map(dict, error.errors(include_url=False, include_input=False)))
        return next((choice for choice in choices if str(choice) == text), Refused(text, lines))
    except Exception:  # noqa: BLE001 - of a type of the author
        return text
    value = value.value if isinstance(value, enum.Enum) else value
    if not (type(value) in (bool, int, float) and math.isfinite(value)):
        return text
    mistakes = tuple(_mistakes_in(value, Union[members], ()))  # noqa: UP007 - made at run time
    return Refused(text, mistakes) if mistakes else value


def read_node(node: Node, annotation: Any) -> Any:
    """A value of a file.

    A plain scalar is what its type takes of what it may be by YAML, and text where text is asked for; without a type,
    YAML 1.1 says what it is.
    """
    types = list(parts_of(annotation))
    has_no_type, prefers_text = any(map(is_untyped, types)), Decimal in types
    others: dict[Steps, Any] = {}
    mistakes: list[dict[str, Any]] = []

    def plain(node: Node, steps: Steps) -> Any:
        if isinstance(node, Sequence):
            return [plain(item, (*steps, index)) for index, item in enumerate(node.items)]
        if isinstance(node, Mapping):
            return {entry.key.text: plain(entry.value, (*steps, entry.key.text)) for entry in node.entries}
        try:
            value = _resolved(node) if has_no_type or node.tag else _as_yaml(node.text) if node.plain else node.text
        except YamlError as error:
            place = (error.line, error.column)
            mistakes.extend(Refused.because(error.message, error.hint, steps=steps, place=place).lines)
            return None
        if node.plain and not isinstance(value, str):
            others[steps] = node.text
            if prefers_text and value is not None:
                value, others[steps] = node.text, value
        return value

    value = plain(node, ())
    return Refused(value, tuple(mistakes)) if mistakes else _held_against(value, annotation, others, in_file=True)


def _resolved(node: Scalar) -> Any:
    from arkworker.documents.scalars import resolve_scalar

    return resolve_scalar(node)


def read_data(value: Any, annotation: Any) -> Any:
    """A value of a payload: typed, but for the values of a `dict`, which Arkindex keeps as text."""
    if isinstance(value, dict) and not is_lenient(annotation):
        return _held_as_text(value, annotation)
    return _held_against(value, annotation, {})


def _as_yaml(text: str) -> Any:
    """What a plain text is where its type asks for it: no octal, no sexagesimal numbers, no underscores."""
    lowered = text.lower()
    if lowered in _TRUE or lowered in _FALSE:
        return lowered in _TRUE
    if lowered in _NULL:
        return None
    if len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text):
        number = int(text) if _INTEGER.fullmatch(text) else float(text)
        is_octal = text.lstrip("+-")[:1] == "0" and text.lstrip("+-").isdigit() and not _INTEGER.fullmatch(text)
        return number if math.isfinite(number) and not is_octal else text
    return text


def _held_against(value: Any, annotation: Any, others: dict[Steps, Any], *, in_file: bool = False) -> Any:
    """The value, if its type takes it in pydantic's strict mode; a scalar may be something else instead."""
    members = alternatives(annotation)
    is_taken = (type(value) in members and type(value) is not int) or (value is None and accepts_null(annotation))
    lines = () if is_taken or is_lenient(annotation) else _refusals(value, annotation)
    for _ in range(4):  # members of a union take turns
        changed = _instead(value, lines, others)
        if changed is value:
            break
        value, lines = changed, _refusals(changed, annotation)
    if not any(line["type"].endswith(_OF_KIND) for line in lines):
        lines = tuple(_mistakes_in(value, annotation, ()))
    if lines:
        return Refused(value, tuple(_with_hint(line, value, in_file=in_file) for line in lines))
    return refer(value, annotation)


def _refusals(value: Any, annotation: Any) -> tuple[dict[str, Any], ...]:
    """What pydantic's strict mode for JSON says against a value."""
    members = alternatives(annotation)
    choices = choices_of(members)
    if isinstance(value, bool | int) and choices and not {bool, int, float, Any} & set(members):
        value = value if value in [one for one in choices if isinstance(one, bool) == isinstance(value, bool)] else ()
    elif isinstance(value, str) and _NUMBER.fullmatch(value[:_LONGEST_NUMBER]) and str not in members:
        value = next((() for member in members if member in _MOMENTS), value)
    token = BY_SETTINGS.set(True)
    try:
        _adapter(annotation).validate_json(to_json(value), strict=True, context={BY_REFERENCE: True})
    except ValidationError as error:
        return tuple(map(dict, error.errors(include_url=False, include_input=False)))
    except Exception:  # noqa: BLE001 - a validator of the author, which will speak again
        return ()
    finally:
        BY_SETTINGS.reset(token)
    return ()


def choices_of(members: tuple[Any, ...]) -> list[Any]:
    """The values of `Literal` and of enumerations, as JSON has them."""
    literals = [value for member in members if get_origin(member) is Literal for value in get_args(member)]
    enums = [member for member in members if isinstance(member, type) and issubclass(member, enum.Enum)]
    return [*literals, *(item.value for kind in enums for item in kind)]


@functools.lru_cache(maxsize=512)
def _cached_adapter(annotation: Any, written: str) -> TypeAdapter[Any]:
    del written  # unions are equal in whatever order their members stand
    return TypeAdapter(annotation)


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        return _cached_adapter(annotation, repr(annotation))
    except TypeError:  # what stands in `Annotated` need not be hashable
        return TypeAdapter(annotation)


def _instead(value: Any, lines: tuple[dict[str, Any], ...], others: dict[Steps, Any]) -> Any:
    """The value with other readings of those scalars that do not fit."""
    swaps: dict[Steps, Any] = {}
    places = [(line, steps_of(line["loc"], value)) for line in lines]
    sound = {steps for line, steps in places if not line["type"].endswith(_OF_KIND)}
    for line, steps in places:
        if steps in sound or steps in swaps or line["type"] == "unreadable":
            continue
        current = _at(value, steps)
        other = others.get(steps)
        is_whole = isinstance(current, float) and current.is_integer() and _fits(current) and line["type"] == "int_type"
        if is_whole and not (isinstance(other, str) and "e" in other.lower()):
            swaps[steps] = int(current)
        elif steps in others and other != current and not (current is None and line["type"] == "string_type"):
            is_moment = line["type"].startswith(("date", "time_")) and isinstance(current, int | float)
            if not is_moment and not (current is None and line["type"] not in ("literal_error", "enum")):
                swaps[steps] = other
    return _replaced(value, swaps, ()) if swaps else value


def _replaced(value: Any, swaps: dict[Steps, Any], steps: Steps) -> Any:
    if steps in swaps:
        return swaps[steps]
    if isinstance(value, list):
        return [_replaced(item, swaps, (*steps, index)) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: _replaced(item, swaps, (*steps, key)) for key, item in value.items()}
    return value


def steps_of(location: Steps, value: Any) -> Steps:
    """Pydantic's path inside a value, without the names of types that it holds besides: members of unions."""
    steps: list[Any] = []
    for part in location:
        if (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int) and part < len(value)
        ):
            value = value[part]
            steps.append(part)
    return tuple(steps)


def _at(value: Any, steps: Steps) -> Any:
    for step in steps:
        value = value[step]
    return value


def _with_hint(line: dict[str, Any], value: Any, *, in_file: bool) -> dict[str, Any]:
    if "hint" in line:
        return line
    found = _at(value, steps_of(line["loc"], value))
    hint = ""
    if line["type"] == "secret_reference":
        hint = _SECRET_HINT
    elif in_file and found is None:
        rest = "put text in quotes" if line["type"] == "string_type" else "give it a value, or leave the line out"
        hint = f"an empty value is null; {rest}"
    elif line["type"] in _NUMBERS and isinstance(found, str) and _is_infinite(found):
        return line | {"type": "finite_number", "msg": "Input should be a finite number", "hint": ""}
    elif in_file and isinstance(found, str):
        hint = "write a number, without quotes" if line["type"] in _NUMBERS[:4] else ""
        hint = "write true or false, without quotes" if line["type"] == "bool_type" else hint
    return line | {"hint": hint}


_NUMBERS = ("int_type", "float_type", "int_parsing", "float_parsing", "decimal_type", "decimal_parsing")


def _is_infinite(text: str) -> bool:
    """Whether a text is a number that is not finite, as YAML (`-.inf`) or Python (`1e400`) writes it."""
    try:
        return not math.isfinite(float(text.replace(".", "", 1) if text[-1:].isalpha() else text))
    except ValueError:
        return False


_SECRET_HINT = "write the name of the secret, file:PATH or env:NAME"  # noqa: S105 - no secret


def _not_a_reference(value: Any) -> Refused:
    return Refused.because("a secret is given by reference", _SECRET_HINT, value=value)


def _reference(value: Any, members: tuple[Any, ...]) -> Reference:
    secret = next(member for member in members if is_secret_type(member))
    return Reference(value, content_type(secret))


def refer(value: Any, annotation: Any) -> Any:
    """The value with references where its type has secrets; in lists, mappings and models, too."""
    members = alternatives(annotation)
    if isinstance(value, str) and value and any(map(is_secret_type, members)):
        return _reference(value, members)
    inner = {step: refer(item, kind) for step, item, kind in items_with_types(value, members)}
    return list(inner.values()) if isinstance(value, list) else inner if isinstance(value, dict) else value


def _mistakes_in(value: Any, annotation: Any, steps: Steps) -> Iterator[dict[str, Any]]:
    """What JSON should not hold: numbers that are not finite, text that is not Unicode, integers beyond 64 bits."""
    members = alternatives(annotation)
    for step, item, kind in items_with_types(value, members):
        yield from _mistakes_in(step, Any, (*steps, step))
        yield from _mistakes_in(item, kind, (*steps, step))
    if isinstance(value, float) and not math.isfinite(value):
        yield from Refused.because("numbers must be finite", steps=steps).lines
    elif isinstance(value, int) and not _fits(value):
        is_whole = any(member is int or is_untyped(member) or get_origin(member) is Literal for member in members)
        if is_whole and not {float, Decimal} & set(members):
            yield from Refused.because("this number does not fit into 64 bits", steps=steps).lines
    elif isinstance(value, str) and not _is_unicode(value):
        yield from Refused.because("not valid Unicode text", "write it as UTF-8", steps=steps).lines


def _texts_in(value: Any, steps: Steps) -> Iterator[tuple[Steps, str]]:
    if isinstance(value, str):
        yield steps, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in inner:
        yield from _texts_in(item, (*steps, step))


def _fits(number: float) -> bool:
    return -(2**63) <= number < 2**63


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
