"""The kinds of field that results are made of: numbers of any library, polygons, texts that can be stored."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from decimal import Decimal
from numbers import Integral, Rational, Real
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from arkworker.geometry import Polygon, as_polygon, scalar

Orientation: TypeAlias = Literal["horizontal-lr", "horizontal-rl", "vertical-rl", "vertical-lr"]
MetadataType: TypeAlias = Literal["text", "markdown", "date", "location", "reference", "numeric", "url"]

# How far beyond 0 or 1 a sum of probabilities may end, by the bytes that a number takes: half and single precision.
_ROUNDING = {2: 2e-3, 4: 1e-6}


def _number(value: Any) -> Any:
    """A Python number from that of any library, for validation to continue with; a boolean is not a number."""
    value = scalar(value)
    is_number = isinstance(value, Real | Decimal) and not isinstance(value, (bool, float))
    return float(value) if is_number else value


def _confidence(value: Any) -> Any:
    """A number from 0 to 1; what rounding has put just outside is put on the edge."""
    number = _number(value)
    if not isinstance(number, float) or 0 <= number <= 1:
        return number
    size = getattr(getattr(value, "dtype", None), "itemsize", 8)
    nearest = min(max(number, 0.0), 1.0)
    return nearest if abs(number - nearest) <= _ROUNDING.get(size, 1e-6) else number


def _integer(value: Any) -> Any:
    value = scalar(value)
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else value


def written_number(value: Any) -> Any:
    """A number as text, with the digits that its type has."""
    if not isinstance(value, Real | Decimal):  # not those of numpy, which know their digits
        value = scalar(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Rational):
        value = float(value)
    return str(value) if isinstance(value, Decimal | Real) else value


def _numbers(value: Any) -> Any:
    """The numbers of an array as a list."""
    if isinstance(value, AbstractSet):
        raise ValueError("should be a list: a set has no order")  # noqa: TRY004 - for pydantic
    return value.tolist() if hasattr(value, "tolist") else value


def _identifier(value: Any) -> Any:
    """An id as text: rows of the cache have UUIDs."""
    return str(value) if isinstance(value, UUID) else value


def _polygon(value: Any) -> Polygon:
    polygon = as_polygon(value)
    if len(set(polygon)) < 3:
        raise ValueError(f"a polygon needs at least three different points, not {len(set(polygon))}")
    if any(coordinate < 0 for point in polygon for coordinate in point):
        raise ValueError("coordinates should not be negative")
    return polygon


def _storable(text: str) -> str:
    if not text.strip():
        raise ValueError("should not be empty")
    if "\0" in text or (not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)):
        raise ValueError("should not hold a null character or half of a surrogate pair")
    return text


Confidence = Annotated[float, BeforeValidator(_confidence), Field(ge=0, le=1, strict=True)]
Switch = Annotated[bool, BeforeValidator(scalar)]
Whole = Annotated[int, BeforeValidator(_integer)]
FiniteNumber = Annotated[float, BeforeValidator(_number), Field(strict=True)]
Name = Annotated[str, Field(max_length=250), AfterValidator(_storable)]
Text = Annotated[str, AfterValidator(_storable)]
Id = Annotated[Name, BeforeValidator(_identifier)]
Slug = Annotated[str, Field(max_length=50), AfterValidator(_storable)]

if TYPE_CHECKING:
    from collections.abc import Iterable

    # Looser than what is kept, which is always tuples, and text: authors give lists, arrays and numbers.
    Outline: TypeAlias = Iterable[Any]
    Numbers: TypeAlias = Iterable[float]
    Ids: TypeAlias = Iterable[str]
    Value: TypeAlias = str | float | Decimal
else:
    Outline = Annotated[Polygon, PlainValidator(_polygon, json_schema_input_type=list[tuple[float, float]])]
    Numbers = Annotated[tuple[FiniteNumber, ...], BeforeValidator(_numbers)]
    Ids = tuple[Id, ...]
    Value = Text
