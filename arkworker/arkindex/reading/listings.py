"""The statements that read the cache, a limited number of rows at a time."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Integer, bindparam, literal_column, select

from arkworker.storage.cache.models import (
    HEX_ID,
    CachedClassification,
    CachedElement,
    CachedImage,
    CachedTranscription,
    CachedTranscriptionEntity,
)

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

PAGE_SIZE = 500

ELEMENTS = CachedElement.__table__
IMAGES = CachedImage.__table__
TRANSCRIPTIONS = CachedTranscription.__table__
CLASSIFICATIONS = CachedClassification.__table__
ENTITIES = CachedTranscriptionEntity.__table__

#: How an image's columns are called beside those of its element.
PICTURE = "picture_"

Way = Literal["children", "parents"]
#: `any`, `one` worker run, or by `hand`.
Maker = Literal["any", "one", "hand"]


@dataclass(frozen=True, slots=True)
class Listing:
    """The statements of one kind of list, in the order in which the rows were written.

    Attributes:
        first: The first page of it.
        later: The numbers of all rows after the row `last`.
        some: The rows with the numbers `numbers`.
    """

    first: Select[Any]
    later: Select[Any]
    some: Select[Any]


@functools.cache
def relatives(way: Way, maker: Maker, *, recursive: bool, typed: bool) -> Listing:
    """The elements below or above the element `id`, of the type `type`."""
    conditions = [_related(way, recursive=recursive), *_made_by(ELEMENTS, maker)]
    if typed:
        conditions.append(ELEMENTS.c.type == bindparam("type"))
    return _listing(_ELEMENTS_WITH_IMAGES, ELEMENTS, conditions)


@functools.cache
def texts(maker: Maker, *, recursive: bool, typed: bool) -> Listing:
    """The transcriptions of the element `id`, and of those below it; on elements of the type `type`."""
    owner = TRANSCRIPTIONS.c.element_id
    own = owner == _identified("id")
    conditions = [own | owner.in_(_below()) if recursive else own, *_made_by(TRANSCRIPTIONS, maker)]
    if typed:
        conditions.append(owner.in_(select(ELEMENTS.c.id).where(ELEMENTS.c.type == bindparam("type"))))
    return _listing(_numbered(TRANSCRIPTIONS), TRANSCRIPTIONS, conditions)


@functools.cache
def classes(maker: Maker) -> Listing:
    """The classifications of the element `id`."""
    own = CLASSIFICATIONS.c.element_id == _identified("id")
    return _listing(_numbered(CLASSIFICATIONS), CLASSIFICATIONS, [own, *_made_by(CLASSIFICATIONS, maker)])


@functools.cache
def entities(maker: Maker) -> Select[Any]:
    """The entities of the transcription `id`: as many as there are types, at most."""
    own = ENTITIES.c.transcription_id == _identified("id")
    return select(ENTITIES).where(own, *_made_by(ENTITIES, maker)).order_by(ENTITIES.c.offset, _row_of(ENTITIES))


@functools.cache
def element() -> Select[Any]:
    """The element `id`."""
    return _ELEMENTS_WITH_IMAGES.where(ELEMENTS.c.id == _identified("id"))


@functools.cache
def has_row(table: Any) -> Select[Any]:
    """Whether a table has a row `id`."""
    return select(literal_column("1")).select_from(table).where(table.c.id == _identified("id"))


@functools.cache
def has_child() -> Select[Any]:
    """Whether an element says that `id` is its parent."""
    return select(literal_column("1")).select_from(ELEMENTS).where(ELEMENTS.c.parent_id == _identified("id")).limit(1)


def _listing(rows: Select[Any], table: Any, conditions: list[ColumnElement[bool]]) -> Listing:
    number = _row_of(table)
    return Listing(
        first=rows.where(*conditions).order_by(number).limit(PAGE_SIZE),
        later=select(number).select_from(table).where(*conditions, number > bindparam("last")).order_by(number),
        some=rows.where(number.in_(bindparam("numbers", expanding=True))).order_by(number),
    )


def _numbered(table: Any) -> Select[Any]:
    return select(_row_of(table).label("number"), *table.c)


def _row_of(table: Any) -> ColumnElement[int]:
    return literal_column(f"{table.name}.rowid", Integer)


def _identified(name: str) -> Any:
    return bindparam(name, type_=HEX_ID)


def _made_by(table: Any, maker: Maker) -> list[ColumnElement[bool]]:
    run = table.c.worker_run_id
    return {"any": [], "one": [run == _identified("worker_run")], "hand": [run.is_(None)]}[maker]


def _related(way: Way, *, recursive: bool) -> ColumnElement[bool]:
    if way == "children":
        return ELEMENTS.c.id.in_(_below()) if recursive else ELEMENTS.c.parent_id == _identified("id")
    if recursive:
        return ELEMENTS.c.id.in_(_above())
    own = ELEMENTS.alias("own")
    return ELEMENTS.c.id.in_(select(own.c.parent_id).where(own.c.id == _identified("id")))


def _below() -> Any:
    """The ids of all that is below an element. UNION drops what was seen, so that a circle ends."""
    tree = select(ELEMENTS.c.id).where(ELEMENTS.c.parent_id == _identified("id")).cte("below", recursive=True)
    lower = ELEMENTS.alias("lower")
    tree = tree.union(select(lower.c.id).join(tree, lower.c.parent_id == tree.c.id))
    return select(tree.c.id)


def _above() -> Any:
    """The ids of all that is above an element."""
    tree = select(ELEMENTS.c.parent_id.label("id")).where(ELEMENTS.c.id == _identified("id"))
    chain = tree.cte("above", recursive=True)
    upper = ELEMENTS.alias("upper")
    chain = chain.union(select(upper.c.parent_id).join(chain, upper.c.id == chain.c.id))
    return select(chain.c.id)


_ELEMENTS_WITH_IMAGES = select(
    _row_of(ELEMENTS).label("number"), *ELEMENTS.c, *(column.label(f"{PICTURE}{column.name}") for column in IMAGES.c)
).select_from(ELEMENTS.outerjoin(IMAGES, ELEMENTS.c.image_id == IMAGES.c.id))
