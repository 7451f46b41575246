"""The kinds of value that request bodies are made of."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, GetPydanticSchema, PlainSerializer
from pydantic_core.core_schema import no_info_after_validator_function


class Body(BaseModel):
    """A JSON body; keys that the operation does not know are ignored, as Django REST framework does."""

    model_config = ConfigDict(allow_inf_nan=False)


def _storable(text: str) -> str:
    """Text that PostgreSQL takes."""
    if "\0" in text:
        raise ValueError("Null characters are not allowed.")
    # A lone surrogate is legal in JSON and in no encoding; UnicodeEncodeError is a ValueError.
    text.encode()
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("This field may not be blank.")
    return text


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("A valid number is required.")  # noqa: TRY004 - pydantic turns a ValueError into a problem
    return value


def _ring(points: list[list[int | float]]) -> list[list[int | float]]:
    """A closed polygon: three different points at least, the first one again at the end."""
    if any(coordinate < 0 for point in points for coordinate in point):
        raise ValueError("Coordinates must not be negative.")
    if len({tuple(point) for point in points}) < 3:
        raise ValueError("A polygon needs at least three different points.")
    return closed(points)


def _run_or_manual(value: str) -> str:
    try:
        return value if value in MANUAL else str(UUID(value))
    except ValueError:
        raise ValueError(f"“{value}” is not a valid UUID, nor False.") from None


def closed(points: list[list[int | float]]) -> list[list[int | float]]:
    """A polygon with its first point again at the end, as Arkindex keeps it."""
    return points if points[0] == points[-1] else [*points, points[0]]


MANUAL = ("False", "false")
Text = Annotated[str, AfterValidator(_storable), AfterValidator(_not_blank)]
Name = Annotated[str, Field(max_length=250), AfterValidator(_storable), AfterValidator(_not_blank)]
Slug = Annotated[str, Field(pattern=r"^[-a-zA-Z0-9_]+$", max_length=50)]
# The text of a UUID.
Id = Annotated[
    str,
    GetPydanticSchema(lambda _, handler: no_info_after_validator_function(str, handler(UUID))),
    PlainSerializer(str),
]
Number = Annotated[int | float, BeforeValidator(_no_boolean)]
Confidence = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0, le=1)]
Point = Annotated[list[Number], Field(min_length=2, max_length=2)]
Ring = Annotated[list[Point], Field(min_length=3), AfterValidator(_ring)]
Orientation = Literal["horizontal-lr", "horizontal-rl", "vertical-rl", "vertical-lr"]
Angle = Annotated[int, Field(ge=0, lt=360)]
# Of a query: the id of a worker run, or `False` for what people made.
RunOrManual = Annotated[str, AfterValidator(_run_or_manual)]


class Signature(Body):
    """A body that creates results: signed by a worker run, or not at all."""

    worker_run_id: Id | None = None
