"""What Arkindex, or the cache, has about an element: what workers found and people wrote, as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from pydantic import PrivateAttr, ValidationError, model_validator

from arkworker.elements.query import MadeBy, Query, Source
from arkworker.elements.records import first_problem
from arkworker.errors import ApiContentError, ArkworkerError
from arkworker.frozen import Record
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stored(Record):
    """Something that is stored about an element.

    Two are equal when the fields that are declared here are, wherever they come from.

    Attributes:
        worker_run_id: The worker run that made it; None for what was made by hand.
    """

    #: What messages call it.
    kind: ClassVar[str] = "record"
    #: A field that an answer has within an object: the field, the key of the object, the key in it.
    within: ClassVar[tuple[str, str, str] | None] = None

    worker_run_id: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, answer: Any) -> Any:
        """An answer in the shape of the declared fields."""
        if not isinstance(answer, Mapping):
            return answer
        values = dict(answer)
        if isinstance(values.get("worker_run"), Mapping):
            values.setdefault("worker_run_id", values["worker_run"].get("id"))
        if cls.within is not None:
            field, owner, key = cls.within
            if isinstance(values.get(owner), Mapping):
                values[field] = values[owner].get(key)
        return values

    @classmethod
    def from_api(cls, answer: Any, *, operation: str) -> Self:
        """What an operation answered with.

        Raises:
            ApiContentError: The answer does not describe one.
        """
        try:
            return cls.model_validate(answer)
        except ValidationError as error:
            raise ApiContentError(operation, first_problem(cls.kind, answer, error)) from None

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))


class StoredEntity(Stored):
    """A meaningful part of a transcription, such as a name or a date.

    Attributes:
        type: Name of its type.
        offset: Where it begins in the text, in characters from 0.
        length: Its length in characters.
        confidence: From 0 to 1; None when unknown.
    """

    kind = "entity"
    within = "type", "type", "name"

    type: str
    offset: int
    length: int
    confidence: float | None = None


class ReadsEntities(Protocol):
    """What a transcription hands over to when it is asked for the entities in it."""

    def entities(self, transcription: StoredTranscription, query: Query) -> Iterator[StoredEntity]:
        """The entities in a text; read when the first is asked for."""


class StoredTranscription(Stored):
    """A text that is written on an element.

    Attributes:
        element_id: The element that it is on.
        confidence: From 0 to 1; None when unknown.
        orientation: How it is written: `horizontal-lr`, …
    """

    kind = "transcription"
    within = "element_id", "element", "id"

    id: str
    text: str
    confidence: float | None = None
    orientation: str = "horizontal-lr"
    element_id: str | None = None

    _reader: ReadsEntities | None = PrivateAttr(default=None)

    def entities(self, *, worker_run: MadeBy = None, source: Source | None = None) -> Iterator[StoredEntity]:
        """The entities in it, read when the first is asked for, from where `Element.transcriptions` says.

        The schema of the cache has room for one entity of each type.

        Raises:
            ArkworkerError: It does not belong to a run.
            ValueError: An argument is invalid.
        """
        if self._reader is None:
            raise ArkworkerError(
                f"transcription {printable(self.id, 60)} does not belong to a run, so nothing can be read about it"
            )
        return self._reader.entities(self, Query(worker_run=worker_run, source=source))

    def bind(self, reader: ReadsEntities) -> Self:
        """The same transcription, whose entities are read by `reader`."""
        bound = self.model_copy()
        bound._reader = reader  # noqa: SLF001 - its own
        return bound

    def __getstate__(self) -> dict[Any, Any]:
        return super().__getstate__() | {"__pydantic_private__": {"_reader": None}}


class StoredClassification(Stored):
    """A class that an element was given.

    Attributes:
        class_name: Name of the class.
        confidence: From 0 to 1; None when unknown.
        state: How people judged it: `pending`, `validated` or `rejected`.
    """

    kind = "classification"
    within = "class_name", "ml_class", "name"

    id: str
    class_name: str
    confidence: float | None = None
    state: str | None = None


class StoredEmbedding(Stored):
    """A vector that represents an element.

    Attributes:
        value: Its numbers.
    """

    kind = "embedding"

    id: str
    value: tuple[float, ...]


class StoredMetadata(Stored):
    """A named value that is kept with an element.

    Attributes:
        type: What kind of value: `text`, `date`, `numeric`, …
        name: Its name.
        value: Text; a number where the type is numeric.
    """

    kind = "metadata"

    id: str
    type: str
    name: str
    value: str | int | float
