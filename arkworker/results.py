"""What a worker finds: frozen, validated values that `process_element` returns or yields, and the runner publishes.

A value that cannot be published is refused where it is made, with a message that names the field. Confidences are
numbers from 0 to 1 (an integer 1 is fine, and so are the numbers of numpy). Polygons are at least three points, each a
pair of x to the right and y downwards, in pixels of the whole image; an array of shape (N, 2) is one.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator

from arkworker.geometry import Polygon, as_polygon

Orientation: TypeAlias = Literal["horizontal-lr", "horizontal-rl", "vertical-rl", "vertical-lr"]
MetadataType: TypeAlias = Literal["text", "markdown", "date", "location", "reference", "numeric", "url"]


def _number(value: Any) -> Any:
    """A Python number from any library's, for validation to go on with; a boolean is none."""
    return float(value) if isinstance(value, Real) and not isinstance(value, (bool, float)) else value


def _polygon(value: Any) -> Polygon:
    polygon = as_polygon(value)
    if len(polygon) < 3:
        raise ValueError(f"a polygon needs at least three points, not {len(polygon)}")
    return polygon


def _not_blank(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise ValueError("should not be empty")
    return value


Confidence = Annotated[float, BeforeValidator(_number), Field(ge=0, le=1, strict=True)]
FiniteNumber = Annotated[float, BeforeValidator(_number), Field(strict=True)]
Outline = Annotated[Polygon, PlainValidator(_polygon, json_schema_input_type=list[tuple[float, float]])]
Name = Annotated[str, BeforeValidator(_not_blank), Field(max_length=250)]
Text = Annotated[str, BeforeValidator(_not_blank)]
Slug = Annotated[str, BeforeValidator(_not_blank), Field(max_length=50)]


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False, strict=True)


class Entity(_Result):
    """A part of a transcription that means something, such as a name or a date.

    Attributes:
        type: Name of the entity type in the corpus.
        offset: Where it begins in the text, in characters from 0.
        length: Its length in characters, at least 1.
        confidence: From 0 to 1; None when unknown.
    """

    type: Name
    offset: int = Field(ge=0)
    length: int = Field(gt=0)
    confidence: Confidence | None = None


class Transcription(_Result):
    """Text that is written on an element.

    Attributes:
        text: The text; not empty.
        confidence: From 0 to 1.
        orientation: How it is written: horizontal or vertical, from the left or from the right.
        entities: The entities in it.
    """

    kind: Literal["transcription"] = Field("transcription", repr=False)
    text: Text
    confidence: Confidence
    orientation: Orientation = "horizontal-lr"
    entities: tuple[Entity, ...] = Field((), strict=False)

    @model_validator(mode="after")
    def _entities_lie_in_the_text(self) -> Self:
        for number, entity in enumerate(self.entities):
            if entity.offset + entity.length > len(self.text):
                raise ValueError(f"entities.{number} ends beyond the text")
        return self


class Classification(_Result):
    """A class that an element belongs to.

    Attributes:
        class_name: Name of the class in the corpus.
        confidence: From 0 to 1.
        high_confidence: Whether it needs no check by a person; Arkindex before its release of September 2026.
    """

    kind: Literal["classification"] = Field("classification", repr=False)
    class_name: Name
    confidence: Confidence
    high_confidence: bool = False


class Metadata(_Result):
    """A named value kept with an element.

    Attributes:
        type: What kind of value: it decides how Arkindex shows it.
        name: Its name.
        value: As text.
    """

    kind: Literal["metadata"] = Field("metadata", repr=False)
    type: MetadataType
    name: Name
    value: Text

    @model_validator(mode="after")
    def _value_fits_the_type(self) -> Self:
        if self.type == "numeric":
            try:
                number = float(self.value)
            except ValueError:
                number = math.nan
            if not math.isfinite(number):
                raise ValueError("value should be a number, as the type is numeric")
        if self.type == "url" and not self.value.lower().startswith(("http://", "https://")):
            raise ValueError("value should be an http or https address, as the type is url")
        return self


class Embedding(_Result):
    """A vector that stands for an element.

    Attributes:
        value: Its numbers, in order; at least one.
    """

    kind: Literal["embedding"] = Field("embedding", repr=False)
    value: tuple[FiniteNumber, ...] = Field(min_length=1, strict=False)


class Update(_Result):
    """A change of the element itself; what is left out stays as it is.

    Attributes:
        type: Slug of its new element type.
        name: Its new name.
        polygon: Its new outline.
        confidence: From 0 to 1.
        rotation_angle: Degrees, clockwise, from 0 to 359.
        mirrored: Whether its image is mirrored.
    """

    kind: Literal["update"] = Field("update", repr=False)
    type: Slug | None = None
    name: Name | None = None
    polygon: Outline | None = None
    confidence: Confidence | None = None
    rotation_angle: int | None = Field(None, ge=0, le=359)
    mirrored: bool | None = None

    @model_validator(mode="after")
    def _something_changes(self) -> Self:
        if not self.model_fields_set - {"kind"}:
            raise ValueError("nothing to update: give at least one field")
        return self


class Link(_Result):
    """Ties of the element to elements that exist.

    Attributes:
        parents: Ids of elements that it becomes a child of.
        children: Ids of elements that become its children.
    """

    kind: Literal["link"] = Field("link", repr=False)
    parents: tuple[Name, ...] = Field((), strict=False)
    children: tuple[Name, ...] = Field((), strict=False)

    @model_validator(mode="after")
    def _something_is_linked(self) -> Self:
        if not self.parents and not self.children:
            raise ValueError("nothing to link: give parents or children")
        return self


class Child(_Result):
    """A new element below the one that is processed, with results of its own.

    Attributes:
        type: Slug of its element type.
        polygon: Its outline on the image of its parent; None for one without an image.
        name: Its name; by default, its number among the children of its type, from 1.
        confidence: From 0 to 1; None when unknown.
        results: What was found on it, children included.
    """

    kind: Literal["child"] = Field("child", repr=False)
    type: Slug
    polygon: Outline | None = None
    name: Name | None = None
    confidence: Confidence | None = None
    results: tuple[Result, ...] = Field((), strict=False)


Result: TypeAlias = Annotated[
    Transcription | Classification | Metadata | Embedding | Update | Link | Child, Field(discriminator="kind")
]

Child.model_rebuild()
