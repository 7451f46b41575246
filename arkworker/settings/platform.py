"""Everything that the platform and the person who starts a worker can set, besides its own configuration.

Each field names its variables and flags; what stands under it is its help, its documentation and its description in
the JSON Schema. Variables are those of Arkindex, its client and its agents (published packages base-worker 0.1 to 0.6,
client 0.2 to 1.3).
"""

# Without the import of annotations: as text, each model that is derived from these would evaluate all of them again.
import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Json,
    SecretStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from arkworker.text import CONTROLS

_IDENTIFIER = re.compile(r"(?!\.)[-_.A-Za-z0-9]*[-_A-Za-z0-9]")

_SHARD = re.compile(r"([1-9][0-9]{0,5})?/([1-9][0-9]{0,5})")

MOST_JOBS = 1024

#: What a switch in the environment may say for "off"; any other text turns it on.
OFF = frozenset({"0", "false", "no", "off", ""})


class Variable(NamedTuple):
    """The environment variable that sets a field."""

    name: str


class Flag(NamedTuple):
    """The flags that set a field.

    Attributes:
        names: As typed, `("-c", "--config")`.
        metavar: The placeholder of the value; empty for a switch.
        many: One or more values follow.
        elements: Only workers that process elements know it.
    """

    names: tuple[str, ...]
    metavar: str = ""
    many: bool = False
    elements: bool = False


def _switch(value: Any) -> Any:
    return value.strip().lower() not in OFF if isinstance(value, str) else value


def _identifier(value: str) -> str:
    # It becomes part of a path and of a URL; all else about it is the server's business.
    if not _IDENTIFIER.fullmatch(value):
        raise ValueError("should be an id: letters, digits and dashes")
    if len(value) > 255:
        raise ValueError("should be an id, of at most 255 characters")
    return value


def _dataset_set(value: str) -> str:
    dataset, colon, name = value.partition(":")
    if not colon or not name.strip() or CONTROLS.search(name) or not _IDENTIFIER.fullmatch(dataset):
        raise ValueError("should be the id of a dataset, a colon and the name of a set")
    return value


def _shard(value: str) -> str:
    found = _SHARD.fullmatch(value)
    if found is None or (found[1] and int(found[1]) > int(found[2])):
        raise ValueError("should be I/N, such as 2/8: the second of eight parts; or /8, where the array job says which")
    return value


