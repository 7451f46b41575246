"""What sources have in common: each says its name and points at a value, and may have something to report."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from arkworker.options.options import alternatives
from arkworker.settings.platform import platform_fields
from arkworker.settings.provenance import Origin, Path, nested, problem
from arkworker.settings.reading import Refused, read_text
from arkworker.text import Suggestions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic.fields import FieldInfo

    from arkworker.errors import Problem
    from arkworker.settings.catalogue import WorkerOptions

PLATFORM_FIELDS = platform_fields()


class Named:
    """Beside one of pydantic-settings' sources: a name, the place of each value, and what is to be reported.

    Attributes:
        name: As reports and `explain` show it.
        read: What was given for an option, by its type; `Refused` where it cannot be.
    """

    name: str
    worker: WorkerOptions
    read: Callable[[Any, Any], Any]

    def begin(self, settings_cls: Any) -> None:
        self.worker = settings_cls.worker
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.locations: dict[Path, str] = {}
        self._given: dict[Path, Any] = {}
        self._suggest = Suggestions()

    def give(self, path: Path, value: Any, location: str) -> None:
        """Take what is given for a setting or an option, and where."""
        self._given[path] = value
        self.locations[path] = location

    def locate(self, path: Path) -> str:
        """Where the value of a path stands in this source."""
        return self.locations.get(path, ".".join(path))

    def report(self, path: Path, message: str, location: str, hint: str = "", *, warn: bool = False) -> None:
        told = self.warnings if warn else self.problems
        told.append(problem(path, message, Origin(self.name, location), hint=hint))

    def report_unknown(
        self, name: str, location: str, *, known: Iterable[str] | None = None, prefix: str = "", warn: bool = False
    ) -> None:
        """Say that there is no such option, and which one may be meant.

        Args:
            name: The dotted name, as typed.
            location: Where it stands.
            known: What may be meant; the options of the worker by default.
            prefix: What their names begin with in this source.
            warn: Whether the platform sent it, so that a person can do little about it.
        """
        message = self._suggest("unknown option", name, self.worker.by_name if known is None else known, prefix=prefix)
        whole = next((known for known in self.worker.options if name.startswith(f"{known}.")), "")
        hint = f"{whole} is given as a whole, in a variable or a flag as JSON" if whole else ""
        self.report(("config", name), message, location, hint, warn=warn)


class TextSource(Named):
    """Beside a source that holds nothing but text, by names that are enumerated from the models."""

    def read(self, value: list[str], annotation: Any) -> Any:
        """Of a flag that was given several times, lists add up, and the last of all others counts."""
        values = [read_text(text, annotation) for text in value]
        refused = next((one for one in values if isinstance(one, Refused)), None)
        lists = [one for one in values if isinstance(one, list)]
        return refused or ([item for one in lists for item in one] if len(lists) == len(values) else values[-1])

    def give(self, path: Path, value: Any, location: str) -> None:
        """Take one text for a setting; for an option, a list of one text for each time that it was given."""
        field = PLATFORM_FIELDS.get(path)
        if field is not None and isinstance(value, str) and SecretStr in alternatives(field.annotation):
            value = SecretStr(value)  # pydantic-settings logs the values of sources where it is configured to
        super().give(path, value, location)

    @cached_property
    def _values(self) -> dict[str, Any]:
        return nested(self._given.items())

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        del field
        return self._values.get(field_name), field_name, False

    def prepare_field_value(self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool) -> Any:  # noqa: FBT001 - the signature is that of pydantic-settings
        del field_name, field, value_is_complex  # it is read where it has won
        return value
