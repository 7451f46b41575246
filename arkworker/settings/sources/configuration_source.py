"""What a configuration file and the payloads have in common: mappings of options, and lists of keys and values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arkworker.documents.nodes import is_null
from arkworker.options.options import DEBUG
from arkworker.options.secret import Secret
from arkworker.settings.provenance import Origin, Path, Place
from arkworker.settings.sources.source import Bench, Source
from arkworker.settings.values.reading import Reference, read
from arkworker.settings.values.unreadable import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from arkworker.settings.values.dialects import Dialect


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

    @property
    def is_null(self) -> bool:
        return self.value is None or is_null(self.value)


class ConfigurationSource(Source):
    """A source that holds a mapping of options: a file or a payload."""

    #: A person typed it: unknown names are errors. Otherwise the platform sent it: they are warnings.
    typed_by_person: bool
    dialect: Dialect

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        # By the name of the option, where it was given first: a name twice in one source is an error.
        self._seen: dict[str, str] = {}

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
        elif name == DEBUG:
            self._offer_debug(given)
        else:
            # At the key, and without the excerpt: an unknown option may hold a secret.
            self.report_unknown(name, given.origin, warn=not self.typed_by_person)

    def offer_item(self, given: Given, *, is_secret: bool) -> None:
        """An item of the modern list: a null that the option does not accept is an absent value."""
        option = self.worker.options.get(given.key)
        if given.key in self.worker.groups:
            if self._is_first(given.key, given):
                self._offer_group(given.key, given)
        elif self.is_absent(given):
            self._is_first(given.key, given)
        elif not is_secret or given.is_null or (option is not None and option.is_secret):
            self.offer_entry(given)
        elif self.worker.is_free:
            if self._is_first(given.key, given):
                self._offer_secret(given)
        elif option is None:
            self.offer_entry(given)
        elif self._is_first(given.key, given):
            error = UnreadableError("a secret on Arkindex, but not in code", "declare the option as Secret[str]")
            self.ledger.refuse(("config", *option.keys), error, given.origin, lambda _: Place(given.place.location))

    def is_absent(self, given: Given, group: Path = ()) -> bool:
        """Whether the platform says null for an option that does not accept it, which means that it says nothing."""
        option = self.worker.options.get(".".join((*group, given.key)))
        return option is not None and given.is_null and not option.accepts_null

    def entries_of(self, given: Given) -> Iterable[Given] | None:
        """What lies in a group's value; None when it is no mapping."""
        raise NotImplementedError

    def place_of_error(self, given: Given, error: UnreadableError, *, shown: bool) -> Place:
        """The spot of what cannot be read; `shown` is whether its line may be."""
        del error, shown
        return given.place

    def _offer_group(self, name: str, given: Given) -> None:
        group = self.worker.groups[name]
        path = ("config", *group.keys)
        entries = self.entries_of(given)
        if entries is not None:
            self.offer_entries(entries, group.keys)
        elif not given.is_null:
            error = UnreadableError("this is a group: give its options below it")
            self.ledger.refuse(path, error, given.origin, lambda _: given.place)
        elif group.accepts_null:
            self.ledger.offer(path, None, given.origin, given.place_of)

    def _offer_debug(self, given: Given) -> None:
        try:
            value = read(given.value, bool | None, self.dialect) if self.typed_by_person else given.value
        except UnreadableError as error:
            self.ledger.refuse((DEBUG,), error, given.origin)
        else:
            self.ledger.offer((DEBUG,), bool(value), given.origin)

    def _offer_secret(self, given: Given) -> None:
        """A secret of a free mapping, which only the platform can tell; a stronger source names it, too."""
        path = ("config", given.key)
        self._offer_value(path, Secret[Any], given)
        claim = self.ledger.claims.get(path)
        if claim is not None and isinstance(claim.value, str):
            claim.value = Reference(claim.value, Any)

    def _is_first(self, name: str, given: Given) -> bool:
        if name not in self._seen:
            self._seen[name] = given.origin.location
            return True
        message = f"given twice, first at {self._seen[name]}"
        place = Place(given.origin.location)
        self.ledger.report(("config", name), message, given.origin, place, "remove one of the two")
        return False

    def _offer_value(self, path: Path, annotation: Any, given: Given) -> None:
        try:
            value = read(given.value, annotation, self.dialect)
        except UnreadableError as error:
            shown = not error.holds_unknown
            self.ledger.refuse(path, error, given.origin, lambda one: self.place_of_error(given, one, shown=shown))
        else:
            self.ledger.offer(path, value, given.origin, given.place_of)
