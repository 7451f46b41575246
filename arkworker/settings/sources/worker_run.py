"""The configuration that Arkindex sends: one list that the server merged, or the layers of older instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arkworker.options.secret import UnloadedSecret
from arkworker.settings.provenance import Origin
from arkworker.settings.sources.configuration_source import ConfigurationSource, Given
from arkworker.settings.sources.payload import CONFIGURATION, WORKER_RUN
from arkworker.settings.values.dialects import PAYLOAD
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from arkworker.settings.catalogue import WorkerOptions
    from arkworker.settings.sources.payload import LegacyRun, ModernItem, Payload
    from arkworker.settings.sources.source import Bench


class LayerSource(ConfigurationSource):
    """One layer of a legacy configuration: a mapping."""

    typed_by_person = False
    dialect = PAYLOAD

    def __init__(self, bench: Bench, name: str, location: str, values: Mapping[str, Any]) -> None:
        super().__init__(bench)
        self.name = name
        self._location = location
        self._values = values

    def offer_all(self) -> None:
        self.offer_entries(self._given(key, value, self._location) for key, value in self._values.items())

    def offer_entry(self, given: Given, group: tuple[str, ...] = ()) -> None:
        if not self.is_absent(given, group):
            super().offer_entry(given, group)

    def entries_of(self, given: Given) -> Iterable[Given] | None:
        if not isinstance(given.value, dict):
            return None
        return [self._given(key, value, given.origin.location) for key, value in given.value.items()]

    def _given(self, key: str, value: Any, location: str) -> Given:
        return Given(key, value, Origin(self.name, f"{location} {printable(key, 60)}"))


class ModernSource(LayerSource):
    """The modern list of keys and values, where a key twice is an error."""

    def __init__(self, bench: Bench, items: Iterable[ModernItem]) -> None:
        super().__init__(bench, "worker run", CONFIGURATION, {})
        self._items = items

    def offer_all(self) -> None:
        for item in self._items:
            self.offer_item(self._given(item.key, item.value, CONFIGURATION), is_secret=item.secret)


def payload_sources(bench: Bench, payload: Payload) -> list[LayerSource]:
    """The sources of a payload, strongest first."""
    if payload.items is not None:
        return [ModernSource(bench, payload.items)]
    return _legacy_sources(bench, payload, payload.legacy) if payload.legacy else []


def model_configuration(worker: WorkerOptions, payload: Payload | None) -> dict[str, Any]:
    """The configuration kept with the model version, for information: a stand-in for what the code calls secret."""
    model = payload.run.model_version if payload else None
    return _without_secrets(worker, model.configuration, "") if model else {}


def _without_secrets(worker: WorkerOptions, values: Mapping[str, Any], group: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{group}{key}"
        option = worker.options.get(name)
        if option is not None and option.is_secret and value is not None:
            shown[key] = UnloadedSecret(name)
        elif name in worker.groups and isinstance(value, dict):
            shown[key] = _without_secrets(worker, value, f"{name}.")
        else:
            shown[key] = value
    return shown


def _legacy_sources(bench: Bench, payload: Payload, legacy: LegacyRun) -> list[LayerSource]:
    declaration = legacy.worker_version.configuration
    fields = declaration.user_configuration
    # Without a default and never given a value: absent for a typed option, null in a free mapping, as users know it.
    defaults = {key: field.default for key, field in fields.items() if field.has_default or bench.worker.is_free}
    model = payload.run.model_version
    model_values = model.configuration if model else {}
    model_id = model.id if model else ""
    part = f"{WORKER_RUN} worker_version.configuration"
    return [
        LayerSource(bench, "worker run", f"{WORKER_RUN} configuration", legacy.configuration.configuration),
        LayerSource(bench, "model version", f"model version {model_id}", model_values),
        LayerSource(bench, "declared default", f"{part}.user_configuration", defaults),
        LayerSource(bench, "worker version", f"{part}.configuration", declaration.configuration),
    ]
