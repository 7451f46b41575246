"""What Arkindex answers about a worker run: the parts the runner needs, checked where they arrive; all else tolerated.

`RetrieveWorkerRun` brings the process, the worker, the model version and, on older instances, the configuration in
three layers. `RetrieveWorkerRunConfiguration` brings the modern configuration: one flat list, merged by the server.
Where Arkindex refuses them, the error says what to correct.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, StrictBool, StrictStr, ValidationError

from arkworker.errors import ApiResponseError, ApiUnavailableError, ConfigurationError, Problem
from arkworker.frozen import Record, freeze
from arkworker.options.options import Group, Option
from arkworker.options.secret import UnloadedSecret
from arkworker.settings.resolution import RunSays
from arkworker.settings.sources.configuration import CONFIGURATION, WORKER_RUN, Layer
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from arkworker.arkindex.client import Client
    from arkworker.settings.catalogue import WorkerOptions

P = TypeVar("P", bound="_Part")

MOST_LEVELS = 50  # of lists and objects in one another; more is an attack or an accident
_TOKENS = ("task_token", "token")
_NO_TOKEN = "set ARKINDEX_API_TOKEN, the token of a user; Ponos gives its tasks ARKINDEX_TASK_TOKEN"  # noqa: S105 a remedy


def _empty_where_null(value: Any) -> Any:
    return {} if value is None else value


Identifier = Annotated[StrictStr, Field(min_length=1, max_length=255)]
JsonObject = Annotated[dict[str, Any], Field(strict=True)]
#: The server's null is an empty object.
OptionalObject = Annotated[JsonObject, BeforeValidator(_empty_where_null, json_schema_input_type=dict[str, Any] | None)]


class _Part(Record):
    """A part of an answer; what is not named here is kept and not looked at."""

    model_config = ConfigDict(defer_build=True)  # until the first answer arrives: in developer mode, none does

    def model_post_init(self, context: Any, /) -> None:
        super().model_post_init(context)
        self.__dict__.update({name: freeze(value) for name, value in self.__dict__.items()})


class Process(_Part):
    """The process that a worker run belongs to; fields that are not named here are kept as attributes."""

    id: Identifier
    mode: Identifier = Field(description="files, workers, template, s3, local, dataset, export, …")
    corpus: Identifier = Field(description="Id of the corpus.")
    name: Any = None
    state: Any = None
    activity_state: Any = Field(None, description="ready where the state of each element can be reported.")


class _WorkerVersion(_Part):
    worker: JsonObject
    configuration: Any = Field(None, repr=False)


class _ModelVersion(_Part):
    id: Identifier | None = None
    model: OptionalObject = Field(default_factory=dict)
    configuration: OptionalObject = Field(default_factory=dict, repr=False)


class WorkerRun(_Part):
    """The answer of `RetrieveWorkerRun`."""

    process: Process
    worker_version: _WorkerVersion
    model_version: _ModelVersion | None = None
    configuration: Any = Field(None, repr=False)


class _LegacyField(_Part):
    default: Any = Field(None, repr=False)

    @property
    def has_default(self) -> bool:
        return "default" in self.model_fields_set


class _LegacyDeclaration(_Part):
    """`worker_version.configuration` of instances before 1.12."""

    configuration: OptionalObject = Field(default_factory=dict, repr=False)
    user_configuration: Annotated[
        dict[str, _LegacyField],
        BeforeValidator(_empty_where_null, json_schema_input_type=dict[str, _LegacyField] | None),
    ] = Field(default_factory=dict)
    secrets: Annotated[
        tuple[Identifier, ...],
        BeforeValidator(
            lambda value: () if value is None else value, json_schema_input_type=tuple[Identifier, ...] | None
        ),
    ] = ()


class _SavedConfiguration(_Part):
    """`configuration` of a worker run: the values that users saved."""

    configuration: OptionalObject = Field(default_factory=dict, repr=False)


class LegacyRun(_Part):
    """The configuration layers of a worker run, for instances that do not merge them themselves."""

    class _Version(_Part):
        configuration: Annotated[
            _LegacyDeclaration,
            BeforeValidator(_empty_where_null, json_schema_input_type=_LegacyDeclaration | None),
        ] = Field(default_factory=_LegacyDeclaration)

    worker_version: _Version
    configuration: Annotated[
        _SavedConfiguration, BeforeValidator(_empty_where_null, json_schema_input_type=_SavedConfiguration | None)
    ] = Field(default_factory=_SavedConfiguration)


class ModernItem(_Part):
    """One value of the modern configuration."""

    key: Identifier
    value: Any = Field(repr=False)
    secret: StrictBool


class ModernConfiguration(_Part):
    configuration: Annotated[tuple[ModernItem, ...], Field(strict=False)]


class Payload(NamedTuple):
    """A worker run as Arkindex describes it.

    Attributes:
        run: The answer of `RetrieveWorkerRun`.
        items: The modern configuration; None where the instance or the worker version has none.
        legacy: The configuration layers, where `items` is None.
    """

    run: WorkerRun
    items: tuple[ModernItem, ...] | None
    legacy: LegacyRun | None

    def says(self, *, is_free: bool) -> RunSays:
        """What it says of the settings of a worker; `is_free` is whether that declares no configuration."""
        if self.items is not None:
            items = tuple((item.key, item.value, item.secret) for item in self.items)
            return RunSays({"worker run": Layer("worker run", CONFIGURATION, items)})
        if self.legacy is None:
            return RunSays({})
        declaration, model = self.legacy.worker_version.configuration, self.run.model_version
        fields = declaration.user_configuration
        # Without a default and never given a value: absent for a typed option, null in a free mapping, as users know
        # it.
        defaults = {key: field.default for key, field in fields.items() if field.has_default or is_free}
        part = f"{WORKER_RUN} worker_version.configuration"
        layers = (
            _layer("worker run", f"{WORKER_RUN} configuration", self.legacy.configuration.configuration),
            _layer("model version", f"model version {model.id if model else ''}", model.configuration if model else {}),
            _layer("declared default", f"{part}.user_configuration", defaults),
            _layer("worker version", f"{part}.configuration", declaration.configuration),
        )
        return RunSays({layer.name: layer for layer in layers}, declaration.secrets)


def _layer(name: str, location: str, values: Mapping[str, Any]) -> Layer:
    return Layer(name, location, tuple((key, value, False) for key, value in values.items()))


def model_configuration(worker: WorkerOptions, payload: Payload | None) -> dict[str, Any]:
    """The configuration kept with the model version, for information: a stand-in for what the code calls secret."""
    model = payload.run.model_version if payload else None
    return _without_secrets(worker, model.configuration, "") if model else {}


def _without_secrets(worker: WorkerOptions, values: Mapping[str, Any], group: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for key, value in values.items():
        part = worker.by_name.get(f"{group}{key}")
        if isinstance(part, Option) and part.is_secret and value is not None:
            shown[key] = UnloadedSecret(part.name)
        elif isinstance(part, Group) and isinstance(value, dict):
            shown[key] = _without_secrets(worker, value, f"{part.name}.")
        else:
            shown[key] = value
    return shown


class Named(NamedTuple):
    """The worker run that a person named, and where.

    Attributes:
        worker_run_id: Its id.
        locations: Where each setting was given, by its path: a flag, a variable, a place in a file.
        is_slurm_job: Whether this is a node of Slurm, which often has no network.
    """

    worker_run_id: str
    locations: Mapping[tuple[str, ...], str]
    is_slurm_job: bool = False

    def location(self, path: tuple[str, ...], default: str) -> str:
        return self.locations.get(path, default)


def retrieve_payload(client: Client, named: Named) -> Payload:
    """Ask for the worker run and its modern configuration, which older instances refuse.

    Raises:
        ApiError: Arkindex does not answer as it should.
        ConfigurationError: It refuses, or a part that the runner needs is missing or of the wrong type.
    """
    with _explained(named):
        worker_run = client.request(WORKER_RUN, id=named.worker_run_id)
        configuration = _retrieve_configuration(client, named.worker_run_id)
    return parse_payload(worker_run, configuration)


def retrieve_run(client: Client, named: Named) -> WorkerRun:
    """Ask for the worker run alone, as `retrieve_payload` does: its configuration is for administrators to read."""
    with _explained(named):
        worker_run = client.request(WORKER_RUN, id=named.worker_run_id)
    return parse_payload(worker_run, {"configuration": []}).run


@contextmanager
def _explained(named: Named) -> Iterator[None]:
    """Say what to correct, where that is known."""
    try:
        yield
    except ApiResponseError as error:
        problem = _refusal(error, named)
        if problem is None:
            raise
    except ApiUnavailableError as error:
        error.message += f"; {named.location(('api', 'url'), 'ARKINDEX_API_URL')} sets this address"
        if named.is_slurm_job:
            error.message += ". This is a Slurm job, whose nodes often have no network: use --dev with --results"
        raise
    else:
        return
    raise ConfigurationError([problem])


def _retrieve_configuration(client: Client, worker_run_id: str) -> object:
    try:
        return client.request(CONFIGURATION, id=worker_run_id)
    except ApiResponseError as error:
        if error.status not in (400, 404):
            raise
        return None


def _refusal(error: ApiResponseError, named: Named) -> Problem | None:
    """What to correct: the id, or the token; None where nothing can be said of it."""
    if error.status == 404:
        location = named.location(("worker_run_id",), "ARKINDEX_WORKER_RUN_ID")
        address = named.location(("api", "url"), "ARKINDEX_API_URL")
        hint = f"correct {location}, or {address}: this instance has no such worker run, or the token may not see it"
        return Problem("worker_run_id", "worker run", error.operation, printable(str(error), 300), hint)
    if error.status not in (401, 403):
        return None
    given = next((name for name in _TOKENS if ("api", name) in named.locations), None)
    hint = _NO_TOKEN if given is None else _token_remedy(error, given, named)
    return Problem("api.token", "worker run", error.operation, printable(str(error), 300), hint)


def _token_remedy(error: ApiResponseError, given: str, named: Named) -> str:
    location = named.location(("api", given), "")
    if error.status == 401:
        return f"correct {location}: this instance does not know the token"
    if given == "task_token":
        return f"{location} is the token of a task: it is valid only for the worker run of that task"
    return f"set {location} to the token of an administrator of the project: only they can retrieve the configuration"


def parse_payload(worker_run: Any, configuration: Any) -> Payload:
    """Check both answers.

    Args:
        worker_run: The answer of `RetrieveWorkerRun`.
        configuration: The answer of `RetrieveWorkerRunConfiguration`; None where it was refused with 400 or 404.

    Raises:
        ConfigurationError: Parts that the runner needs are missing, null or of the wrong type; names operation and
            field.
    """
    problems: list[Problem] = []
    run = _validate(WorkerRun, worker_run, WORKER_RUN, problems)
    if configuration is None:
        legacy = _validate(LegacyRun, worker_run, WORKER_RUN, problems) if run else None
        items = None
    else:
        modern = _validate(ModernConfiguration, configuration, CONFIGURATION, problems)
        legacy, items = None, modern.configuration if modern else None
    if problems or run is None:
        raise ConfigurationError(problems)
    return Payload(run, items, legacy)


def _validate(model: type[P], data: Any, operation: str, problems: list[Problem]) -> P | None:
    if _levels(data) > MOST_LEVELS:
        problems.append(_problem(operation, "", f"more than {MOST_LEVELS} levels deep"))
        return None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = error.errors(include_url=False, include_input=False)
    from arkworker.settings.report.messages import message_of

    for line in lines:
        field = printable(".".join(map(str, line["loc"])))
        problems.append(_problem(operation, field, message_of(line)))
    return None


def _problem(operation: str, field: str, message: str) -> Problem:
    location = f"{operation} {field}".strip()
    return Problem(path=field, source="worker run", location=location, message=message)


def _levels(data: Any) -> int:
    """How many levels of lists and objects lie in one another; counted no further than to one too many."""
    level, current = 0, [data]
    while level <= MOST_LEVELS and (inner := [value for value in current if isinstance(value, (dict, list))]):
        current = [item for value in inner for item in (value.values() if isinstance(value, dict) else value)]
        level += 1
    return level
