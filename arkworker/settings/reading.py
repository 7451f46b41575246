"""Values by the type of their option, read by pydantic.

Text of variables and flags goes through `TypeAdapter.validate_strings`. What a file or a payload holds has kinds of its
own, and is held against its type in pydantic's strict mode: a quoted number is text, a boolean is not an integer. A
scalar without quotes may be two things: where pydantic refuses the first, it is the second.

The result is what JSON can hold, and `Reference` where a secret will be; constraints and validators of the author come
later, when everything is validated at once.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import re
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

import pydantic
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from pydantic_settings import NoDecode

from arkworker.documents.nodes import TOO_LARGE, Scalar, YamlError, fits_64_bits, plain, resolve_core, resolve_scalar
from arkworker.options.configuration import BY_SETTINGS
from arkworker.options.options import (
    accepts_null,
    alternatives,
    bare,
    choices_of,
    holds_secret,
    is_lenient,
    is_list,
    is_mapping,
    is_secret_type,
    is_untyped,
    parts_of,
)
from arkworker.options.secret import BY_REFERENCE, FINDING, content_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from arkworker.documents.nodes import Node

Steps = tuple[Any, ...]
Line = dict[str, Any]

_QUOTED = re.compile(r"\"[^\"\\]*\"|'[^']*'")  # text that says itself that it is text, where no type does
_DIGITS = re.compile(r"[-+]?[0-9]*\.?[0-9]*")
_MOMENTS: tuple[Any, ...] = (
    *(dt.date, dt.datetime, dt.time, pydantic.PastDate, pydantic.FutureDate, pydantic.PastDatetime),
    *(pydantic.FutureDatetime, pydantic.AwareDatetime, pydantic.NaiveDatetime),
)
_DECIMAL_COMMA = re.compile(r"[-+]?[0-9]{1,9},[0-9]{1,9}")
_NUMBERS = ("int_type", "float_type", "decimal_type", "decimal_parsing")
#: What pydantic says of the kind of a value; all else it says is for validation to say.
_OF_KIND = (
    *("_type", "_parsing", "literal_error", "enum", "extra_forbidden", "secret_reference", "none_required"),
    *("union_tag_invalid", "union_tag_not_found", "unreadable"),
)


def _line(message: str, hint: str = "", steps: Steps = ()) -> Line:
    return {"type": "unreadable", "loc": steps, "msg": message, "hint": hint}


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What stands for a secret until it is loaded; two of one name are two, as they may be of different types.

    Attributes:
        value: The name of a secret, `file:PATH` or `env:NAME`; a Community instance sends the content itself.
        annotation: The type of the content.
    """

    value: Any = field(repr=False)
    annotation: Any


@dataclass(frozen=True, slots=True, eq=False)
class Refused:
    """A value that its type does not take.

    Attributes:
        value: As it was given.
        lines: What is wrong, as pydantic's `ValidationError.errors()`; each may have a `hint`.
    """

    value: Any = field(repr=False)
    lines: tuple[Line, ...] = field(repr=False)

    @classmethod
    def because(cls, message: str, hint: str = "", *, value: Any = None) -> Refused:
        """A refusal in our own words."""
        return cls(value, (_line(message, hint),))


_NOT_UNICODE = Refused.because("not valid Unicode text", "write it as UTF-8")
_SECRET_HINT = "write the name of the secret, file:PATH or env:NAME"  # noqa: S105 - no secret


class _Readings(tuple[Any, ...]):
    """What a scalar may be: each where its type refuses the one before."""

    __slots__ = ()


