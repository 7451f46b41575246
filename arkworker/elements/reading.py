"""What can be asked for of what belongs to an element, and who answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arkworker.elements.model import Element
    from arkworker.elements.stored import (
        StoredClassification,
        StoredEmbedding,
        StoredEntity,
        StoredMetadata,
        StoredTranscription,
    )

Source: TypeAlias = Literal["cache", "api"]
#: A worker run by its id; `False` for what was made by hand; None for all.
MadeBy: TypeAlias = str | UUID | Literal[False] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which of them are wanted; None does not ask.

    Attributes:
        type: Slug of an element type: of children and parents, or of the elements that transcriptions are on.
        name: A part of the name, in any case. The cache has no names.
        recursive: Whether those further down, or further up, are wanted, too.
        worker_run: Id of the worker run that made them; False for what was made by hand.
        source: The only place to look at; None for the cache where it knows the element, else the API.

    Raises:
        ValueError: One of them makes no sense.
    """

    type: str | None = None
    name: str | None = None
    recursive: bool = False
    worker_run: MadeBy = None
    source: Source | None = None

    def __post_init__(self) -> None:
        for field, meaning in (("type", "the slug of an element type"), ("name", "a part of a name")):
            value = getattr(self, field)
            if value is not None and not (isinstance(value, str) and value):
                raise ValueError(f"{field} should be {meaning}")
        if not isinstance(self.recursive, bool):
            raise ValueError("recursive should be True or False")  # noqa: TRY004 - one kind for all of them
        if self.source not in (None, "cache", "api"):
            raise ValueError('source should be "cache" or "api"')
        if self.source == "cache" and self.name is not None:
            raise ValueError("the cache has no names: they can only be looked for on Arkindex")
        object.__setattr__(self, "worker_run", _identified(self.worker_run))


def _identified(worker_run: Any) -> str | Literal[False] | None:
    if worker_run is None or worker_run is False:
        return worker_run
    try:
        return str(worker_run if isinstance(worker_run, UUID) else UUID(worker_run))
    except (ValueError, TypeError, AttributeError):
        raise ValueError("worker_run should be the id of a worker run, or False for what was made by hand") from None


class ReadsElements(Protocol):
    """What an element hands over to when it is asked for what belongs to it.

    Nothing is read before the first item is asked for; what is found is bound to the same reader.
    """

    def children(self, element: Element, query: Query) -> Iterator[Element]:
        """The elements below it."""

    def parents(self, element: Element, query: Query) -> Iterator[Element]:
        """The elements above it."""

    def transcriptions(self, element: Element, query: Query) -> Iterator[StoredTranscription]:
        """The texts on it."""

    def classifications(self, element: Element, query: Query) -> Iterator[StoredClassification]:
        """Its classes."""

    def metadata(self, element: Element, *, load_parents: bool) -> Iterator[StoredMetadata]:
        """Its metadata."""

    def embeddings(self, element: Element) -> Iterator[StoredEmbedding]:
        """Its embeddings."""

    def entities(self, transcription: StoredTranscription, query: Query) -> Iterator[StoredEntity]:
        """The entities in a text."""
