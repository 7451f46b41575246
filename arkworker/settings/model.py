"""The settings of one worker as one model, and its sources, whose order is the precedence."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, create_model, model_validator
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from arkworker.errors import DeclarationError
from arkworker.frozen import freeze
from arkworker.options.options import accepts_null, default_of, group_of, key_of
from arkworker.settings.platform import Settings
from arkworker.settings.provenance import Origin, Path, Recorded, Sources, failure_of
from arkworker.settings.sources.configuration import FileSource, Layer, LayerSource
from arkworker.settings.sources.environment import EnvFileSource, EnvironmentSource

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from arkworker.settings.catalogue import WorkerOptions

#: The layers of a worker run, strongest first.
RUN_LAYERS = ("worker run", "model version", "declared default", "worker version")


class WorkerSettings(Settings):
    """The platform's side, the worker's configuration and its extra flags; built for each worker by `settings_model`.

    Until secrets are loaded, only the platform's side is validated, since it says how to reach Arkindex.
    """

    worker: ClassVar[WorkerOptions]
    flags: ClassVar[type[BaseSettings]]

    config: Any = None
    arguments: Any = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the sources below read nothing unasked
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        assert isinstance(init_settings, InitSettingsSource)  # noqa: S101 - what pydantic-settings gives
        given: Sources = init_settings.init_kwargs["sources"]
        if not given.recorded:
            sources: tuple[PydanticBaseSettingsSource, ...] = (
                given.command_line,
                EnvironmentSource(settings_cls, given.environ),
                EnvFileSource(settings_cls, given.env_file),
                FileSource(settings_cls, given.config_file),
                *(LayerSource(settings_cls, given.layers.get(name, Layer(name))) for name in RUN_LAYERS),
            )
            if cls.worker.arrange_sources is not None:
                sources = _arranged(cls.worker.arrange_sources, settings_cls, sources, given)
            groups, types = _groups(cls.worker), {path: flag.annotation for path, flag in cls.worker.flags.items()}
            given.recorded = tuple(Recorded(source, given, groups, types) for source in sources)
        return (*given.recorded, *([] if given.secrets is None else [GroupDefaultsSource(settings_cls)]))

    @model_validator(mode="after")
    def _freeze(self) -> Self:
        for name in ("config", "arguments"):
            self.__dict__[name] = freeze(self.__dict__[name])
        return self


class _Flags(BaseSettings):
    """What has flags of its own; only looked at, never filled."""

    model_config = SettingsConfigDict(defer_build=True)


def _arranged(arrange: Any, model: Any, sources: tuple[Any, ...], given: Sources) -> tuple[Any, ...]:
    try:
        arranged = arrange(model, sources)
    except Exception as error:  # noqa: BLE001 - the author's, and of sources that read when they are made
        origin = Origin("settings_customise_sources", "settings_customise_sources")
        given.ledger.report((), failure_of(error), origin)
        return sources
    if not isinstance(arranged, tuple) or not all(isinstance(one, PydanticBaseSettingsSource) for one in arranged):
        target = model.worker.target
        raise DeclarationError(f"{target}: settings_customise_sources should return a tuple of settings sources")
    return arranged


@lru_cache(maxsize=64)
def settings_model(worker: WorkerOptions) -> type[WorkerSettings]:
    """The model of a worker's settings."""
    fields: dict[str, Any] = {"config": (worker.configuration or dict[str, Any], Field(None, repr=False))}
    if worker.arguments is not None:
        fields["arguments"] = (worker.arguments, Field(None, repr=False))
    model = create_model("Settings", __base__=WorkerSettings, __module__=__name__, **fields)
    model.worker = worker
    model.flags = create_model("Flags", __base__=_Flags, __module__=__name__, **fields)
    return model


def _groups(worker: WorkerOptions) -> frozenset[Path]:
    inner = (("config", *group.keys) for group in worker.groups.values())
    return frozenset({("api",), ("config",), ("arguments",), *inner})


class GroupDefaultsSource(PydanticBaseSettingsSource):
    """What a partly given group needs besides: the rest of its default, which is an instance of its model."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        del field
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        values: dict[str, Any] = {"config": {}, "arguments": {} if self._model("arguments") else None}
        model, given = self._model("config"), self.current_state.get("config", {})
        return values | ({"config": _missing(given, model)} if model else {})

    def _model(self, name: str) -> type[BaseModel] | None:
        return group_of(self.settings_cls.model_fields[name].annotation)


def _missing(given: dict[str, Any], model: type[BaseModel], instance: BaseModel | None = None) -> dict[str, Any]:
    """What validation would not find by itself.

    Args:
        given: The given values by key.
        model: Their model.
        instance: The default of the group whose model it is, where there is one.
    """
    missing: dict[str, Any] = {}
    for name, known in model.model_fields.items():
        key, group, own = key_of(name, known), group_of(known.annotation), default_of(known)
        default = own if instance is None else getattr(instance, name)
        if key not in given and group and default is PydanticUndefined and not accepts_null(known.annotation):
            missing[key] = _missing({}, group)
        elif key not in given and instance is not None and default != own:
            missing[key] = default
        elif group and isinstance(given.get(key), dict):
            missing[key] = _missing(given[key], group, default if isinstance(default, group) else None)
    return missing
