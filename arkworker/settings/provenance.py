"""Where each value comes from: written down while values are resolved, never worked out afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from arkworker.errors import Problem
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.settings.values.unreadable import UnreadableError

Path = tuple[str, ...]

#: The names of sources, as reports and `explain` show them; weakest first.
SOURCES = (
    "default",
    "worker version",
    "declared default",
    "model version",
    "worker run",
    "configuration file",
    "env file",
    "environment",
    "command line",
)


@dataclass(frozen=True, slots=True)
class Origin:
    """A place that a value was read from.

    Attributes:
        source: One of `SOURCES`.
        location: `--config.threshold`, `ARKINDEX_CONFIG_THRESHOLD`, `worker.yml:4:3`, `model version 5f1c…`.
    """

    source: str
    location: str


@dataclass(frozen=True, slots=True)
class Shadowed:
    """A value that a stronger source replaced."""

    origin: Origin
    value: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """A spot in a text: what a report shows of it."""

    location: str
    excerpt: str = ""
    line: int = 0
    column: int = 0


@dataclass(slots=True)
class Claim:
    """The value that won a path.

    Attributes:
        value: As read by the type of the option.
        origin: Where it is from.
        place_of: The spot of a part of the value (`("2", "name")`), for sources that know it.
        shadowed: What it replaced, strongest first.
        refused: It has been reported already: nothing more is to be said of its value.
    """

    value: Any = field(repr=False)
    origin: Origin
    place_of: Callable[[Path], Place] | None = None
    shadowed: list[Shadowed] = field(default_factory=list)
    refused: bool = False

    def place(self, rest: Path) -> Place:
        return self.place_of(rest) if self.place_of else Place(self.origin.location)


@dataclass(slots=True)
class Ledger:
    """What was offered for each path, strongest source first; the first offer wins.

    A value for a group as a whole (null) and values for what lies in it exclude each other: there, too, the stronger
    wins.
    """

    claims: dict[Path, Claim] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    # The paths won inside each group: a file may hold many thousand keys.
    _inside: dict[Path, list[Path]] = field(default_factory=dict)

    def offer(self, path: Path, value: Any, origin: Origin, place_of: Callable[[Path], Place] | None = None) -> bool:
        """Whether the value won its path."""
        winners = self._in_the_way(path)
        for winner in winners:
            winner.shadowed.append(Shadowed(origin, value))
        if winners:
            return False
        self.claims[path] = Claim(value, origin, place_of)
        for length in range(1, len(path)):
            self._inside.setdefault(path[:length], []).append(path)
        return True

    def refuse(
        self,
        path: Path,
        error: UnreadableError,
        origin: Origin,
        place_of: Callable[[UnreadableError], Place] | None = None,
    ) -> None:
        """An offer that cannot be read: a problem, if it would have won."""
        if self.offer(path, None, origin):
            self.claims[path].refused = True
            for one in error.errors:
                place = place_of(one) if place_of else Place(origin.location)
                self.report((*path, *one.steps), one.message, origin, place, one.hint)

    def report(self, path: Path, message: str, origin: Origin, place: Place | None = None, hint: str = "") -> None:
        self.problems.append(problem(path, message, origin, place, hint))

    def warn(self, path: Path, message: str, origin: Origin, hint: str = "") -> None:
        self.warnings.append(problem(path, message, origin, None, hint))

    def won_inside(self, path: Path) -> list[Path]:
        """The paths that were won inside a group."""
        return self._inside.get(path, [])

    def claim_for(self, path: Path) -> tuple[Claim | None, Path]:
        """The claim that holds a path, and the path inside its value."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.claims:
                return self.claims[path[:length]], path[length:]
        return None, ()

    def _in_the_way(self, path: Path) -> list[Claim]:
        above = (path[:length] for length in range(1, len(path) + 1))
        return [self.claims[other] for other in (*above, *self.won_inside(path)) if other in self.claims]


def problem(path: Path, message: str, origin: Origin, place: Place | None, hint: str) -> Problem:
    place = place or Place(origin.location)
    return Problem(
        path=".".join(printable(step, 60) for step in path),
        source=origin.source,
        location=place.location,
        message=message,
        hint=hint,
        excerpt=place.excerpt,
        line=place.line,
        column=place.column,
    )
