"""A source of a worker's own, which may do anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic_settings import PydanticBaseSettingsSource

from arkworker.options.options import DEBUG
from arkworker.settings.platform import Settings
from arkworker.settings.provenance import failure_of
from arkworker.settings.reading import read_own
from arkworker.settings.sources.source import Named
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic.fields import FieldInfo

    from arkworker.settings.provenance import Path


class OwnSource(Named, PydanticBaseSettingsSource):
    """Stands around any source of pydantic-settings: where it fails, that is a problem to report.

    Args:
        settings_cls: The settings of the worker.
        source: The source. It may have a `name` and `locate(path)`; otherwise it is called as its class, and a value as
            its path.
    """

    read = staticmethod(read_own)

    def __init__(self, settings_cls: Any, source: Any) -> None:
        PydanticBaseSettingsSource.__init__(self, settings_cls)
        self.begin(settings_cls)
        self.source = source
        self.name = printable(str(getattr(source, "name", None) or type(source).__name__), 60)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self.source.get_field_value(field, field_name)  # type: ignore[no-any-return]

    def __call__(self) -> dict[str, Any]:
        # As pydantic-settings does for its own.
        self.source._set_current_state(self.current_state)  # noqa: SLF001
        self.source._set_settings_sources_data(self.settings_sources_data)  # noqa: SLF001
        try:
            said = self.source()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the author's
            self.report((), failure_of(error), self.name)
            return {}
        if not isinstance(said, Mapping):
            self.report((), "this source failed: it should return a mapping, such as {'config': {…}}", self.name)
            return {}
        self._warn_of_unread(map(str, said))
        return dict(said)

    def locate(self, path: Path) -> str:
        try:
            return printable(str(getattr(self.source, "locate", ".".join)(path) or ".".join(path)))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the author's
            self.report(path, failure_of(error), self.name)
            return self.name

    def _warn_of_unread(self, names: Iterable[str]) -> None:
        """A file or a vault may hold more than settings; an option in the wrong place should be found."""
        known = ("config", "arguments", DEBUG, "secrets", *Settings.model_fields)
        for name in names:
            if name not in known:
                is_option = name in self.worker.by_name
                hint = f"did you mean config.{name}?" if is_option else did_you_mean(name, known)
                self.report((name,), "not read: options lie in config", self.name, hint, warn=True)
