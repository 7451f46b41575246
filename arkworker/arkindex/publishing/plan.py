"""A plan: the requests that publish results, as data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from arkworker.arkindex.publishing.nodes import Node

#: As the published library: answers to more at once are cut off by gateways.
BATCH_SIZE = 50

Kind: TypeAlias = Literal["element", "transcription", "classification", "element type", "class", "entity type"]


class Ref(NamedTuple):
    """Stands in a request for an id that is not known yet.

    Attributes:
        kind: Of what. Elements, transcriptions and classifications get their ids from the answers to earlier requests
            of the plan, classes and entity types from the corpus.
        key: The place in the results for what is created, the name for what the corpus has.
    """

    kind: Kind
    key: str


Target: TypeAlias = str | Ref


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
        element_types: Slugs, with the place in the results that wants them first.
        classes: Names, likewise.
        entity_types: Names, likewise.
        nodes: What the requests were made from: the element and all that is created below it.
    """

    requests: tuple[Request, ...]
    element_types: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    entity_types: Mapping[str, str] = field(default_factory=dict)
    nodes: tuple[Node, ...] = field(default=(), repr=False, compare=False)

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
