"""What a report shows of a run, collected while elements end; its size does not grow with their number."""

from __future__ import annotations

import base64
import contextlib
import heapq
import io
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from arkworker.elements.results import Child
from arkworker.geometry import PixelBox, as_polygon
from arkworker.images.orientation import Orientation, apply_orientation
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import PIL.Image

    from arkworker.elements.model import Element
    from arkworker.geometry import Polygon
    from arkworker.images.options import ImageOptions, Picture

MOST_BINS = 100
FIRST_BIN = 0.25  # seconds; twice as many whenever there are too many bins
MOST_SLOW = 10
MOST_PICTURES = 6
MOST_OUTLINES = 300  # of a picture
MOST_POINTS = 60  # of an outline
THUMBNAIL = 320  # pixels, the longer side
MOST_PIXELS = 40_000_000  # of an image: to shrink a larger one would hold up the work
MOST_PROCESSES = 64
LONGEST_NAME = 80  # characters


class Timeline:
    """How many elements ended how in each stretch of time; the stretches get longer with the run.

    Attributes:
        seconds: The length of a stretch.
        bins: Counts by outcome, of one stretch after the other.
    """

    def __init__(self) -> None:
        self.seconds = FIRST_BIN
        self.bins: list[Counter[str]] = []

    def add(self, after: float, outcome: str, number: int) -> None:
        """So many ended so many seconds after the start."""
        while after >= self.seconds * MOST_BINS:
            even, odd = self.bins[::2], self.bins[1::2]
            self.bins = [first + second for first, second in zip(even, [*odd, Counter[str]()], strict=False)]
            self.seconds *= 2
        position = int(after / self.seconds)
        while len(self.bins) <= position:
            self.bins.append(Counter())
        self.bins[position][outcome] += number