def read_text(text: str, annotation: Any) -> Any:  # noqa: PLR0911 - one for each form of text
    """A variable's or a flag's text: a list is `[a, b]` or `a,b`, a mapping `{k: v}` or `k=v,k2=v2`.

    Where the option has no type, `"010"` in quotes is text. What pydantic cannot read stays text: validation says why.
    """
    if not _is_unicode(text):
        return _NOT_UNICODE
    members = alternatives(annotation)
    if any(map(is_secret_type, members)):
        return _judged(text, annotation)
    if any(mark is NoDecode or isinstance(mark, pydantic.Json) for mark in _marks(annotation)):
        return text
    wants_list, wants_mapping = any(map(is_list, members)), any(map(is_mapping, members))
    is_bracketed = text.lstrip()[:1] in ("[", "{")
    if (wants_list or wants_mapping or Any in members) and is_bracketed:
        return _read_document(text, annotation)
    if Any in members:
        return text[1:-1] if _QUOTED.fullmatch(text) else read_node(Scalar(text, plain=True, line=0, column=0), Any)
    if str in members or not (wants_list or wants_mapping):
        read = _read_scalar(text, annotation)
        # A class of the author may ask for keys, too.
        document = _read_document(text, annotation) if is_bracketed and isinstance(read, Refused) else read
        return read if isinstance(document, Refused) else document
    parts = [part.strip() for part in text.split(",")] if text else []
    if wants_list:
        return _judged([_text_first(part) for part in parts], annotation)
    return _read_pairs(text, parts, annotation)


def _marks(annotation: Any) -> Iterator[Any]:
    """What stands beside a type, or a member of a union, in `Annotated`."""
    inner = bare(annotation)
    members = get_args(inner) if get_origin(inner) in (Union, UnionType) else ()
    for one in (annotation, *members):
        yield from getattr(one, "__metadata__", ())


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
        return _judged(text, annotation)
    values = {key.strip(): _text_first(value.strip()) for key, _, value in pairs}
    if len(values) < len(pairs):
        return Refused.because("a key is given twice", "remove one of the two", value=text)
    return _judged(values, annotation)


def _read_scalar(text: str, annotation: Any) -> Any:
    members = alternatives(annotation)
    if text.lower() == "null" and accepts_null(annotation) and str not in members:
        return None
    try:
        value: Any = _adapter(Union[members]).validate_strings(text)  # noqa: UP007 - made at run time
    except Exception:  # noqa: BLE001 - also what a type of the author raises
        value = text
    value = value.value if isinstance(value, enum.Enum) else value
    tree = _text_first(text) if resolve_core(text) is not None else text
    if type(value) in (bool, int, float) and math.isfinite(value):
        tree = _Readings(_numbers(value))
    return _judged(tree, annotation)


def read_node(node: Node, annotation: Any) -> Any:
    """A value of a file.

    A plain scalar is what its type takes of what it may be by YAML, and text where text is asked for; without a type,
    YAML 1.1 says what it is.
    """
    parts = list(parts_of(annotation))
    has_no_type, is_decimal = any(map(is_untyped, parts)), Decimal in parts

    def scalar(node: Scalar) -> Any:
        value: Any = resolve_core(node.text) if node.plain else node.text
        if has_no_type or node.tag:
            try:
                value = resolve_scalar(node)
            except YamlError as error:
                return error
        if not node.plain:
            return _Readings(_numbers(value))
        return _readings(node.text, value, text_first=is_decimal and value is not None)

    return _judged(plain(node, scalar), annotation, in_file=True)


def read_data(value: Any, annotation: Any) -> Any:
    """A value of a payload: typed, but for the values of a `dict`, which Arkindex keeps as text."""
    if not _is_unicode(value):
        return _NOT_UNICODE
    parts = list(parts_of(annotation))
    is_typed = not is_lenient(annotation) and not any(map(is_untyped, parts))
    holds_texts = isinstance(value, dict) and not is_lenient(annotation)

    def scalar(value: Any) -> Any:
        if isinstance(value, str):
            return _text_first(value) if holds_texts else value
        if isinstance(value, float) and not math.isfinite(value):
            return YamlError("numbers must be finite", 0, 0)
        if isinstance(value, int) and not fits_64_bits(value) and not is_typed:
            return YamlError(TOO_LARGE, 0, 0)
        return value if Decimal in parts else _Readings(_numbers(value))

    return _judged(mapped(value, lambda _, leaf: scalar(leaf)), annotation)


def read_own(value: Any, annotation: Any) -> Any:
    """A value of a worker's own source: data as in a payload, text for it, or an object that pydantic knows."""
    leaves = [leaf for _, leaf in leaves_of(value)]
    if not all(leaf is None or isinstance(leaf, str | int | float) for leaf in leaves):
        return refer(value, annotation)
    read = read_data(value, annotation)
    if not isinstance(read, Refused):
        return read
    if isinstance(value, str):
        return read_text(value, annotation)
    # Lists and mappings of text for numbers.
    is_text = any(isinstance(leaf, str) for leaf in leaves) and not holds_secret(annotation)
    return value if is_text else read


