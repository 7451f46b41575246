"""What a worker finds: frozen, validated values that `process_element` returns or yields, and the runner publishes.

A value that cannot be published is refused where it is made, with a message that names the field. Confidences are
numbers from 0 to 1 (an integer 1 is fine, and so are numbers of numpy, which may exceed these limits by a rounding
error). Polygons are at least three points, each a pair of x to the right and y downwards, in pixels of the whole image;
an array of shape (N, 2) is one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    model_validator,
)
from typing_extensions import TypeVar

from arkworker.elements.fields import (
    Confidence,
    Id,
    Ids,
    MetadataType,
    Name,
    Numbers,
    Orientation,
    Outline,
    Slug,
    Switch,
    Text,
    Value,
    Whole,
    written_number,
)
from arkworker.elements.model import Element
from arkworker.elements.recorded import RecordedElement, RecordedTranscription, target_of
from arkworker.elements.stored import StoredTranscription
from arkworker.errors import ArkworkerError, ResultError
from arkworker.text import did_you_mean, printable

_WEB_ADDRESS = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)


def _found_on_an_element(value: Any) -> Any:
    """One of the results that an element can have; a mapping is one that was written down."""
    if isinstance(value, dict) or (_is_result(value) and not isinstance(value, On)):
        return value
    if isinstance(value, On):
        raise ValueError("On refers to something that exists: put it next to this result, not inside it")  # noqa: TRY004 - for pydantic
    raise ValueError(_no_result(value))


def _found(value: Any) -> Any:
    """One of the results that an element or a stored transcription can have."""
    return value if isinstance(value, Entity) else _found_on_an_element(value)


def _is_result(value: Any) -> bool:
    return isinstance(value, ResultModel) and not isinstance(value, Entity)


def _no_result(value: Any) -> str:
    if isinstance(value, Entity):
        stored = "for one that is stored, On(transcription, [Entity(…)])"
        return f"is an Entity, which belongs in a text: Transcription(…, entities=[Entity(…)]) or, {stored}"
    given = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    hint = "; give each of its results by itself" if isinstance(value, (list, tuple)) else ""
    given = "None" if value is None else given
    return f"should be a result, such as Transcription or Child, not {given}{hint}"


def _results(value: Any) -> Any:
    if isinstance(value, (ResultModel, str, bytes, dict)):
        raise ValueError(f"should be a list of results, not {type(value).__name__}")  # noqa: TRY004 - for pydantic
    return value


def _one_or_several(value: Any) -> Any:
    return (value,) if isinstance(value, ResultModel) else _results(value)


def _target(value: Any) -> Element | StoredTranscription:
    if isinstance(value, Element | StoredTranscription):
        return value
    if isinstance(value, dict):
        return target_of(value)
    given = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    hint = "; context.retrieve_element(id) gives one" if isinstance(value, str) else ""
    raise ValueError(f"should be an element or a stored transcription, not {given}{hint}")


if TYPE_CHECKING:
    # Looser than what is kept, which is always tuples: authors give lists and arrays.
    Entities: TypeAlias = Sequence["Entity"]
    Results: TypeAlias = Sequence["Result"]
    Target: TypeAlias = Element | StoredTranscription
    FoundThere: TypeAlias = tuple["Result | Entity", ...]
else:
    Entities = tuple["Entity", ...]
    Results = Annotated[
        tuple[Annotated["ElementResult", BeforeValidator(_found_on_an_element)], ...], BeforeValidator(_results)
    ]
    Target = Annotated[Any, PlainValidator(_target, json_schema_input_type=RecordedElement | RecordedTranscription)]
    FoundThere = Annotated[tuple[Annotated["Found", BeforeValidator(_found)], ...], BeforeValidator(_one_or_several)]


class ResultModel(BaseModel):
    """Base of all results: frozen, and checked when it is made."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False, strict=True)

    def __init__(self, /, *unnamed: Any, **values: Any) -> None:
        """Take the fields by name.

        Raises:
            ResultError: A field cannot be published; one line that names it.
        """
        if unnamed:
            told = ", ".join(f"{name}=…" for name, field in type(self).model_fields.items() if field.is_required())
            name = type(self).__name__
            raise ResultError(f"{name} takes its values by name: {name}({told or 'name=…'})")
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ResultError(_mistakes(error, error.title, type(self))) from None


def check(result: Any, path: str) -> None:
    """Refuse what is not a result, and one that was changed past its validation; but for the results in it.

    Args:
        result: What was found.
        path: Its place, such as `results.3`.

    Raises:
        ResultError: One line that names the place and the field.
    """
    if not _is_result(result):
        raise ResultError(f"{path} {_no_result(result)}")
    _check_fields(result, path)
    for number, entity in enumerate(result.entities if isinstance(result, Transcription) else ()):
        check_entity(entity, f"{path}.entities.{number}")


def check_entity(entity: Any, path: str) -> None:
    """As `check`, for what lies in a text."""
    if not isinstance(entity, Entity):
        raise ResultError(f"{path} should be an Entity, not {type(entity).__name__}")
    _check_fields(entity, path)


