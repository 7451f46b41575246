"""What belongs to an element, from the cache, in the session that user code has."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.exc import DatabaseError

from arkworker.arkindex.reading import listings
from arkworker.arkindex.reading.listings import PAGE_SIZE, PICTURE
from arkworker.elements.model import Element
from arkworker.elements.records import Image, first_problem
from arkworker.elements.shapes import from_cache_image
from arkworker.elements.stored import Stored, StoredClassification, StoredEntity, StoredTranscription
from arkworker.errors import CacheError
from arkworker.storage.cache.database import refusal
from arkworker.text import is_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Row, Select

    from arkworker.arkindex.reading.listings import Listing, Maker, Way
    from arkworker.arkindex.reading.sessions import Sessions
    from arkworker.elements.query import Query

S = TypeVar("S", bound=Stored)

_IMAGE_COLUMNS = tuple(column.name for column in listings.IMAGES.c)
_PICTURE_COLUMNS = tuple(f"{PICTURE}{name}" for name in _IMAGE_COLUMNS)
_ELEMENT_COLUMNS = tuple(column.name for column in listings.ELEMENTS.c)


class CacheReader:
    """Reads in sessions that are lent for the time of a statement.

    Between two pages nothing is held open: user code may write, commit or roll back meanwhile.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def element(self, element_id: str) -> Element | None:
        """The element of that id, with its image; None when the cache does not have it.

        Raises:
            CacheError: The row describes no element, or cannot be read.
        """
        rows = self._rows(listings.element(), element_id)
        return _element(rows[0]) if rows else None

    def knows(self, element_id: str) -> bool:
        """Whether it is for the cache to say what belongs to an element: it has a row, or a child."""
        statements = (listings.has_row(listings.ELEMENTS), listings.has_child())
        return any(self._rows(statement, element_id) for statement in statements)

    def knows_parents(self, element_id: str) -> bool:
        """Whether a parent of the element has a row."""
        parents = listings.relatives("parents", "any", recursive=False, typed=False)
        return bool(self._rows(parents.first, element_id))

    def knows_transcription(self, transcription_id: str) -> bool:
        """Whether a transcription has a row."""
        return bool(self._rows(listings.has_row(listings.TRANSCRIPTIONS), transcription_id))

    def children(self, element: Element, query: Query) -> Iterator[Element]:
        return self._relatives("children", element, query)

    def parents(self, element: Element, query: Query) -> Iterator[Element]:
        return self._relatives("parents", element, query)

    def transcriptions(self, element: Element, query: Query) -> Iterator[StoredTranscription]:
        listing = listings.texts(_maker(query), recursive=query.recursive, typed=query.type is not None)
        for row in self._list(listing, element.id, query):
            yield _stored(StoredTranscription, row)

    def classifications(self, element: Element, query: Query) -> Iterator[StoredClassification]:
        for row in self._list(listings.classes(_maker(query)), element.id, query):
            yield _stored(StoredClassification, row)

    def entities(self, transcription: StoredTranscription, query: Query) -> Iterator[StoredEntity]:
        statement = listings.entities(_maker(query))
        for row in self._rows(statement, transcription.id, worker_run=query.worker_run or None):
            yield _stored(StoredEntity, row)

    def _relatives(self, way: Way, element: Element, query: Query) -> Iterator[Element]:
        typed = query.type is not None
        listing = listings.relatives(way, _maker(query), recursive=query.recursive, typed=typed)
        for row in self._list(listing, element.id, query):
            if str(row.id) != element.id:  # it is its own relative where rows go round in a circle
                yield _element(row)

    def _list(self, listing: Listing, identifier: str, query: Query) -> Iterator[Row[Any]]:
        wanted = {"type": query.type, "worker_run": query.worker_run or None}
        rows = self._rows(listing.first, identifier, **wanted)
        yield from rows
        if len(rows) < PAGE_SIZE:
            return
        # Rows that are written from here on are not seen, so that what writes as it reads comes to an end.
        later = self._rows(listing.later, identifier, last=rows[-1].number, **wanted)
        numbers = [row[0] for row in later]
        for start in range(0, len(numbers), PAGE_SIZE):
            yield from self._rows(listing.some, numbers=numbers[start : start + PAGE_SIZE])

    def _rows(self, statement: Select[Any], identifier: str | None = None, **values: Any) -> Sequence[Row[Any]]:
        """The rows that a statement finds; none where the id is not one that a cache can hold."""
        if identifier is not None and not is_id(identifier):
            return ()
        with self._sessions.borrowed() as session:
            if session.autoflush:
                session.flush()  # what user code has added is seen
            try:
                return session.execute(statement, {"id": identifier, **values}).all()
            except (DatabaseError, TypeError, ValueError) as error:
                # All but the first are of values that were written past the models: bytes, for one, instead of text.
                engine: Any = session.get_bind()
                reason = error.orig if isinstance(error, DatabaseError) else error
                raise refusal(engine.url.database or "cache in memory", f"cannot be read: {reason}") from error


def _maker(query: Query) -> Maker:
    if query.worker_run is None:
        return "any"
    return "one" if query.worker_run else "hand"


def _element(row: Row[Any]) -> Element:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    image = _image(*(values[name] for name in _PICTURE_COLUMNS)) if values[_PICTURE_COLUMNS[0]] is not None else None
    return Element.from_cache({name: values[name] for name in _ELEMENT_COLUMNS}, image)


@functools.lru_cache(maxsize=128)
def _image(*columns: Any) -> Image:
    # The children of a page are on one image.
    values = from_cache_image(dict(zip(_IMAGE_COLUMNS, columns, strict=True)))
    try:
        return Image.model_validate(values)
    except ValidationError as error:
        raise CacheError("cache", first_problem("image", values, error)) from None


def _stored(kind: type[S], row: Row[Any]) -> S:
    columns = row._mapping  # noqa: SLF001 - as above
    values = {name: str(value) if isinstance(value, UUID) else value for name, value in columns.items()}
    values.pop("number", None)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise CacheError("cache", first_problem(kind.kind, values, error)) from None
