"""What all sources share: a source can say its name, point at a value, and offers what it holds to the ledger."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic_settings import PydanticBaseSettingsSource

from arkworker.secret import Secret
from arkworker.settings.catalogue import WorkerOptions
from arkworker.settings.platform import Settings, platform_fields
from arkworker.settings.provenance import Ledger, Origin, Path, Place
from arkworker.settings.reading import Dialect, UnreadableError, read
from arkworker.settings.yaml_nodes import Scalar
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic.fields import FieldInfo

#: Nearest names are looked for this many times in one source; a file of a thousand unknown keys needs no more.
MOST_SUGGESTIONS = 20


@dataclass(slots=True)
class Bench:
    """What the sources of one resolution work on together."""

    worker: WorkerOptions
    ledger: Ledger = field(default_factory=Ledger)


class Source(PydanticBaseSettingsSource):
    """One place that values come from. Calling it offers all it holds; the answer is the platform's values it won."""

    name: str

    def __init__(self, bench: Bench) -> None:
        super().__init__(Settings)
        self.worker = bench.worker
        self.ledger = bench.ledger
        self._won: dict[str, Any] = {}

    def __call__(self) -> dict[str, Any]:
        self.offer_all()
        return self._won

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._won.get(field_name), field_name, False

    @abstractmethod
    def offer_all(self) -> None:
        """Offer every value of this source."""

    def offer_platform(self, path: Path, value: Any, location: str) -> None:
        if not self.ledger.offer(path, value, Origin(self.name, location)):
            return
        target = self._won
        for key in path[:-1]:
            target = target.setdefault(key, {})
        target[path[-1]] = value


@dataclass(frozen=True, slots=True)
class Given:
    """A key and its value in a source: a YAML node or plain data, with the way to its place."""

    key: str
    value: Any
    origin: Origin
    place_of: Callable[[Path], Place] | None = None

    @property
    def place(self) -> Place:
        return self.place_of(()) if self.place_of else Place(self.origin.location)


class ConfigurationSource(Source):
    """A source that holds a mapping of options: a file or a payload."""

    #: A person typed it: unknown names are errors. Otherwise the platform sent it: they are warnings.
    typed_by_person: bool
    dialect: Dialect

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        # By the name of the option, where it was given first: a name twice in one source is an error.
        self._seen: dict[str, str] = {}
        self._suggestions = 0

    def offer_entries(self, entries: Iterable[Given], group: Path = ()) -> None:
        for given in entries:
            self.offer_entry(given, group)

    def offer_entry(self, given: Given, group: Path = ()) -> None:
        name = ".".join((*group, given.key))
        if name not in self.worker.groups and not self._is_first(name, given):
            return
        if self.worker.is_free:
            self._offer_value(("config", given.key), Any, given)
        elif name in self.worker.options:
            option = self.worker.options[name]
            self._offer_value(("config", *option.keys), option.annotation, given)
        elif name in self.worker.groups:
            self._offer_group(name, given)
        else:
            self._unknown(name, given)

    def offer_item(self, given: Given, *, is_secret: bool) -> None:
        """An item of the modern list: a null that the option does not accept is an absent value."""
        option = self.worker.options.get(given.key)
        if self.is_absent(given):
            return
        if not is_secret or _is_null(given.value) or (option is not None and option.is_secret):
            self.offer_entry(given)
        elif self.worker.is_free:
            if self._is_first(given.key, given):
                self._offer_value(("config", given.key), Secret[Any], given)
        elif option is not None:
            error = UnreadableError("a secret on Arkindex, but not in code", "declare the option as Secret[str]")
            self.ledger.refuse(("config", *option.keys), error, given.origin, Place(given.place.location))
        else:
            self._unknown(given.key, given)

    def is_absent(self, given: Given, group: Path = ()) -> bool:
        """Whether the platform says null for an option that does not accept it, which means that it says nothing."""
        option = self.worker.options.get(".".join((*group, given.key)))
        return option is not None and _is_null(given.value) and not option.accepts_null

    def entries_of(self, given: Given) -> Iterable[Given] | None:
        """What lies in a group's value; None when it is no mapping."""
        raise NotImplementedError

    def _offer_group(self, name: str, given: Given) -> None:
        group = self.worker.groups[name]
        path = ("config", *group.keys)
        entries = self.entries_of(given)
        if entries is not None:
            self.offer_entries(entries, group.keys)
        elif not _is_null(given.value):
            self._refuse(path, "this is a group: give its options below it", given)
        elif group.accepts_null:
            self.ledger.offer(path, None, given.origin, given.place_of)

    def _is_first(self, name: str, given: Given) -> bool:
        if name not in self._seen:
            self._seen[name] = given.origin.location
            return True
        message = f"given twice, first at {self._seen[name]}"
        self.ledger.report(("config", printable(name)), message, given.origin, given.place, "remove one of the two")
        return False

    def _offer_value(self, path: Path, annotation: Any, given: Given) -> None:
        try:
            value = self.read_value(given.value, annotation)
        except UnreadableError as error:
            self.ledger.refuse(path, error, given.origin, given.place)
        else:
            self.ledger.offer(path, value, given.origin, given.place_of)

    def read_value(self, value: Any, annotation: Any) -> Any:
        return read(value, annotation, self.dialect)

    def _refuse(self, path: Path, message: str, given: Given) -> None:
        self.ledger.refuse(path, UnreadableError(message), given.origin, given.place)

    def _unknown(self, name: str, given: Given) -> None:
        self._suggestions += 1
        nearest = did_you_mean(name, self.worker.names) if self._suggestions <= MOST_SUGGESTIONS else ""
        message = f"unknown option; {nearest}" if nearest else "unknown option"
        path = ("config", printable(name))
        if self.typed_by_person:
            # At the key, and without the excerpt: an unknown option may hold a secret.
            self.ledger.report(path, message, given.origin)
        else:
            self.ledger.warn(path, message, given.origin)


def _is_null(value: Any) -> bool:
    if isinstance(value, Scalar):
        return value.tag == "null" or (value.plain and value.text.lower() in ("", "~", "null"))
    return value is None


PLATFORM_FIELDS = platform_fields()
