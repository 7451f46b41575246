"""A worker that puts the text of a page on its lines, all of which are on Arkindex already."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pydantic import Field

from arkworker import Element, ElementsWorker, On, Transcription, UserConfiguration, WorkerContext

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

logger = logging.getLogger("arkworker.examples.line_texts")


class LineTextsConfiguration(UserConfiguration):
    line_type: str = Field("text_line", title="Type of lines", description="Slug of the elements that get a text.")
    confidence: float = Field(1.0, ge=0, le=1, title="Confidence", description="That each text belongs to its line.")


class LineTexts(ElementsWorker[LineTextsConfiguration]):
    """Put the text that somebody entered for a page on its lines, from top to bottom.

    A text that has not as many lines as the page is left alone.
    """

    def process_element(
        self, element: Element, context: WorkerContext[LineTextsConfiguration], cache: Session
    ) -> Iterator[On]:
        lines = sorted(element.children(type=context.config.line_type), key=reading_order)
        texts = [text.text.split("\n") for text in element.transcriptions(worker_run=False)]
        fitting = next((text for text in map(written_lines, texts) if len(text) == len(lines)), None)
        if fitting is None:
            logger.warning("%s: no text has %d lines", element, len(lines))
            return
        for line, text in zip(lines, fitting, strict=True):
            yield On(line, Transcription(text=text, confidence=context.config.confidence))


def reading_order(line: Element) -> tuple[float, float]:
    box = line.bounding_box
    return box.y, box.x


def written_lines(text: list[str]) -> list[str]:
    return [line.strip() for line in text if line.strip()]
