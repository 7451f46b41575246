"""The settings of one worker as one model, and its sources, whose order is the precedence."""

from __future__ import annotations

import inspect
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator, create_model, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from arkworker.errors import DeclarationError
from arkworker.frozen import freeze
from arkworker.options.configuration import BY_SETTINGS, completed
from arkworker.settings.platform import Settings
from arkworker.settings.provenance import Origin, Recorded, Sources, failure_of
from arkworker.settings.sources.configuration import FileSource, Layer, LayerSource
from arkworker.settings.sources.own import OwnSource
from arkworker.settings.sources.source import Named

if TYPE_CHECKING:
    from arkworker.settings.catalogue import WorkerOptions

#: The layers of a worker run, strongest first.
RUN_LAYERS = ("worker run", "model version", "declared default", "worker version")


class WorkerSettings(Settings):
    """The platform's side, the worker's configuration and its extra flags; built for each worker by `settings_model`.

    Until secrets are loaded (`BY_SETTINGS`), only the platform's side is validated, which says how to reach Arkindex.
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
                given.environment,
                given.env_file,
                FileSource(settings_cls, given.config_file),
                *(LayerSource(settings_cls, given.layers.get(name, Layer(name))) for name in RUN_LAYERS),
            )
            if cls.worker.arrange_sources is not None:
                sources = _arranged(cls.worker.arrange_sources, settings_cls, sources, given)
            named = (one if isinstance(one, Named) else OwnSource(settings_cls, one) for one in sources)
            given.recorded = tuple(Recorded(source, given, cls.worker) for source in named)
        return given.recorded

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
        inspect.signature(arrange).bind(model, sources)
    except TypeError:
        where = f"{model.worker.target}: settings_customise_sources"
        raise DeclarationError(f"{where} should be a class method that takes the model and the sources") from None
    try:
        arranged = arrange(model, sources)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the author's, and of sources that read when they are made
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
    kinds: dict[str, Any] = {"config": worker.configuration or dict[str, Any]}
    if worker.arguments is not None:
        kinds["arguments"] = worker.arguments
    fields: dict[str, Any] = {
        name: (Annotated[kind, WrapValidator(partial(_options, kind))], Field(None, repr=False, validate_default=True))
        for name, kind in kinds.items()
    }
    model = create_model("Settings", __base__=WorkerSettings, __module__=__name__, **fields)
    model.worker = worker
    model.flags = create_model("Flags", __base__=_Flags, __module__=__name__, **fields)
    return model


def _options(kind: Any, given: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    if not BY_SETTINGS.get():
        return None
    given = {} if given is None else given
    if not isinstance(given, dict) or not isinstance(kind, type):
        return handler(given)
    values = completed(given, kind)
    # Kinds have been judged, as of JSON: also for a strict model, text may be a date.
    validator = getattr(kind, "__pydantic_validator__", None)
    return validator.validate_python(values, strict=False) if validator else handler(values)
