"""A worker that finds the text lines and the pictures of scanned pages, with no model."""

from __future__ import annotations

import logging
import re
from time import perf_counter
from typing import TYPE_CHECKING, Any

from alignment import align
from drawing import draw_layout
from layout import find_layout
from pydantic import Field

from arkworker import (
    Child,
    Classification,
    Element,
    ElementsWorker,
    Metadata,
    Result,
    Transcription,
    UserConfiguration,
    WorkerContext,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alignment import Reading
    from ink import Box
    from layout import PageLayout, TextLine
    from PIL import Image
    from sqlalchemy.orm import Session

logger = logging.getLogger("arkworker.examples.page_lines")


class PageLinesConfiguration(UserConfiguration):
    contrast: float = Field(
        0.35, gt=0, lt=1, title="Contrast", description="How much darker than the paper around it ink is."
    )
    smallest_letter: int = Field(
        5, ge=2, title="Smallest letter", description="What is less high, in pixels, is a speck."
    )
    most_columns: int = Field(2, ge=1, le=6, title="Most columns", description="How many columns to look for.")
    draw: bool = Field(True, title="Draw", description="Whether to leave a picture of each page with its lines.")


class PageLines(ElementsWorker[PageLinesConfiguration]):
    """Find the text lines and the pictures of scanned pages by projection profiles.

    Where somebody has entered the text of a page, with as many lines as are found, each line gets its own.
    """

    creates = ("text_line", "illustration")

    def process_element(
        self, element: Element, context: WorkerContext[PageLinesConfiguration], cache: Session
    ) -> Iterator[Result]:
        started = perf_counter()
        image = element.open_image()
        layout = self.find_lines(image, context.config)
        if context.config.draw:
            draw_layout(image, layout).save(context.work_dir / f"{file_name(element)}.png")
        logger.info("%s, %.1f s", summarize(element.name, layout), perf_counter() - started)
        yield Metadata(type="numeric", name="Slope", value=f"{layout.slope:.1f}")
        if layout.columns:
            yield Classification(class_name=counted(layout.columns, "column"), confidence=1)
        for line, reading in zip(layout.lines, align(layout.lines, known_texts(element, context)), strict=True):
            yield line_of(element, line, reading)
        for box in layout.pictures:
            yield Child(type="illustration", polygon=element.revert_orientation(corners(box)))

    def find_lines(self, image: Image.Image, config: PageLinesConfiguration) -> PageLayout:
        return find_layout(
            image, contrast=config.contrast, smallest=config.smallest_letter, columns=config.most_columns
        )


def line_of(element: Element, line: TextLine, reading: Reading | None) -> Child:
    read = [Transcription(text=reading.text, confidence=reading.confidence)] if reading else []
    return Child(type="text_line", polygon=element.revert_orientation(line.polygon), results=read)


def known_texts(element: Element, context: WorkerContext[Any]) -> Iterator[str]:
    """The texts of the page itself; none for an image at a desk, which is on no Arkindex."""
    if element.corpus is not None:
        for transcription in context.api.paginate("ListTranscriptions", id=element.id):
            yield transcription["text"]


def corners(box: Box) -> list[tuple[int, int]]:
    return [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]


def file_name(element: Element) -> str:
    return re.sub(r"[^\w-]+", "_", element.name)[:100] or element.id


def summarize(name: str, layout: PageLayout) -> str:
    """A page in one line for people."""
    counts = [(len(layout.lines), "line"), (layout.columns, "column"), (len(layout.pictures), "picture")]
    found = ", ".join(counted(count, noun) for count, noun in counts)
    return f"{name}: {found}, slope {layout.slope:+.1f}°"


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