def _check_fields(result: ResultModel, path: str) -> None:
    given = result.model_fields_set - ({"results"} if isinstance(result, Child) else set())
    fields = {name: value for name, value in vars(result).items() if name in given}
    kind = type(result)
    try:
        # As pydantic itself makes an instance; this one is thrown away.
        kind.__pydantic_validator__.validate_python(fields, self_instance=kind.__new__(kind))
    except ValidationError as error:
        raise ResultError(_mistakes(error, path, kind)) from None


def _mistakes(error: ValidationError, root: str, kind: type[ResultModel]) -> str:
    """The fields that are wrong and what is wrong with them, without what was given."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    places = (".".join([root, *map(str, problem["loc"])]) for problem in problems)
    return "; ".join(
        f"{printable(place, 100)}: {_mistake(problem, kind)}" for place, problem in zip(places, problems, strict=True)
    )


def _mistake(problem: Mapping[str, Any], kind: type[ResultModel]) -> str:
    if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
        fields = [name for name in kind.model_fields if name != "kind"]
        nearest = did_you_mean(str(problem["loc"][0]), fields)
        return f"no such field; {nearest or 'there are ' + ', '.join(fields)}"
    return printable(problem["msg"].removeprefix("Value error, "))


class Entity(ResultModel):
    """A meaningful part of a transcription, such as a name or a date.

    Attributes:
        type: Name of the entity type in the corpus.
        offset: Where it begins in the text, in characters from 0.
        length: Its length in characters, at least 1.
        confidence: From 0 to 1; None when unknown.
    """

    kind: Literal["entity"] = Field(default="entity", repr=False)
    type: Name
    offset: Whole = Field(ge=0)
    length: Whole = Field(gt=0)
    confidence: Confidence | None = None


def _check_ends(entities: Iterable[Entity], text: str, name: str) -> None:
    for number, entity in enumerate(entities):
        end = entity.offset + entity.length
        if end > len(text):
            raise ValueError(f"{name}.{number} ends at character {end}, beyond the text of {len(text)} characters")


class Transcription(ResultModel):
    """Text that is written on an element.

    Attributes:
        text: The text; not empty.
        confidence: From 0 to 1.
        orientation: How it is written: horizontal or vertical, from the left or from the right.
        entities: The entities in it.
    """

    kind: Literal["transcription"] = Field(default="transcription", repr=False)
    text: Text
    confidence: Confidence
    orientation: Orientation = "horizontal-lr"
    entities: Entities = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _entities_lie_in_the_text(self) -> Self:
        _check_ends(self.entities, self.text, "entities")
        if len({(entity.type, entity.offset, entity.length) for entity in self.entities}) < len(self.entities):
            raise ValueError("entities should be different from each other")
        return self


class Classification(ResultModel):
    """A class that an element belongs to.

    Attributes:
        class_name: Name of the class in the corpus.
        confidence: From 0 to 1.
        high_confidence: Whether it needs no check by a person; Arkindex before its release of September 2026.
    """

    kind: Literal["classification"] = Field(default="classification", repr=False)
    class_name: Name
    confidence: Confidence
    high_confidence: Switch = False


class Metadata(ResultModel):
    """A named value kept with an element.

    Attributes:
        type: What kind of value: it decides how Arkindex shows it.
        name: Its name.
        value: As text; for the numeric type, a number is accepted, too, and kept as text.
    """

    kind: Literal["metadata"] = Field(default="metadata", repr=False)
    type: MetadataType
    name: Name
    value: Value

    @model_validator(mode="before")
    @classmethod
    def _write_a_number(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("type") == "numeric" and "value" in values:
            return {**values, "value": written_number(values["value"])}
        return values

    @model_validator(mode="after")
    def _value_fits_the_type(self) -> Self:
        if self.type == "numeric":
            try:
                number = float(self.value)
            except ValueError:
                number = math.nan
            if not math.isfinite(number):
                raise ValueError("value should be a number, as the type is numeric")
        if self.type == "url" and not _WEB_ADDRESS.match(str(self.value)):
            raise ValueError("value should be an http or https address, as the type is url")
        return self


class Embedding(ResultModel):
    """A vector that represents an element.

    Attributes:
        value: Its numbers, in order; at least one.
    """

    kind: Literal["embedding"] = Field(default="embedding", repr=False)
    value: Numbers = Field(min_length=1, strict=False)


class Update(ResultModel):
    """A change of the element itself; what is left out stays unchanged, and a confidence of None removes it.

    Attributes:
        type: Slug of its new element type.
        name: Its new name.
        polygon: Its new outline.
        confidence: From 0 to 1.
        rotation_angle: Degrees, clockwise, from 0 to 359.
        mirrored: Whether its image is mirrored.
        image: Id of its new image.
    """

    kind: Literal["update"] = Field(default="update", repr=False)
    type: Slug | None = None
    name: Name | None = None
    polygon: Outline | None = None
    confidence: Confidence | None = None
    rotation_angle: Whole | None = Field(default=None, ge=0, le=359)
    mirrored: Switch | None = None
    image: Id | None = None

    @model_validator(mode="after")
    def _something_changes(self) -> Self:
        if not self.changes:
            raise ValueError("nothing to update: give at least one field")
        return self

    @property
    def changes(self) -> dict[str, Any]:
        """The fields that change, by name."""
        given = {name: getattr(self, name) for name in sorted(self.model_fields_set - {"kind"})}
        return {name: value for name, value in given.items() if value is not None or name == "confidence"}


class Link(ResultModel):
    """Links between the element and existing elements.

    Attributes:
        parents: Ids of elements that it becomes a child of.
        children: Ids of elements that become its children.
    """

    kind: Literal["link"] = Field(default="link", repr=False)
    parents: Ids = Field(default=(), strict=False)
    children: Ids = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _something_is_linked(self) -> Self:
        if not self.parents and not self.children:
            raise ValueError("nothing to link: give parents or children")
        return self


class Child(ResultModel):
    """A new element below the one being processed, with results of its own.

    A child with an outline, a transcription and no name is published together with that transcription, in one request
    for many such children: if the parent already has an element of that type and outline, Arkindex uses that one.

    Attributes:
        type: Slug of its element type.
        polygon: Its outline on its image; None for one without an image, or for the whole of an image of its own.
        name: Its name; by default, its number among the children of its type, from 1.
        confidence: From 0 to 1; None when unknown.
        image: Id of an image of its own, such as `context.create_iiif_image` gives; by default, that of its parent.
        results: What was found on it, children included.
    """

    kind: Literal["child"] = Field(default="child", repr=False)
    type: Slug
    polygon: Outline | None = None
    name: Name | None = None
    confidence: Confidence | None = None
    image: Id | None = None
    results: Results = Field(default=(), strict=False)


class On(ResultModel):
    """Results on something that exists: an element other than the one being processed, or a transcription.

    It is returned or yielded next to the other results, and published together with them: the texts of a hundred lines
    that were read with `element.children()` take two requests.

    Attributes:
        target: An element that was read, or a stored transcription.
        results: What belongs on it, one or several: any result on an element, entities on a transcription.
    """

    kind: Literal["on"] = Field(default="on", repr=False)
    target: Target
    results: FoundThere = Field(strict=False)

    def __init__(
        self,
        /,
        target: Element | StoredTranscription,
        results: Result | Entity | Iterable[Result | Entity],
        **kind: Any,
    ) -> None:
        """Take the target and its results, by place or by name. Raises as other results do."""
        super().__init__(target=target, results=results, **kind)

    @model_validator(mode="after")
    def _results_fit_the_target(self) -> Self:
        entities = [result for result in self.results if isinstance(result, Entity)]
        if isinstance(self.target, Element):
            if entities:
                raise ValueError("entities belong in a transcription, not on an element")
            return self
        if len(entities) < len(self.results):
            raise ValueError("a stored transcription can only get entities")
        _check_ends(entities, self.target.text, "results")
        return self


ElementResult: TypeAlias = Annotated[
    Transcription | Classification | Metadata | Embedding | Update | Link | Child, Field(discriminator="kind")
]
Found: TypeAlias = Annotated[
    Entity | Transcription | Classification | Metadata | Embedding | Update | Link | Child, Field(discriminator="kind")
]
Result: TypeAlias = Annotated[
    Transcription | Classification | Metadata | Embedding | Update | Link | Child | On, Field(discriminator="kind")
]

Child.model_rebuild()
On.model_rebuild()


#: The kind of a result.
Kind = TypeVar("Kind", bound=ResultModel)
R_co = TypeVar("R_co", covariant=True, default=Result | Entity)


@dataclass(frozen=True, slots=True)
class Created(Generic[R_co]):
    """The outcome of publishing one result; `Created[Transcription]` for a transcription.

    Attributes:
        result: The result.
        results: The outcomes of what it holds, in order: the results of a child, the entities of a transcription, the
            results of an `On`.
    """

    result: R_co
    results: tuple[Created[Result | Entity], ...] = ()
    _id: str | None = None
    _reason: str = field(default="", repr=False, compare=False)

    @property
    def id(self) -> str:
        """Its id on Arkindex; in a read-only run, a made-up one.

        Raises:
            ArkworkerError: It has no id, or an unknown one: an update or a link, a classification that already
                existed, and everything that is recorded in a file to be published later.
        """
        if self._id is None:
            raise ArkworkerError(f"this {type(self.result).__name__} has no id: {self._reason}")
        return self._id


def all_of(results: Iterable[Any], kind: type[Kind]) -> Iterator[Kind]:
    """The results of a kind, those within others included: on children, in `On`, entities in transcriptions."""
    for result in results:
        if isinstance(result, kind):
            yield result
        if isinstance(result, Child | On):
            yield from all_of(result.results, kind)
        elif isinstance(result, Transcription):
            yield from all_of(result.entities, kind)


def collect(returned: Any) -> tuple[Any, ...]:
    """What `process_element` returned or yields, as a tuple. Runs the rest of a generator: this is user code."""
    if returned is None:
        return ()
    is_single = isinstance(returned, BaseModel | str | bytes | Mapping) or not isinstance(returned, Iterable)
    return (returned,) if is_single else tuple(returned)