def _jobs(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        raise ValueError(f"should be auto, or a number of processes from 1 to {MOST_JOBS}") from None


def _path(value: str) -> str:
    if "\0" in value:
        raise ValueError("should be a path without a NUL character")
    return value


def _url(value: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or True)
    except ValueError:
        valid = False
    if not valid or not value.isprintable() or " " in value:
        raise ValueError("should be an http or https URL")
    if parts.username or parts.password:
        raise ValueError("should be a URL without a user name and password: use a token")
    return value


Identifier = Annotated[
    str,
    AfterValidator(_identifier),
    WithJsonSchema({"type": "string", "pattern": f"^{_IDENTIFIER.pattern}$", "maxLength": 255}),
]
DatasetSet = Annotated[str, AfterValidator(_dataset_set)]
Shard = Annotated[str, AfterValidator(_shard), WithJsonSchema({"type": "string", "pattern": f"^{_SHARD.pattern}$"})]
FilePath = Annotated[str, AfterValidator(_path)]
HttpUrl = Annotated[
    str,
    AfterValidator(_url),
    WithJsonSchema({"type": "string", "format": "uri", "pattern": r"^[hH][tT][tT][pP][sS]?://[^\s@]+$"}),
]
Switch = Annotated[bool, BeforeValidator(_switch)]
Header = Annotated[str, Field(pattern=r"^[\x20-\x7e]+$")]


class ApiSettings(BaseModel):
    """How to reach the Arkindex API."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    url: Annotated[HttpUrl, Variable("ARKINDEX_API_URL")] = "https://arkindex.teklia.com/"
    """Address of the instance; its API lies under /api/v1/."""
    task_token: Annotated[SecretStr | None, Variable("ARKINDEX_TASK_TOKEN")] = None
    """Token of the task, sent with the scheme Ponos; takes precedence over the user's token."""
    token: Annotated[SecretStr | None, Variable("ARKINDEX_API_TOKEN")] = None
    """Token of a user, sent with the scheme Token."""
    auth_scheme: Annotated[Header | None, Variable("ARKINDEX_API_AUTH_SCHEME")] = None
    """Authentication scheme to send the token with, instead of Ponos or Token."""
    schema_url: Annotated[str | None, Variable("ARKINDEX_API_SCHEMA_URL")] = None
    """URL or local path of the instance's OpenAPI document, read when an unusual operation is used."""
    csrf_cookie: Annotated[Header | None, Variable("ARKINDEX_API_CSRF_COOKIE")] = None
    """Name of the CSRF cookie; arkindex.csrf by default."""
    verify: Annotated[Switch, Variable("ARKINDEX_API_VERIFY")] = True
    """Check the server's certificate. When this is off, every start logs a warning."""
    ca_bundle: Annotated[FilePath | None, Variable("ARKINDEX_API_CA_BUNDLE")] = None
    """Path of the certificates to trust, instead of the system's."""


class Settings(BaseSettings):
    """The platform's side of a worker's settings: variables and flags, without the worker's own configuration."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        protected_namespaces=("settings_",),
        validate_default=False,  # they are ours
        defer_build=True,  # built for each worker, with its configuration
    )

    api: ApiSettings = Field(default_factory=ApiSettings)

    worker_run_id: Annotated[Identifier | None, Variable("ARKINDEX_WORKER_RUN_ID")] = None
    """Worker run to load from Arkindex and to sign results with; without it, developer mode."""
    dev: Annotated[Switch, Flag(("--dev",))] = False
    """Developer mode: read-only, nothing is loaded from Arkindex, even with a worker run."""
    task_id: Annotated[Identifier | None, Variable("PONOS_TASK")] = None
    """Id of the current task; set when the worker runs under Ponos."""
    task_chunk: Annotated[Identifier | None, Variable("ARKINDEX_TASK_CHUNK")] = None
    """Index of this task's chunk, where a process is split."""
    data_dir: Annotated[FilePath | None, Variable("PONOS_DATA")] = None
    """Root of the tasks' data; the work directory is `current` in it."""
    xdg_data_home: Annotated[FilePath | None, Variable("XDG_DATA_HOME")] = None
    """Where user data lives (~/.local/share): the work directory without PONOS_DATA lies in it."""
    xdg_config_home: Annotated[FilePath | None, Variable("XDG_CONFIG_HOME")] = None
    """Where user configuration lives (~/.config): the local secrets lie in it."""

    corpus_id: Annotated[Identifier | None, Variable("ARKINDEX_CORPUS_ID")] = None
    """Corpus (project) to work on in developer mode; a worker run brings its own."""
    model_id: Annotated[Identifier | None, Variable("ARKINDEX_MODEL_ID")] = None
    """Model to work with in developer mode; a worker run brings its own."""
    model_version_id: Annotated[Identifier | None, Variable("ARKINDEX_MODEL_VERSION_ID")] = None
    """Model version to work with in developer mode; a worker run brings its own."""
    model_dir: Annotated[FilePath | None, Variable("ARKINDEX_MODEL_DIR")] = None
    """Directory with the files of the model, filled by the agent."""

    config_file: Annotated[FilePath | None, Flag(("-c", "--config"), "FILE")] = None
    """YAML (or JSON) file with the configuration, for developer mode."""
    env_file: Annotated[FilePath | None, Flag(("--env-file",), "FILE")] = None
    """File of NAME=value lines, weaker than the environment; no other file is read."""
    database: Annotated[FilePath | None, Flag(("-d", "--database"), "FILE")] = None
    """SQLite cache to use, for workers that use one."""
    extras_dir: Annotated[FilePath | None, Flag(("--extras-dir",), "DIR")] = None
    """Directory with extra files, such as a model, in developer mode."""
    verbose: Annotated[Switch, Variable("ARKINDEX_DEBUG"), Flag(("-v", "--verbose", "--debug"))] = False
    """Log at level DEBUG, and show the traceback of an error."""
    log_format: Annotated[Literal["text", "json"], Flag(("--log-format",), "FORMAT")] = "text"
    """How to log: text, or json for one JSON object a line."""

    element: Annotated[tuple[Identifier, ...], Flag(("--element",), "ID", many=True, elements=True)] = ()
    """Elements to process."""
    image: Annotated[tuple[FilePath, ...], Flag(("--image",), "FILE", many=True, elements=True)] = ()
    """Image files, or folders of them, to process as pages, without Arkindex, in developer mode."""
    elements_list: Annotated[
        FilePath | None, Variable("TASK_ELEMENTS"), Flag(("--elements-list",), "FILE", elements=True)
    ] = None
    """JSON file with the list of elements to process; their ids are used."""
    no_elements_list: Annotated[
        Switch, Variable("SKIP_TASK_ELEMENTS"), Flag(("--no-elements-list",), elements=True)
    ] = False
    """Ignore a list of elements: take them from the process."""
    no_worker_activity: Annotated[Switch, Flag(("--no-worker-activity",), elements=True)] = False
    """Do not report the state of each element to Arkindex."""
    set: Annotated[tuple[DatasetSet, ...], Flag(("--set",), "DATASET:NAME", many=True, elements=True)] = ()
    """Dataset sets to process, each as the dataset's id, a colon and the set's name."""

    prefetch: Annotated[int, Field(ge=0, le=64), Flag(("--prefetch",), "N", elements=True)] = 2
    """How many elements to claim and retrieve ahead of the one being processed; 0 processes them strictly one at a
    time."""
    jobs: Annotated[
        Annotated[int, Field(ge=1, le=MOST_JOBS)] | Literal["auto"],
        WrapValidator(_jobs),
        Variable("ARKINDEX_JOBS"),
        Flag(("--jobs",), "N", elements=True),
    ] = 1
    """How many processes to use on this machine, each with its own model; auto uses one for each core available to this
    process."""
    executor: Annotated[str | None, Variable("ARKINDEX_EXECUTOR"), Flag(("--executor",), "ENGINE", elements=True)] = (
        None
    )
    """What runs the jobs, instead of processes on this machine: dask:tcp://…, submitit, submitit:local, or
    module:factory of any executor of concurrent.futures; --jobs says how many at once."""
    shard: Annotated[Shard | None, Variable("ARKINDEX_SHARD"), Flag(("--shard",), "I/N", elements=True)] = None
    """Work on part I of N of the list, sets, images or cache; parts do not overlap. By default, the part that the Slurm
    array job gives. Ignored for a queue."""
    slurm_array_task_id: Annotated[int | None, Field(ge=0), Variable("SLURM_ARRAY_TASK_ID")] = None
    """Index of this task in its Slurm array job: the part to work on."""
    slurm_array_task_count: Annotated[int | None, Field(ge=1), Variable("SLURM_ARRAY_TASK_COUNT")] = None
    """How many tasks the Slurm array job has: the number of parts."""
    slurm_array_task_min: Annotated[int, Field(ge=0), Variable("SLURM_ARRAY_TASK_MIN")] = 0
    """Index of the first task of the Slurm array job."""
    job_completion_index: Annotated[int | None, Field(ge=0), Variable("JOB_COMPLETION_INDEX")] = None
    """Index of this pod in its indexed Kubernetes job, for a shard given as /N."""
    grace: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False), Flag(("--grace",), "SECONDS", elements=True)] = (
        8.0
    )
    """Seconds that the element being processed has to finish once a signal stops the run."""
    element_timeout: Annotated[
        float | None, Field(gt=0, allow_inf_nan=False), Flag(("--element-timeout",), "SECONDS", elements=True)
    ] = None
    """Seconds that one element may take; then it ends in error. No limit by default."""
    strict: Annotated[Switch, Flag(("--strict",), elements=True)] = False
    """Exit with 1 when any element failed, not only when all of them did."""
    summary: Annotated[FilePath | None, Flag(("--summary",), "FILE", elements=True)] = None
    """File to write the summary of the run to, as JSON."""
    report: Annotated[FilePath | None, Flag(("--report",), "FILE", elements=True)] = None
    """File to write a report of the run to: a page for a browser, which needs no network."""

    publication_batch_size: Annotated[
        int,
        Field(ge=1, le=10_000),
        Variable("ARKINDEX_PUBLICATION_BATCH_SIZE"),
        Flag(("--publication-batch-size",), "N"),
    ] = 50
    """How many results of a kind to send in one request, at most."""

    results: Annotated[FilePath | None, Flag(("--results",), "FILE", elements=True)] = None
    """File to record results and states in, instead of publishing them; `arkworker publish FILE` sends them later, from
    any machine. A file of the same run is continued."""

    bootstrap: Annotated[Switch, Variable("TASK_BOOTSTRAP"), Flag(("--bootstrap",))] = False
    """Download the parents' artifacts and the model before starting, when no agent does it."""
    bootstrap_parents: Annotated[Json[dict[Identifier, Identifier]] | None, Variable("TASK_PARENTS")] = None
    """For bootstrap: JSON object of parent task ids and their slugs."""
    bootstrap_model_version: Annotated[Identifier | None, Variable("ARKINDEX_MODEL_VERSION")] = None
    """For bootstrap: model version to download."""
    container_id: Annotated[Identifier | None, Variable("CONTAINER_ID")] = None
    """The vast.ai instance to stop at exit."""
    container_api_key: Annotated[SecretStr | None, Variable("CONTAINER_API_KEY")] = None
    """Token that stops the vast.ai instance."""
    vast_url: Annotated[HttpUrl, Variable("VAST_URL")] = "https://console.vast.ai"
    """Address of the vast.ai API."""
    slurm_job_id: Annotated[Identifier | None, Variable("SLURM_JOB_ID")] = None
    """Id of the Slurm job; the error about an unreachable Arkindex then gives advice for such jobs."""

    max_image_pixels: Annotated[int | None, Field(ge=0), Variable("ARKINDEX_MAX_IMAGE_PIXELS")] = None
    """Largest image that Pillow may open, in pixels; 0 means no limit."""
    user_agent: Annotated[Header | None, Variable("REQUESTS_USER_AGENT")] = None
    """User-Agent of all requests, also for images and files."""


#: Variables of releases long gone: named in a warning when they are still set.
GONE_VARIABLES = {
    "WORKER_VERSION_ID": "the worker version comes with ARKINDEX_WORKER_RUN_ID since base-worker 0.3",
    "ARKINDEX_PROCESS_ID": "the process comes with ARKINDEX_WORKER_RUN_ID since base-worker 0.3",
    "TASK_ID": "use PONOS_TASK",
    "PONOS_DATA_DIR": "use PONOS_DATA",
}


def variable_of(field: FieldInfo) -> str | None:
    return next((part.name for part in field.metadata if isinstance(part, Variable)), None)


def flag_of(field: FieldInfo) -> Flag | None:
    return next((part for part in field.metadata if isinstance(part, Flag)), None)


def platform_fields() -> dict[tuple[str, ...], FieldInfo]:
    """The path of each field, groups resolved."""
    fields = {(name,): field for name, field in Settings.model_fields.items() if name != "api"}
    return fields | {("api", name): field for name, field in ApiSettings.model_fields.items()}
