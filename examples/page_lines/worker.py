"""A worker that finds the text lines of scanned pages, with no model and no Arkindex."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from time import perf_counter
from typing import TYPE_CHECKING

from drawing import draw_layout
from layout import find_layout
from PIL import Image
from pydantic import Field, FilePath

from arkworker import UserConfiguration, Worker, WorkerContext

if TYPE_CHECKING:
    from pathlib import Path

    from layout import PageLayout
    from sqlalchemy.orm import Session

logger = logging.getLogger("arkworker.examples.page_lines")


class PageLinesConfiguration(UserConfiguration):
    pages: list[FilePath] = Field(min_length=1, title="Pages", description="Image files of upright pages.")
    contrast: float = Field(
        0.35, gt=0, lt=1, title="Contrast", description="How much darker than the paper around it ink is."
    )
    smallest_letter: int = Field(
        5, ge=2, title="Smallest letter", description="What is less high, in pixels, is a speck."
    )
    most_columns: int = Field(2, ge=1, le=6, title="Most columns", description="How many columns to look for.")
    draw: bool = Field(True, title="Draw", description="Whether to write a picture of each page with its lines.")


class PageLines(Worker[PageLinesConfiguration]):
    """Find the text lines of scanned pages by projection profiles."""

    def run(self, context: WorkerContext[PageLinesConfiguration], cache: Session) -> None:
        for page in context.config.pages:
            started = perf_counter()
            with Image.open(page) as image:
                image.load()
            layout = self.find_lines(image, context.config)
            write_layout(context.work_dir / f"{page.stem}.json", page, layout)
            if context.config.draw:
                draw_layout(image, layout).save(context.work_dir / f"{page.stem}.png")
            logger.info("%s, %.1f s", summarize(page, layout), perf_counter() - started)

    def find_lines(self, image: Image.Image, config: PageLinesConfiguration) -> PageLayout:
        return find_layout(
            image, contrast=config.contrast, smallest=config.smallest_letter, columns=config.most_columns
        )


def write_layout(path: Path, page: Path, layout: PageLayout) -> None:
    """Write what was found as JSON: polygons in pixels of the page."""
    path.write_text(json.dumps({"page": page.name, **asdict(layout)}) + "\n", encoding="utf-8")


def summarize(page: Path, layout: PageLayout) -> str:
    """A page in one line for people."""
    counts = [(len(layout.lines), "line"), (layout.columns, "column"), (len(layout.pictures), "picture")]
    found = ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for count, name in counts)
    return f"{page.name}: {found}, slope {layout.slope:+.1f}°"
