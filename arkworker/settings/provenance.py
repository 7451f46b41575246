"""Where each value comes from: recorded while sources are read, never worked out afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_settings import PydanticBaseSettingsSource

from arkworker.errors import Problem
from arkworker.options.options import Group
from arkworker.settings.reading import Reference, Refused
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pydantic.fields import FieldInfo

    from arkworker.documents.text_file import TextFile
    from arkworker.settings.catalogue import WorkerOptions

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


class Origin(NamedTuple):
    """Where a value came from.

    Attributes:
        source: One of `SOURCES`, or the name of a worker's own source.
        location: `--config.threshold`, `ARKINDEX_CONFIG_THRESHOLD`, `worker.yml:4:3`, `model version 5f1c…`.
        shadowed: What it replaced, strongest first, once all sources were asked.
    """

    source: str
    location: str
    shadowed: tuple[Shadowed, ...] = ()


@dataclass(frozen=True, slots=True)
class Shadowed:
    """A value that a stronger source replaced."""

    origin: Origin
    value: Any = field(repr=False)


class Place(NamedTuple):
    """A spot in a text: what a report shows of it."""

    location: str
    excerpt: str = ""
    line: int = 0
    column: int = 0


@dataclass(slots=True, eq=False)
class Claim:
    """The value that won a path.

    Attributes:
        value: As read by the type of the option, or `Refused`.
        origin: Where it is from.
        place_of: For sources that know the spot of each part of the value, or of its key.
        shadowed: What it replaced, strongest first.
        refused: It has been reported already: nothing more is to be said of its value.
    """

    value: Any = field(repr=False)
    origin: Origin
    # A method of the source, which holds its values.
    place_of: Callable[..., Place] | None = field(default=None, repr=False)
    shadowed: list[Shadowed] = field(default_factory=list)
    refused: bool = False

    def place(self, rest: Path, *, at_key: bool = False) -> Place:
        """The spot of a part of the value, `("2", "name")`, or of its key."""
        return self.place_of(rest, at_key=at_key) if self.place_of else Place(self.origin.location)


@dataclass(slots=True, eq=False)
class Ledger:
    """What was offered for each path, strongest source first; the first offer wins.

    A value for a group as a whole (null, or an empty mapping) and values for what lies in it exclude each other: there,
    too, the stronger wins.
    """

    claims: dict[Path, Claim] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    # The paths won inside each group: a file may hold many thousand keys.
    _inside: dict[Path, list[Path]] = field(default_factory=dict)

    def offer(self, path: Path, value: Any, origin: Origin, place_of: Callable[..., Place] | None = None) -> bool:
        """Whether the value won its path."""
        above = (path[:length] for length in range(1, len(path) + 1))
        winners = [self.claims[other] for other in (*above, *self.won_inside(path)) if other in self.claims]
        for winner in winners:
            winner.shadowed.append(Shadowed(origin, None if isinstance(value, Refused) else value))
        if winners:
            return False
        self.claims[path] = Claim(value, origin, place_of)
        for length in range(1, len(path)):
            self._inside.setdefault(path[:length], []).append(path)
        return True

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

    def document(self, root: str) -> dict[str, Any]:
        """What was won below a root, nested as the paths; refused values as they were given."""
        claims = ((path[1:], self.claims[path].value) for path in self.won_inside((root,)))
        return nested((path, value.value if isinstance(value, Refused) else value) for path, value in claims)


def problem(path: Path, message: str, origin: Origin, place: Place | None = None, hint: str = "") -> Problem:
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


def failure_of(error: BaseException) -> str:
    """What is reported of a source that failed: nothing of what it read."""
    from arkworker.settings.report.redaction import place_in_code

    reason = printable(error.strerror or "", 100) if isinstance(error, OSError) else ""
    return f"this source failed: {type(error).__name__}{place_in_code(error)}" + (f", {reason}" if reason else "")


def nested(values: Iterable[tuple[Path, Any]]) -> dict[str, Any]:
    """Values by their paths as mappings in one another."""
    tree: dict[str, Any] = {}
    for path, value in values:
        target = tree
        for key in path[:-1]:
            target = target.setdefault(key, {})
        target[path[-1]] = value
    return tree


@dataclass(eq=False)
class Sources:
    """What the sources of a worker read, and what becomes of it: they are asked once, for all that is made of it.

    Attributes:
        command_line: The source of the flags, loaded.
        environment: That of the environment variables.
        env_file: That of the file which `--env-file` names.
        config_file: What `-c` names, in developer mode.
        layers: What a worker run says, by the name of the source.
        ledger: Takes what each source says.
        recorded: The sources in their order, once they were arranged.
        secrets: Replaces references by secrets, once they are loaded.
    """

    command_line: Any
    environment: Any
    env_file: Any
    config_file: TextFile | None = None
    layers: Mapping[str, Any] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    recorded: tuple[Recorded, ...] = ()
    secrets: Callable[[Any], Any] = lambda value: value


class _Hidden(dict[str, Any]):
    """Values, which pydantic-settings would log if asked to."""

    def __repr__(self) -> str:
        return "{…}"


#: What the settings have groups of.
_GROUPS = (("api",), ("config",), ("arguments",))


class Recorded(PydanticBaseSettingsSource):
    """Stands around a source: notes what it says, and hands on what no stronger source has said.

    Args:
        source: One of arkworker's sources; `OwnSource` makes one of any other.
        sources: What is made of all sources.
        worker: Which options there are: groups have parts, everything else is replaced as a whole.
    """

    def __init__(self, source: Any, sources: Sources, worker: WorkerOptions) -> None:
        super().__init__(source.settings_cls)
        self.source = source
        self.name: str = source.name
        self.__name__ = self.name  # what pydantic-settings calls its values by
        self._sources = sources
        self._ledger = sources.ledger
        self._worker = worker
        self._won: list[Path] | None = None

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self.source.get_field_value(field, field_name)  # type: ignore[no-any-return]

    def __call__(self) -> dict[str, Any]:
        if self._won is None:
            self._won = list(self._record())
        load = self._sources.secrets
        values = nested((path, load(self._ledger.claims[path].value)) for path in self._won)
        return {root: _Hidden(inner) if isinstance(inner, dict) else inner for root, inner in values.items()}

    def _record(self) -> Iterator[Path]:
        claims = ((path, claim.value) for path, claim in self._ledger.claims.items())
        stronger = nested((path, value) for path, value in claims if not isinstance(value, Refused))
        # As pydantic-settings does for its own; here, with the options that are kept back.
        self.source._set_current_state(stronger)  # noqa: SLF001
        self.source._set_settings_sources_data(self.settings_sources_data)  # noqa: SLF001
        place_of = getattr(self.source, "place_of", None)
        for path, given in self._leaves(self.source(), ()):
            value, origin = self._read(path, given), Origin(self.name, self.source.locate(path))
            won = self._ledger.offer(path, value, origin, place_of and partial(place_of, path))
            if won and not isinstance(value, Refused):
                yield path
        self._ledger.problems += self.source.problems
        self._ledger.warnings += self.source.warnings

    def _leaves(self, values: Mapping[str, Any], above: Path) -> Iterator[tuple[Path, Any]]:
        for key, value in values.items():
            path = (*above, str(key))
            path = self._worker.paths.get(path, path)
            part = self._worker.parts.get(path)
            is_group = isinstance(part, Group) or path in _GROUPS
            # What is empty says that a group is there which might be null.
            if is_group and isinstance(value, dict) and (value or part is None or not part.accepts_null):
                yield from self._leaves(value, path)
            elif value is None and is_group and (part is None or not part.accepts_null):
                continue  # as absent
            else:
                yield path, value

    def _read(self, path: Path, value: Any) -> Any:
        """A value of an option by its type, as far as the source has not read it itself."""
        option = self._worker.flags.get(path)
        is_option = option or (self._worker.is_free and path[0] == "config")
        if not is_option or isinstance(value, Refused | Reference):
            return value
        return self.source.read(value, option.annotation if option else Any)
