"""What is on elements: before a worker comes, by people or by worker runs of the past; and what a run left there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import select

from arkworker.elements import results as found
from arkworker.emulator.arrange.corpora import Arrangement, corpus_id
from arkworker.emulator.represent import pick
from arkworker.emulator.resources.corpora import next_color
from arkworker.emulator.tables import (
    Classification,
    Element,
    ElementLink,
    Embedding,
    EntityType,
    MetaData,
    MLClass,
    Transcription,
    TranscriptionEntity,
    WorkerRun,
)
from arkworker.geometry import as_polygon

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

    from arkworker.emulator.database import Transaction
    from arkworker.emulator.tables import Signed

R = TypeVar("R", bound=found.ResultModel)
KINDS = (found.Child, found.Transcription, found.Entity, found.Classification, found.Metadata, found.Embedding)


class ResultArrangement(Arrangement):
    """The part of the `Emulator` that writes results, and shows them; without a `worker_run`, a person found them."""

    def add_transcription(
        self, element: str, text: str, *, confidence: float | None = None, worker_run: str | None = None, **columns: Any
    ) -> str:
        """Add what is written on an element; returns its id. Further attributes are columns: `id`, `orientation`.

        Raises:
            LookupError: There is no such element.
        """
        columns |= {"text": text, "confidence": confidence, "worker_run_id": worker_run}
        return self._add_to(element, Transcription, **columns)

    def add_class(self, name: str, *, corpus: str | None = None) -> str:
        """Add a class to the corpus unless it exists; returns its id."""
        with self.database.transaction() as session:
            return _class(session, corpus_id(session, corpus), name)

    def add_entity_type(self, name: str, *, color: str = "", corpus: str | None = None) -> str:
        """Add a type of entities unless it exists; returns its id."""
        with self.database.transaction() as session:
            return _entity_type(session, corpus_id(session, corpus), name, color)

    def add_classification(
        self, element: str, name: str, *, confidence: float = 1.0, worker_run: str | None = None
    ) -> str:
        """Add a classification, and its class if it is missing; returns its id."""
        with self.database.transaction() as session:
            ml_class = _class(session, session.look_up(Element, element).corpus_id, name)
            row = Classification(element_id=element, ml_class_id=ml_class, confidence=confidence)
            row.worker_run_id = worker_run
            return session.keep(row).id

    def add_entity(  # noqa: PLR0913 - what an entity is
        self,
        transcription: str,
        type: str,  # noqa: A002 - as everywhere in Arkindex
        offset: int,
        length: int,
        *,
        confidence: float | None = None,
        worker_run: str | None = None,
    ) -> str:
        """Add an entity to a transcription, and its type if it is missing; returns its id.

        Raises:
            ValueError: It is not inside of the text.
        """
        with self.database.transaction() as session:
            owner = session.look_up(Transcription, transcription)
            if offset + length > len(owner.text):
                raise ValueError(f"the entity ends after the text, which has {len(owner.text)} characters")
            kind = _entity_type(session, owner.element.corpus_id, type)
            place = {"transcription_id": owner.id, "type_id": kind, "offset": offset, "length": length}
            row = TranscriptionEntity(confidence=confidence, worker_run_id=worker_run, **place)
            return session.keep(row).id

    def add_metadata(
        self,
        element: str,
        name: str,
        value: str | float,
        *,
        type: str = "text",  # noqa: A002 - as everywhere in Arkindex
        worker_run: str | None = None,
    ) -> str:
        """Add a metadata; returns its id."""
        return self._add_to(element, MetaData, type=type, name=name, value=str(value), worker_run_id=worker_run)

    def add_embedding(self, element: str, value: Sequence[float], *, worker_run: str | None = None) -> str:
        """Add an embedding; returns its id."""
        return self._add_to(element, Embedding, value=[float(item) for item in value], worker_run_id=worker_run)

    def published(self, worker_run: str, kind: type[R], *, element: str | None = None) -> list[R]:
        """What a worker run published, in the order in which it came.

        Args:
            worker_run: The worker run that signed it.
            kind: A class of results, such as `Transcription`. A `Child` is given without the results on it, which are
                there themselves, and its polygon is closed, as Arkindex keeps it; an `Entity` is in its transcription,
                and there itself, on a text from before the run as well.
            element: Only what is on the element with this id; for a `Child`, those below it.

        Raises:
            LookupError: There is no such run or element.
            TypeError: It is not a class of what is on elements.
        """
        if kind not in KINDS:
            names = ", ".join(one.__name__ for one in KINDS)
            raise TypeError(f"published lists what is on elements, one of {names}, not {kind!r}")
        with self.database.transaction() as session:
            session.look_up(WorkerRun, worker_run)
            if element is not None:
                session.look_up(Element, element)
            return list(found.all_of(list(_published(session, worker_run, element)), kind))

    def _add_to(self, element: str, table: type[Signed], **columns: Any) -> str:
        with self.database.transaction() as session:
            return session.keep(table(element_id=session.look_up(Element, element).id, **columns)).id


def _class(session: Transaction, corpus: str, name: str) -> str:
    found = session.scalar(select(MLClass.id).filter_by(corpus_id=corpus, name=name))
    return found or session.keep(MLClass(corpus_id=corpus, name=name)).id


def _entity_type(session: Transaction, corpus: str, name: str, color: str = "") -> str:
    found = session.scalar(select(EntityType.id).filter_by(corpus_id=corpus, name=name))
    if found is not None:
        return found
    color = color or next_color(session, EntityType, corpus)
    return session.keep(EntityType(corpus_id=corpus, name=name, color=color)).id


def _published(session: Session, run: str, on: str | None) -> Iterator[found.ResultModel]:
    below = select(Element).where(Element.worker_run_id == run).order_by(Element.position)
    if on is not None:
        below = below.join(ElementLink, ElementLink.child_id == Element.id)
        below = below.where(ElementLink.parent_id == on)
    for element in session.scalars(below):
        polygon = None if element.polygon is None else as_polygon(element.polygon)
        values = pick(element, "name", "confidence")
        yield found.Child.model_construct(type=element.type.slug, polygon=polygon, image=element.image_id, **values)
    for text in _signed(session, Transcription, run, on):
        yield _transcription(session, text, run)
    yield from _entities_on_earlier_texts(session, run, on)
    for row in _signed(session, Classification, run, on):
        values = pick(row, "confidence", "high_confidence")
        yield found.Classification.model_construct(class_name=row.ml_class.name, **values)
    for row in _signed(session, MetaData, run, on):
        yield found.Metadata.model_construct(**pick(row, "type", "name", "value"))
    for row in _signed(session, Embedding, run, on):
        yield found.Embedding.model_construct(value=tuple(row.value))


def _signed(session: Session, table: Any, run: str, on: str | None) -> list[Any]:
    rows = select(table).where(table.worker_run_id == run).order_by(table.position)
    return list(session.scalars(rows if on is None else rows.where(table.element_id == on)))


def _transcription(session: Session, row: Transcription, run: str) -> found.Transcription:
    table = TranscriptionEntity
    rows = select(table).where(table.transcription_id == row.id, table.worker_run_id == run).order_by(table.position)
    entities = tuple(map(_entity, session.scalars(rows)))
    return found.Transcription.model_construct(**pick(row, "text", "confidence", "orientation"), entities=entities)


def _entities_on_earlier_texts(session: Session, run: str, on: str | None) -> Iterator[found.Entity]:
    """Those on texts that the run has found there: the texts themselves are not its own."""
    table, text = TranscriptionEntity, Transcription
    rows = select(table).join(text, text.id == table.transcription_id).order_by(table.position)
    rows = rows.where(table.worker_run_id == run, text.worker_run_id.is_distinct_from(run))
    yield from map(_entity, session.scalars(rows if on is None else rows.where(text.element_id == on)))


def _entity(row: TranscriptionEntity) -> found.Entity:
    return found.Entity(type=row.type.name, **pick(row, "offset", "length", "confidence"))
