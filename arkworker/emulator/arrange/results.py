"""What is on elements before a worker comes: entered by people, or found by worker runs of the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from arkworker.emulator.arrange.corpora import Arrangement, corpus_id, find
from arkworker.emulator.tables import (
    ENTITY_COLORS,
    Classification,
    Element,
    Embedding,
    EntityType,
    MetaData,
    MLClass,
    Transcription,
    TranscriptionEntity,
    new_id,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


class ResultArrangement(Arrangement):
    """The part of the `Emulator` that writes results; without a `worker_run`, a person did."""

    def add_transcription(
        self, element: str, text: str, *, confidence: float | None = None, worker_run: str | None = None, **columns: Any
    ) -> str:
        """Add what is written on an element; returns its id. Further attributes are columns: `id`, `orientation`.

        Raises:
            LookupError: There is no such element.
        """
        columns = {"id": new_id(), **columns}
        with self.database.transaction() as session:
            owner = find(session, Element, element)
            row = Transcription(
                element_id=owner.id, text=text, confidence=confidence, worker_run_id=worker_run, **columns
            )
            session.add(row)
            return row.id

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
            owner = find(session, Element, element)
            ml_class = _class(session, owner.corpus_id, name)
            row = Classification(id=new_id(), element_id=owner.id, ml_class_id=ml_class, confidence=confidence)
            row.worker_run_id = worker_run
            session.add(row)
            return row.id

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
            owner = find(session, Transcription, transcription)
            if offset + length > len(owner.text):
                raise ValueError(f"the entity ends after the text, which has {len(owner.text)} characters")
            kind = _entity_type(session, owner.element.corpus_id, type)
            place = {"transcription_id": owner.id, "type_id": kind, "offset": offset, "length": length}
            row = TranscriptionEntity(id=new_id(), confidence=confidence, worker_run_id=worker_run, **place)
            session.add(row)
            return row.id

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
        with self.database.transaction() as session:
            owner = find(session, Element, element)
            row = MetaData(id=new_id(), element_id=owner.id, type=type, name=name, value=str(value))
            row.worker_run_id = worker_run
            session.add(row)
            return row.id

    def add_embedding(self, element: str, value: Sequence[float], *, worker_run: str | None = None) -> str:
        """Add an embedding; returns its id."""
        with self.database.transaction() as session:
            owner = find(session, Element, element)
            row = Embedding(id=new_id(), element_id=owner.id, value=[float(item) for item in value])
            row.worker_run_id = worker_run
            session.add(row)
            return row.id


def _class(session: Session, corpus: str, name: str) -> str:
    row = session.scalar(select(MLClass).filter_by(corpus_id=corpus, name=name))
    if row is None:
        row = MLClass(id=new_id(), corpus_id=corpus, name=name)
        session.add(row)
        session.flush()
    return row.id


def _entity_type(session: Session, corpus: str, name: str, color: str = "") -> str:
    row = session.scalar(select(EntityType).filter_by(corpus_id=corpus, name=name))
    if row is None:
        used = len(session.scalars(select(EntityType.id).filter_by(corpus_id=corpus)).all())
        row = EntityType(id=new_id(), corpus_id=corpus, name=name)
        row.color = color or ENTITY_COLORS[used % len(ENTITY_COLORS)]
        session.add(row)
        session.flush()
    return row.id
