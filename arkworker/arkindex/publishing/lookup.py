"""Whether a request whose answer is unknown was carried out: read back what this worker run has on the element."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from arkworker.arkindex.publishing.plan import LISTS
from arkworker.errors import ApiContentError, ArkworkerError
from arkworker.geometry import as_polygon, bounding_box

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.publishing.plan import Ref

W = TypeVar("W")
F = TypeVar("F")

PAGE_SIZE = 500
_PIXELS = 1.5  # that the sides of a box may differ by, after rounding
_SMALL = 1e-4  # that stored numbers may differ by, relatively or absolutely


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it is sent, with ids, and what is needed to look for what it creates.

    Attributes:
        operation: The operation.
        parameters: Its parameters.
        body: Its body.
        gives: What its answer tells the ids of, item by item in its order.
        root: The element that all of it lies on or below.
        known: Gives the ids that other requests got; only a lookup pays for it.
    """

    operation: str
    parameters: Mapping[str, Any]
    body: Any
    gives: tuple[tuple[Ref, ...], ...]
    root: str
    known: Callable[[], Collection[str]]

    @property
    def items(self) -> list[dict[str, Any]]:
        """What it creates, one by one."""
        return self.body[LISTS[self.operation]] if self.operation in LISTS else [self.body]


class AmbiguousError(ArkworkerError):
    """The outcome of a request is unknown: a part of it is there, or it may still be under way.

    Attributes:
        uncertain: As that of an `ApiError`.
    """

    uncertain = 1


