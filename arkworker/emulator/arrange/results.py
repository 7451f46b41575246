"""What is on elements before a worker comes: entered by people, or found by worker runs of the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from arkworker.emulator.arrange.corpora import Arrangement, corpus_id
from arkworker.emulator.resources.corpora import next_color
from arkworker.emulator.tables import (
    Classification,
    Element,
    Embedding,
    EntityType,
    MetaData,
    MLClass,
    Transcription,
    TranscriptionEntity,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arkworker.emulator.database import Transaction
    from arkworker.emulator.tables import Signed


class ResultArrangement(Arrangement):
    """The part of the `Emulator` that writes results; without a `worker_run`, a person did."""

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
