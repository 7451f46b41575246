"""A worker that finds years and places in texts that are on Arkindex already, with no model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import Field

from arkworker import Creates, Element, ElementsWorker, Entity, On, UserConfiguration, WorkerContext

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

YEAR = re.compile(r"\b1[0-9]{3}\b")


class NamedEntitiesConfiguration(UserConfiguration):
    places: list[str] = Field([], title="Places", description="The names to look for, as they are written.")


class NamedEntities(ElementsWorker[NamedEntitiesConfiguration]):
    """Find years and places in the transcriptions of a page and of all that lies on it."""

    creates = Creates(entity_types=("year", "place"))

    def process_element(
        self, element: Element, context: WorkerContext[NamedEntitiesConfiguration], cache: Session
    ) -> Iterator[On]:
        for transcription in element.transcriptions(recursive=True):
            found = list(find(transcription.text, context.config.places))
            if found:
                yield On(transcription, found)


def find(text: str, places: Sequence[str]) -> Iterator[Entity]:
    """The years in a text, then the places, each in the order of the text."""
    patterns = {"year": YEAR}
    if places:
        names = "|".join(re.escape(name) for name in sorted(places, key=len, reverse=True))
        patterns["place"] = re.compile(rf"\b({names})\b")
    for kind, pattern in patterns.items():
        for match in pattern.finditer(text):
            yield Entity(type=kind, offset=match.start(), length=len(match.group()))