class Lookup:
    """Reads back.

    Args:
        client: Sends the requests.
        worker_run_id: Whose results count.
    """

    def __init__(self, client: Client, worker_run_id: str) -> None:
        self._client = client
        self._run = worker_run_id
        self._ways: Mapping[str, Callable[[Asked], list[Any] | None]] = {
            "CreateElement": self._elements,
            "CreateElements": self._elements,
            "CreateElementTranscriptions": self._annotations,
            "CreateTranscription": self._loose,
            "CreateTranscriptions": self._loose,
            "CreateClassification": self._classifications,
            "CreateClassifications": self._classifications,
            "CreateMetaData": self._metadata,
            "CreateMetaDataBulk": self._metadata,
            "CreateTranscriptionEntity": self._entities,
            "CreateTranscriptionEntities": self._entities,
            "CreateEmbedding": self._embedding,
            "CreateElementParent": self._parent,
            "CreateElementChildren": self._children,
        }

    def find(self, sent: Asked) -> list[Any] | None:
        """What a request created, item by item in its order; None when it was not carried out.

        Changes are not looked for: made twice, they are made once.

        Returns:
            Items with an `id`, and an `element_id` for annotations; empty ones for what has no id.

        Raises:
            ApiError: Arkindex does not answer, or not as it should.
            AmbiguousError: A part of it is there.
        """
        way = self._ways.get(sent.operation)
        return way(sent) if way is not None else None

    def _pages(self, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        return _objects(operation, self._client.paginate(operation, page_size=PAGE_SIZE, **parameters))

    def _list(self, operation: str, sent: Asked, **parameters: Any) -> list[dict[str, Any]]:
        """The items of a list that are not known to come from other requests."""
        known = sent.known()
        return [item for item in self._pages(operation, **parameters) if item.get("id") not in known]

    def _is_ours(self, item: Mapping[str, Any]) -> bool:
        """Whether this worker run has signed it; what does not say may be."""
        signer = item.get("worker_run")
        identifier = _id_in(signer) or item.get("worker_run_id", signer)
        return identifier == self._run or not ({"worker_run", "worker_run_id"} & item.keys())

    def _elements(self, sent: Asked) -> list[Any] | None:
        where = sent.parameters or {"id": sent.body["parent"], "type": sent.body["type"]}
        there = self._list("ListElementChildren", sent, worker_run=self._run, **where)
        return _assign(sent.items, there, _same_element)

    def _annotations(self, sent: Asked) -> list[Any] | None:
        """Transcriptions whose elements may be older than they are."""
        parent, slug = sent.parameters["id"], sent.body["element_type"]
        boxes = {child.get("id"): _polygon(child) for child in self._pages("ListElementChildren", id=parent, type=slug)}
        there = [
            {**item, "element_id": place, "polygon": boxes[place]}
            for item in self._written(sent, parent, element_type=slug)
            if (place := _element_id(item, "")) in boxes
        ]
        return _assign(
            sent.items,
            there,
            lambda one, other: _same_writing(one, other) and _same_box(one["polygon"], other["polygon"]),
        )

    def _loose(self, sent: Asked) -> list[Any] | None:
        wanted = [{"element_id": sent.parameters.get("id"), **one} for one in sent.items]
        there = [
            {**item, "element_id": _element_id(item, place)}
            for place, found in self._written_on(sent, {one["element_id"] for one in wanted})
            for item in found
        ]

        def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
            return one["element_id"] == other["element_id"] and _same_writing(one, other)

        return _assign(
            wanted,
            there,
            lambda one, other: same(one, other) and _same_number(one.get("confidence"), other.get("confidence")),
            same,
        )

    def _written_on(self, sent: Asked, places: set[str]) -> Iterable[tuple[str, list[dict[str, Any]]]]:
        """The texts on some elements: on the root and below it with one list, on others with one each."""
        others = places - {sent.root}
        if others:
            below = self._pages("ListElementChildren", id=sent.root, recursive=True)
            others.difference_update(str(item.get("id")) for item in below)
        if places - others:
            yield sent.root, self._written(sent, sent.root)
        for place in sorted(others):
            yield place, self._written(sent, place)

    def _written(self, sent: Asked, element_id: str, **filters: Any) -> list[dict[str, Any]]:
        filters |= {"recursive": True, "worker_run": self._run}
        return self._list("ListTranscriptions", sent, id=element_id, **filters)

    def _classifications(self, sent: Asked) -> list[Any] | None:
        """All of them; where only some are there, sending them again adds the others."""
        element = self._client.request("RetrieveElement", id=sent.body.get("parent") or sent.body["element"])
        answer = element.get("classifications") or element.get("classes") or []
        items = _objects("RetrieveElement", answer if isinstance(answer, list) else [answer])
        there = {_id_in(item.get("ml_class")): item for item in items if self._is_ours(item)}
        found = [there.get(one["ml_class"]) for one in sent.items]
        return found if all(found) else None

    def _metadata(self, sent: Asked) -> list[Any] | None:
        operation = "ListElementMetaData"
        items = _objects(operation, self._client.request(operation, id=sent.parameters["id"]))
        known = sent.known()
        there = [item for item in items if item.get("id") not in known and self._is_ours(item)]
        return _assign(sent.items, there, _same_metadata)

    def _entities(self, sent: Asked) -> list[Any] | None:
        there = self._pages("ListTranscriptionEntities", id=sent.parameters["id"], worker_run=self._run)
        return _assign(sent.items, list(there), _same_entity)

    def _embedding(self, sent: Asked) -> list[Any] | None:
        there = filter(self._is_ours, self._list("ListEmbeddings", sent, id=sent.parameters["id"]))
        return _assign([sent.body["value"]], list(there), lambda value, item: _same_vector(value, item.get("value")))

    def _parent(self, sent: Asked) -> list[Any] | None:
        there = self._pages("ListElementParents", id=sent.parameters["child"])
        return [{}] if any(item.get("id") == sent.parameters["parent"] for item in there) else None

    def _children(self, sent: Asked) -> list[Any] | None:
        ids = {item.get("id") for item in self._pages("ListElementChildren", id=sent.parameters["id"])}
        return [{}] if ids.issuperset(sent.body["children"]) else None


def _objects(operation: str, items: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """The items of a list.

    Raises:
        ApiContentError: One of them is not an object, or its id is not a text.
    """
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("id", ""), str | None):
            raise ApiContentError(operation, "an item of the answer is not an object with an id", status=200)
        yield item


def _id_in(value: Any) -> str | None:
    """The id of an object; None of anything else."""
    identifier = value.get("id") if isinstance(value, dict) else None
    return identifier if isinstance(identifier, str) else None


def _polygon(element: Mapping[str, Any]) -> Any:
    zone = element.get("zone")
    return zone.get("polygon") if isinstance(zone, dict) else None


def _element_id(transcription: Mapping[str, Any], root: str) -> str:
    """The element that a transcription of a list is on; a list need not say it of the element that was asked for."""
    return str(_id_in(transcription.get("element")) or transcription.get("element_id") or root)


def _same_element(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    is_same = (one["type"], one["name"]) == (other.get("type"), other.get("name"))
    # Without an outline, an element has that of the whole of its image, if it has one.
    return is_same and (one.get("polygon") is None or _same_box(one["polygon"], _polygon(other)))


def _same_writing(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    is_same = one.get("orientation") == other.get("orientation", one.get("orientation"))
    return is_same and _same_text(one["text"], other.get("text"))


def _same_metadata(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if (one["type"], one["name"]) != (other.get("type"), other.get("name")):
        return False
    return (_same_number if one["type"] == "numeric" else _same_text)(one["value"], other.get("value"))


def _same_entity(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    type_id = _id_in(other.get("type")) or other.get("type_id")
    return (one["type_id"], one["offset"], one["length"]) == (type_id, other.get("offset"), other.get("length"))


def _same_vector(one: list[float], other: Any) -> bool:
    return isinstance(other, list) and len(one) == len(other) and all(map(_same_number, one, other))


def _assign(wanted: Sequence[W], found: Sequence[F], *tests: Callable[[W, F], bool]) -> list[F] | None:
    """For each thing that was sent, the one that is there; None when none of them is. The tests grow laxer.

    Raises:
        AmbiguousError: Some are there. A request is carried out as a whole, or not at all.
    """
    left = list(found)
    chosen: dict[int, F] = {}
    for test in tests:
        for number, one in enumerate(wanted):
            match = (
                next((i for i, other in enumerate(left) if test(one, other)), None) if number not in chosen else None
            )
            if match is not None:
                chosen[number] = left.pop(match)
    if not chosen:
        return None
    if len(chosen) < len(wanted):
        raise AmbiguousError(f"{len(chosen)} of its {len(wanted)} results are on Arkindex, and the others are not")
    return [chosen[number] for number in range(len(wanted))]


def _same_text(one: Any, other: Any) -> bool:
    """Equal but for blanks around it, and for how lines end."""
    return _plain(one) == _plain(other)


def _plain(text: Any) -> str:
    return str(text).replace("\r\n", "\n").strip()


def _same_number(one: Any, other: Any) -> bool:
    """Equal as stored numbers are; two nulls are."""
    try:
        return math.isclose(float(one), float(other), rel_tol=_SMALL, abs_tol=_SMALL)
    except (TypeError, ValueError):
        return one is None and other is None


def _same_box(one: Any, other: Any) -> bool:
    """Whether two polygons, or nulls, have the same box around them."""
    if not one or not other:
        return not one and not other
    try:
        pairs = zip(_sides(one), _sides(other), strict=True)
    except ValueError:
        return False
    return all(abs(a - b) <= _PIXELS for a, b in pairs)


def _sides(polygon: Any) -> tuple[float, float, float, float]:
    box = bounding_box(as_polygon(polygon))
    return box.x, box.y, box.x + box.width, box.y + box.height
