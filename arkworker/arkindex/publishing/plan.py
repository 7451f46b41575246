"""A plan as data: the elements and texts that results are about, and the requests that publish them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from arkworker.elements.model import Element
    from arkworker.elements.results import (
        Child,
        Classification,
        Embedding,
        Entity,
        Link,
        Metadata,
        Transcription,
    )
    from arkworker.elements.stored import StoredTranscription

#: As the published library: answers to more at once are cut off by gateways.
BATCH_SIZE = 50

#: Where a bulk operation has its items, in what is sent and, where that is an object, in the answer.
LISTS = {
    "CreateElements": "elements",
    "CreateElementTranscriptions": "transcriptions",
    "CreateTranscriptions": "transcriptions",
    "CreateClassifications": "classifications",
    "CreateMetaDataBulk": "metadata_list",
    "CreateTranscriptionEntities": "transcription_entities",
}

Made: TypeAlias = Literal["element", "transcription", "classification", "metadata", "embedding", "entity"]
Kind: TypeAlias = Made | Literal["element type", "class", "entity type"]
#: Names that a corpus must have, by their kind, each with the first place in the results that wants it.
Needs: TypeAlias = "Mapping[Kind, Mapping[str, str]]"


class Ref(NamedTuple):
    """Stands in a request for an id that is not known yet.

    Attributes:
        kind: Of what. What is created gets its id from the answer to a request of the plan, classes and entity types
            from the corpus.
        key: The place in the results for what is created, the name for what the corpus has.
    """

    kind: Kind
    key: str


Target: TypeAlias = str | Ref

V = TypeVar("V")


@dataclass(slots=True)
class Item(Generic[V]):
    """A result, and what stands for the id that it will get."""

    ref: Ref
    value: V


@dataclass(slots=True, eq=False, kw_only=True)
class Text:
    """A transcription, and what lies in it.

    Attributes:
        target: Its id, or what stands for the one that it will get.
        entities: What lies in it.
    """

    target: Target
    entities: list[Item[Entity]] = field(default_factory=list)


@dataclass(slots=True, eq=False, kw_only=True)
class NewText(Text):
    """One that is created, from a value."""

    target: Ref
    value: Transcription


@dataclass(slots=True, eq=False, kw_only=True)
class StoredText(Text):
    """One that is stored."""

    target: str
    stored: StoredTranscription


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """An element, and what is published on it.

    Attributes:
        target: Its id, or what stands for the one that it will get.
        has_image: Whether children can have an outline.
        image_id: The image that it lies on, where that is known.
        size: Width and height of that image in pixels; None where they are unknown.
        needs: What its results want of the corpus: kind, name, place.
    """

    target: Target
    has_image: bool = False
    image_id: str | None = None
    size: tuple[int, int] | None = None
    children: list[NewNode] = field(default_factory=list)
    texts: list[NewText] = field(default_factory=list)
    classifications: list[Item[Classification]] = field(default_factory=list)
    metadata: list[Item[Metadata]] = field(default_factory=list)
    embeddings: list[Item[Embedding]] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)
    needs: list[tuple[Kind, str, str]] = field(default_factory=list)
    numbers: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True, eq=False, kw_only=True)
class StoredNode(Node):
    """An element that exists."""

    target: str
    element: Element

    @classmethod
    def of(cls, element: Element) -> StoredNode:
        image = element.zone.image if element.zone is not None else None
        if image is None:
            return cls(target=element.id, element=element)
        size = (image.width, image.height) if image.width and image.height else None
        return cls(target=element.id, element=element, has_image=True, image_id=image.id, size=size)


@dataclass(slots=True, eq=False, kw_only=True)
class NewNode(Node):
    """An element that is created below another.

    Attributes:
        child: What creates it.
        name: Its own, or its number among those of its type.
        path: Where it is in the results, such as `results.3`.
    """

    target: Ref
    child: Child
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        operation: Its id, such as `CreateTranscriptions`.
        parameters: Those of its path; values may be a `Ref`.
        body: As JSON, where a `Ref` stands for an id.
        holds: How many of each kind it publishes: `{"text_line": 50, "transcriptions": 50}`.
        gives: What its answer tells the ids of, item by item in its order.
    """

    operation: str
    parameters: Mapping[str, Target]
    body: Any
    holds: Mapping[str, int]
    gives: tuple[tuple[Ref, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All requests of one element in order, and what its corpus must have before the first of them.

    Attributes:
        requests: A request stands after those that give the ids that it needs.
        needs: What the corpus must have; empty where it need not be asked.
        nodes: What the requests were made from: the element, others that exist, and all that is created below them.
        stored: Transcriptions that exist, with what they get.
    """

    requests: tuple[Request, ...]
    needs: Needs = field(default_factory=dict)
    nodes: tuple[Node, ...] = field(default=(), repr=False, compare=False)
    stored: tuple[StoredText, ...] = field(default=(), repr=False, compare=False)

    @property
    def holds(self) -> Mapping[str, int]:
        """How many of each kind all requests publish."""
        return total(self.requests)


def total(requests: Sequence[Request]) -> Mapping[str, int]:
    """How many of each kind some requests publish."""
    counts: Counter[str] = Counter()
    for request in requests:
        counts.update(request.holds)
    return counts


def batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """The items in their order, at most `size` at once."""
    return (items[start : start + size] for start in range(0, len(items), size))


def points_of(polygon: Iterable[Any] | None) -> list[list[float]] | None:
    """A polygon as JSON has it."""
    return None if polygon is None else [list(point) for point in polygon]
