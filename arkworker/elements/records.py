"""The parts that an element is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, PlainValidator, ValidationError

from arkworker.frozen import Record
from arkworker.geometry import Polygon, as_polygon
from arkworker.text import printable


class ImageServer(Record):
    """The IIIF server of an image; `max_width` and `max_height` are the largest sizes that it answers with."""

    display_name: str | None = None
    url: str | None = None
    max_width: int | None = None
    max_height: int | None = None
    version: int | None = None


class Image(Record):
    """An image; `url` is its IIIF base, `s3_url` a presigned address of the file itself, which expires."""

    id: str | None = None
    path: str | None = None
    width: Annotated[int, Field(ge=0)] | None = None
    height: Annotated[int, Field(ge=0)] | None = None
    url: str | None = None
    s3_url: str | None = Field(None, repr=False)
    status: str | None = None
    server: ImageServer | None = None


class Zone(Record):
    """Where an element is: a polygon on an image. `url` is the IIIF address of the box around it."""

    id: str | None = None
    polygon: Annotated[Polygon, PlainValidator(lambda value: as_polygon(() if value is None else value))] = ()
    url: str | None = None
    image: Image | None = None


class Corpus(Record):
    """The project that an element belongs to."""

    id: str
    name: str | None = None
    public: bool | None = None


def named(kind: str, answer: Any) -> str:
    """`element 7c5f…`, as far as the answer says."""
    identifier = answer.get("id") if isinstance(answer, Mapping) else None
    return f"{kind} {printable(str(identifier), 60)}" if identifier else f"{kind} without id"


def first_problem(kind: str, answer: Any, error: ValidationError) -> str:
    """One line that names the record, the first field that is wrong, and how many more are."""
    return f"{named(kind, answer)}: {first_mistake(error)}"


def first_mistake(error: ValidationError, root: str = "the answer") -> str:
    """One line: the first field that is wrong, or the root, and how many more are; nothing of what they hold."""
    problems = error.errors(include_url=False, include_input=False)
    place = printable(".".join(map(str, problems[0]["loc"])) or root, 100)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    what = problems[0]["msg"].removeprefix("Value error, ")
    if problems[0]["type"] == "model_type":  # pydantic names a class of ours, which says nothing to who reads it
        what = "Input should be an object"
    elif problems[0]["type"] == "union_tag_invalid":  # pydantic repeats the tag, whatever it holds
        what = "{discriminator} should be one of {expected_tags}".format_map(problems[0]["ctx"])
    return f"{place}: {what}{more}"
