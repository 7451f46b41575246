"""The names that a project gives to things, and the ids that they got."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from arkworker.emulator.tables import Dataset, DatasetSet, Element, ElementType, WorkerRun
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from arkworker.emulator.project.source import Loc, Source


class Names:
    """Ids by names, of all that other parts of a project can refer to.

    Attributes:
        types: The slugs of the element types that are there.
        models: Of each name, the ids of the model and of its version.
        sets: Of each set, the id of its dataset and its own name.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.types: set[str] = set()
        self.elements: dict[str, str] = {}
        self.runs: dict[str, str] = {}
        self.models: dict[str, tuple[str, str]] = {}
        self.datasets: dict[str, str] = {}
        self.exports: dict[str, str] = {}
        self.sets: list[tuple[str, str]] = []

    def learn(self, session: Session) -> None:
        """Take in what is there already, of an export."""
        self.types = set(session.scalars(select(ElementType.slug)))
        for row in session.execute(select(Element.name, Element.id).order_by(Element.position)):
            self.elements.setdefault(row[0], row[1])
        self.runs = dict(session.execute(select(WorkerRun.summary, WorkerRun.id)).all())
        self.datasets = dict(session.execute(select(Dataset.name, Dataset.id)).all())
        self.sets = [(row[0], row[1]) for row in session.execute(select(DatasetSet.dataset_id, DatasetSet.name))]

    def find(self, known: dict[str, str], name: str, loc: Loc, kind: str) -> str:
        """The id that a name at a place of the file leads to; an id of something known is one already.

        Raises:
            ConfigurationError: Nothing of this kind has the name.
        """
        if name in known:
            return known[name]
        if name in known.values():
            return name
        raise self._source.refuse(loc, f"no {kind} is named {printable(name)!r}", did_you_mean(name, known))
