"""What a worker run left on the emulated Arkindex, as the values that a worker makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import select

from arkworker.elements import results as found
from arkworker.emulator import tables
from arkworker.emulator.arrange.corpora import Arrangement
from arkworker.emulator.represent import pick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

R = TypeVar("R", bound=found.ResultModel)

KINDS = (found.Child, found.Transcription, found.Entity, found.Classification, found.Metadata, found.Embedding)


class PublishedResults(Arrangement):
    """The part of the `Emulator` that shows what was published."""

    def published(self, worker_run: str, kind: type[R], *, element: str | None = None) -> list[R]:
        """What a worker run published, in the order in which it came.

        Args:
            worker_run: The worker run that signed it.
            kind: A class of results, such as `Transcription`. A `Child` is given without the results on it, which are
                there themselves; an `Entity` is in its transcription, and there itself, on a text from before the run
                as well.
            element: Only what is on the element with this id; for a `Child`, those below it.

        Raises:
            LookupError: There is no such run or element.
            TypeError: It is not a class of what is on elements.
        """
        if kind not in KINDS:
            names = ", ".join(one.__name__ for one in KINDS)
            raise TypeError(f"published lists what is on elements, one of {names}, not {kind!r}")
        with self.database.transaction() as session:
            session.look_up(tables.WorkerRun, worker_run)
            if element is not None:
                session.look_up(tables.Element, element)
            return list(found.all_of(list(_published(session, worker_run, element)), kind))


def _published(session: Session, run: str, on: str | None) -> Iterator[found.ResultModel]:
    below = select(tables.Element).where(tables.Element.worker_run_id == run).order_by(tables.Element.position)
    if on is not None:
        below = below.join(tables.ElementLink, tables.ElementLink.child_id == tables.Element.id)
        below = below.where(tables.ElementLink.parent_id == on)
    for element in session.scalars(below):
        values = pick(element, "name", "polygon", "confidence")
        yield found.Child.model_construct(type=element.type.slug, image=element.image_id, **values)
    for text in _signed(session, tables.Transcription, run, on):
        yield _transcription(session, text, run)
    yield from _entities_on_earlier_texts(session, run, on)
    for row in _signed(session, tables.Classification, run, on):
        values = pick(row, "confidence", "high_confidence")
        yield found.Classification.model_construct(class_name=row.ml_class.name, **values)
    for row in _signed(session, tables.MetaData, run, on):
        yield found.Metadata.model_construct(**pick(row, "type", "name", "value"))
    for row in _signed(session, tables.Embedding, run, on):
        yield found.Embedding.model_construct(value=tuple(row.value))


def _signed(session: Session, table: Any, run: str, on: str | None) -> list[Any]:
    rows = select(table).where(table.worker_run_id == run).order_by(table.position)
    return list(session.scalars(rows if on is None else rows.where(table.element_id == on)))


def _transcription(session: Session, row: tables.Transcription, run: str) -> found.Transcription:
    table = tables.TranscriptionEntity
    rows = select(table).where(table.transcription_id == row.id, table.worker_run_id == run).order_by(table.position)
    entities = tuple(map(_entity, session.scalars(rows)))
    return found.Transcription.model_construct(**pick(row, "text", "confidence", "orientation"), entities=entities)


def _entities_on_earlier_texts(session: Session, run: str, on: str | None) -> Iterator[found.Entity]:
    """Those on texts that the run has found there: the texts themselves are not its own."""
    table, text = tables.TranscriptionEntity, tables.Transcription
    rows = select(table).join(text, text.id == table.transcription_id).order_by(table.position)
    rows = rows.where(table.worker_run_id == run, text.worker_run_id.is_distinct_from(run))
    yield from map(_entity, session.scalars(rows if on is None else rows.where(text.element_id == on)))


def _entity(row: tables.TranscriptionEntity) -> found.Entity:
    return found.Entity(type=row.type.name, **pick(row, "offset", "length", "confidence"))