@dataclass(slots=True)
class Thumbnail:
    """A small picture of what a worker saw of an element, and of what it found there.

    Attributes:
        id: Of the element.
        name: Of the element, and its type.
        width: Of the small picture, in pixels.
        height: Likewise.
        jpeg: The file, in base64.
        outlines: What was found, in pixels of the small picture.
        view: The part of the image that it shows, and how that is turned; None where outlines cannot be placed.
        more: How many outlines there are beyond these.
    """

    id: str
    name: str
    width: int
    height: int
    jpeg: str
    outlines: list[Polygon] = field(default_factory=list)
    view: tuple[PixelBox, Orientation] | None = None
    more: int = 0

    def draw(self, outlines: Iterable[Polygon]) -> None:
        """Place outlines that are given in pixels of the whole image."""
        if self.view is None:
            return
        box, orientation = self.view
        corners = apply_orientation(box.corners, box, orientation)
        wide, high = max(x for x, _ in corners) or 1, max(y for _, y in corners) or 1
        for outline in outlines:
            if len(self.outlines) >= MOST_OUTLINES:
                self.more += 1
                continue
            step = -(-len(outline) // MOST_POINTS)
            with contextlib.suppress(ValueError):  # fewer than three points
                placed = apply_orientation(outline[::step], box, orientation)
                self.outlines.append(tuple((x * self.width / wide, y * self.height / high) for x, y in placed))


@dataclass(slots=True)
class Highlights:
    """Single elements that a process has to show.

    Attributes:
        slowest: Seconds, id and name of those that took the longest.
        thumbnails: Of some of its elements.
    """

    slowest: list[tuple[float, str, str]] = field(default_factory=list)
    thumbnails: list[Thumbnail] = field(default_factory=list)


@dataclass(slots=True)
class ProcessFigures:
    """A process of a run of several.

    Attributes:
        counts: How many of its elements ended how.
        phases: Seconds by phase; empty where it was killed before it could tell.
    """

    counts: Counter[str] = field(default_factory=Counter)
    phases: Mapping[str, float] = field(default_factory=dict)


class Collected:
    """Receives all that happens in a run; from any thread.

    Args:
        write: Writes the report of it.

    Attributes:
        began: When.
        counts: How many elements ended how.
        timeline: The same over time.
        highlights: What it learns about single elements.
        processes: By number; empty for a run of one process.
        summary: The numbers of the summary; empty until the elements are over.
        errors: Groups of errors, the most frequent first, as `failures` has them: text, count, elements, trace.
        ended_by: What ended the run before its elements were over, in words.
        exit_code: That of the run, as far as known.
    """

    def __init__(self, write: Callable[[Collected], None] | None = None) -> None:
        self.began = datetime.now(UTC)
        self.counts: Counter[str] = Counter()
        self.timeline = Timeline()
        self.highlights = Highlights()
        self.processes: dict[int, ProcessFigures] = {}
        self.summary: Mapping[str, Any] = {}
        self.errors: Sequence[Mapping[str, Any]] = ()
        self.ended_by = ""
        self.exit_code: int | None = None
        self._write = write
        self._start = time.monotonic()
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._start

    def count(self, outcome: str, number: int) -> None:
        """So many elements ended so."""
        with self._lock:
            self.counts[outcome] += number
            self.timeline.add(self.seconds, outcome, number)

    def count_for(self, process: int, outcome: str, number: int) -> None:
        """As `count`, of one process; those beyond a number are not told apart."""
        with self._lock:
            self._figures_of(process).counts[outcome] += number

    def add_process(self, process: int, phases: Mapping[str, float], highlights: Highlights | None) -> None:
        """A process has come to its end."""
        with self._lock:
            figures = self._figures_of(process)
            figures.phases = {name: figures.phases.get(name, 0.0) + seconds for name, seconds in phases.items()}
            if highlights is not None:
                self.highlights.slowest = heapq.nlargest(MOST_SLOW, [*self.highlights.slowest, *highlights.slowest])
                self.highlights.thumbnails = [*self.highlights.thumbnails, *highlights.thumbnails][:MOST_PICTURES]

    def worked(self, elements: Sequence[Element], results: Sequence[Sequence[Any]], seconds: float) -> None:
        """User code has come back, with results for each element or, where it failed, with none.

        Args:
            elements: What it got.
            results: What it found on each.
            seconds: How long it took for all of them.
        """
        each = seconds / len(elements)
        with self._lock:
            for element in elements:
                if len(self.highlights.slowest) < MOST_SLOW:
                    heapq.heappush(self.highlights.slowest, (each, element.id, _name_of(element)))
                elif each > self.highlights.slowest[0][0]:
                    heapq.heapreplace(self.highlights.slowest, (each, element.id, _name_of(element)))
            found = dict(zip((element.id for element in elements), results, strict=False))
            known = {element.id: element for element in elements}
            for shown in self.highlights.thumbnails:
                if shown.id in known:
                    shown.name = _name_of(known[shown.id])
                    shown.draw(_outlines_in(found.get(shown.id, ())))

    def see(self, picture: Picture, options: ImageOptions, image: PIL.Image.Image) -> None:
        """User code has opened an image: the first ones are shown, as they were seen."""
        shown = self.highlights.thumbnails
        if image.width * image.height > MOST_PIXELS or len(shown) >= MOST_PICTURES:
            return
        if any(other.id == picture.id for other in shown):
            return
        with contextlib.suppress(Exception):  # whatever Pillow raises, no element should fail because of it
            thumbnail = _thumbnail_of(picture, options, image)
            with self._lock:
                if len(shown) < MOST_PICTURES:
                    shown.append(thumbnail)

    def end(self, summary: Mapping[str, Any], errors: Sequence[Mapping[str, Any]]) -> None:
        """The elements are over."""
        self.summary, self.errors, self.exit_code = summary, errors, summary["exit_code"]

    def fail(self, reason: str, exit_code: int) -> None:
        """The run failed."""
        self.ended_by, self.exit_code = reason, exit_code

    def write(self) -> None:
        """Write the report, where one is wanted."""
        if self._write is not None:
            with self._lock:
                self._write(self)

    def _figures_of(self, process: int) -> ProcessFigures:
        return self.processes.setdefault(min(process, MOST_PROCESSES), ProcessFigures())


def _name_of(element: Element) -> str:
    return printable(" ".join(filter(None, (element.type, element.name))), LONGEST_NAME)


def _outlines_in(results: Iterable[Any]) -> Iterator[Polygon]:
    for result in results:
        if isinstance(result, Child) and result.polygon is not None and result.image is None:
            yield as_polygon(result.polygon)
            yield from _outlines_in(result.results)


def _thumbnail_of(picture: Picture, options: ImageOptions, image: PIL.Image.Image) -> Thumbnail:
    scale = min(1.0, THUMBNAIL / max(image.size))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    small = image.convert("RGB") if image.mode not in ("L", "RGB") else image
    small = small.resize(size, reducing_gap=1.5)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=70)
    angle = picture.orientation.rotation_angle if options.rotation_angle is None else options.rotation_angle
    mirrored = picture.orientation.mirrored if options.mirrored is None else options.mirrored
    box = picture.box
    if box is None and options.max_width is None and options.max_height is None and not angle:
        box = PixelBox(0, 0, *image.size)
    return Thumbnail(
        id=picture.id,
        name="",
        width=size[0],
        height=size[1],
        jpeg=base64.b64encode(file.getvalue()).decode(),
        view=None if box is None else (box, Orientation(angle, mirrored)),
    )
