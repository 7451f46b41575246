"""What all sources share: a source can say its name, point at a value, and offers what it holds to the ledger."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr
from pydantic_settings import PydanticBaseSettingsSource

from arkworker.options.options import alternatives
from arkworker.settings.platform import Settings, platform_fields
from arkworker.settings.provenance import Ledger, Origin, Path, Place
from arkworker.settings.values.reading import read_text
from arkworker.settings.values.unreadable import UnreadableError
from arkworker.text import MOST_SUGGESTIONS, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic.fields import FieldInfo

    from arkworker.settings.catalogue import WorkerOptions

PLATFORM_FIELDS = platform_fields()


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
        self._suggestions = 0

    def __call__(self) -> dict[str, Any]:
        self.offer_all()
        return self._won

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        del field
        return self._won.get(field_name), field_name, False

    @abstractmethod
    def offer_all(self) -> None:
        """Offer every value of this source."""

    def offer_platform(self, path: Path, value: Any, location: str) -> None:
        if SecretStr in alternatives(PLATFORM_FIELDS[path].annotation):
            value = SecretStr(value)  # pydantic-settings logs the values of sources where somebody asks for it
        if not self.ledger.offer(path, value, Origin(self.name, location)):
            return
        target = self._won
        for key in path[:-1]:
            target = target.setdefault(key, {})
        target[path[-1]] = value

    def offer_text(self, path: Path, annotation: Any, origin: Origin, text: Callable[[], str]) -> None:
        """Offer the text of a variable or a flag, as the type of its option; `text` may find that there is none."""
        try:
            value = read_text(text(), annotation)
        except UnreadableError as error:
            self.ledger.refuse(path, error, origin)
        else:
            self.ledger.offer(path, value, origin)

    def report_unknown(
        self, name: str, origin: Origin, *, known: Iterable[str] | None = None, prefix: str = "", warn: bool = False
    ) -> None:
        """Say that there is no such option, and which one may be meant.

        Args:
            name: The dotted name, as typed.
            origin: Where it stands.
            known: What may be meant; the options of the worker by default.
            prefix: What their names begin with in this source.
            warn: Whether the platform sent it, so that a person can do little about it.
        """
        self._suggestions += 1
        candidates = self.worker.names if known is None else known
        few = self._suggestions <= MOST_SUGGESTIONS
        nearest = did_you_mean(name, candidates, prefix=prefix) if few else ""
        message = f"unknown option; {nearest}" if nearest else "unknown option"
        path = ("config", name)
        if warn:
            self.ledger.warn(path, message, origin)
        else:
            self.ledger.report(path, message, origin, Place(origin.location))