def _is_unicode(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _readings(text: str, value: Any, *, text_first: bool) -> Any:
    """What text without quotes may be that is a number, a switch or null by itself."""
    if isinstance(value, str):
        return value
    values = (value,) if "e" in text.lower() else _numbers(value)
    return _Readings((text, *values) if text_first else (*values, text))


def _text_first(text: str) -> Any:
    """What text may be where it is most of all text."""
    return _readings(text, resolve_core(text), text_first=True)


def _numbers(value: Any) -> tuple[Any, ...]:
    """What a number may be: a whole one is an integer, too, and one beyond 64 bits is not."""
    if isinstance(value, int) and not fits_64_bits(value):
        return (float(str(value)),)
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**63
    return (value, int(value)) if is_whole else (value,)


def _judged(tree: Any, annotation: Any, *, in_file: bool = False) -> Any:
    """What a type takes of a value, or what is refused in it; each scalar is tried as all that it may be."""
    leaves = dict(leaves_of(tree))
    mistakes = {steps: leaf for steps, leaf in leaves.items() if isinstance(leaf, YamlError)}
    if mistakes:
        lines = (_line(one.message, one.hint, steps) for steps, one in mistakes.items())
        return Refused(tree, tuple(lines))
    readings = {steps: leaf if isinstance(leaf, _Readings) else (leaf,) for steps, leaf in leaves.items()}
    while True:
        value = mapped(tree, lambda steps, _: readings[steps][0])
        refused = [] if is_lenient(annotation) else _refusals(value, annotation)
        of_kind = [line for line in refused if line["type"].endswith(_OF_KIND)]
        if not of_kind:
            return refer(value, annotation)
        # For one member of a union, these are of the right kind, and another reading is not tried.
        taken = {line["at"] for line in refused if not line["type"].endswith(_OF_KIND)}
        others = {
            line["at"]: readings[line["at"]][1:]
            for line in of_kind
            if line["at"] not in taken and _may_be_another(readings.get(line["at"], ()), line["type"])
        }
        if not others:
            told = [_worded(line, readings.get(line["at"], ((),))[0], in_file=in_file) for line in refused]
            # A number that is too large for one member of a union is not of the kind of another, either.
            large = {line["at"] for line in told if line["msg"] == TOO_LARGE}
            return Refused(value, tuple(one for one in told if one["msg"] == TOO_LARGE or one["at"] not in large))
        readings.update(others)


def _may_be_another(readings: tuple[Any, ...], kind: str) -> bool:
    """Whether the next reading of a scalar is worth a try, where the first is refused with an error of some kind."""
    if len(readings) < 2:
        return False
    current, other, *_ = readings
    if current is None:  # an empty value is not text, but `null` may be a choice
        return kind in ("literal_error", "enum")
    is_number = isinstance(current, int | float) and not isinstance(current, bool)
    is_no_better = is_number and isinstance(other, str) and kind in _NUMBERS
    return not (is_no_better or kind.startswith(("date", "time_")))  # digits are not a date


def _refusals(value: Any, annotation: Any, *, finding: bool = False) -> list[Line]:
    """What pydantic's strict mode for JSON says against a value, and where; with `finding`, of each secret, too."""
    members = alternatives(annotation)
    if type(value) in members or (value is None and accepts_null(annotation)):
        return []
    token = BY_SETTINGS.set(True)
    try:
        data = to_json([] if _is_misread(value, members) else value, fallback=str)
        _adapter(annotation).validate_json(data, strict=True, context={BY_REFERENCE: FINDING if finding else True})
    except ValidationError as error:
        lines = error.errors(include_url=False, include_input=False)
        return [{**line, "at": steps_of(line["loc"], value)} for line in lines]
    except Exception:  # noqa: BLE001 - a validator of the author, which will speak again
        return []
    finally:
        BY_SETTINGS.reset(token)
    return []


def _is_misread(value: Any, members: tuple[Any, ...]) -> bool:
    """Whether pydantic takes a value for another: true for 1 among choices, digits for seconds since 1970."""
    if isinstance(value, str) and str not in members:
        return bool(_DIGITS.fullmatch(value)) and any(member in _MOMENTS for member in members)
    choices = choices_of(members)
    if isinstance(value, bool | int | float) and choices and not {bool, int, float, Any} & set(members):
        return value not in [choice for choice in choices if isinstance(choice, bool) == isinstance(value, bool)]
    return False


@lru_cache(maxsize=512)
def _cached_adapter(annotation: Any, written: str) -> TypeAdapter[Any]:
    del written  # unions are equal in whatever order their members stand
    return TypeAdapter(annotation)


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        return _cached_adapter(annotation, repr(annotation))
    except TypeError:  # what stands in `Annotated` need not be hashable
        return TypeAdapter(annotation)


def refer(value: Any, annotation: Any) -> Any:
    """The value with references where its type has secrets; in lists, mappings and models, too."""
    if not holds_secret(annotation):
        return value
    secret = next(filter(is_secret_type, alternatives(annotation)), None)
    if secret is not None and isinstance(value, str) and value:
        return Reference(value, content_type(secret))
    found = [line for line in _refusals(value, annotation, finding=True) if line["type"] == FINDING]
    kinds = {line["at"]: line["ctx"]["content"] for line in found}
    return mapped(value, lambda at, leaf: Reference(leaf, kinds[at]) if at in kinds and isinstance(leaf, str) else leaf)


def mapped(tree: Any, change: Callable[[Steps, Any], Any], steps: Steps = ()) -> Any:
    """The tree with what a function makes of each leaf; it is told where the leaf lies, too."""
    if isinstance(tree, list):
        return [mapped(item, change, (*steps, index)) for index, item in enumerate(tree)]
    if isinstance(tree, dict):
        return {key: mapped(item, change, (*steps, key)) for key, item in tree.items()}
    return change(steps, tree)


def leaves_of(tree: Any, steps: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """What is neither a list nor a mapping, by where it lies."""
    if isinstance(tree, list | dict):
        for step, inner in enumerate(tree) if isinstance(tree, list) else tree.items():
            yield from leaves_of(inner, (*steps, step))
    else:
        yield steps, tree


def steps_of(location: Steps, value: Any) -> Steps:
    """Pydantic's path inside a value, without the names of types that it holds besides: members of unions."""
    steps: list[Any] = []
    for part in location:
        if leads_into(value, part):
            value = value[part]
            steps.append(part)
    return tuple(steps)


def leads_into(value: Any, part: Any) -> bool:
    """Whether a part of pydantic's path is a key or an index of a value."""
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value


def _worded(line: Line, found: Any, *, in_file: bool) -> Line:
    """What pydantic says of a value, with the remedy."""
    kind, hint = line["type"], ""
    if kind == "secret_reference":
        hint = _SECRET_HINT
    elif kind == "int_type" and isinstance(found, float) and abs(found) >= 2**63:
        return line | {"type": "unreadable", "msg": TOO_LARGE, "hint": ""}
    elif kind in _NUMBERS and isinstance(found, str) and _is_infinite(found):
        return line | {"type": "finite_number", "msg": "Input should be a finite number", "hint": ""}
    elif in_file and found is None:
        rest = "put text in quotes" if kind == "string_type" else "give it a value, or leave the line out"
        hint = f"an empty value is null; {rest}"
    elif in_file and isinstance(found, str):
        hint = "write a number, without quotes" if kind in ("int_type", "float_type") else ""
        hint = f"write {found.replace(',', '.')}, with a point" if hint and _DECIMAL_COMMA.fullmatch(found) else hint
        hint = "write true or false, without quotes" if kind == "bool_type" else hint
    return line | {"hint": hint}


def _is_infinite(text: str) -> bool:
    """Whether a text is a number that is not finite, as YAML (`-.inf`) or Python (`1e400`) writes it."""
    try:
        return not math.isfinite(float(text.replace(".", "", 1) if text[-1:].isalpha() else text))
    except ValueError:
        return False
