"""Everything before user code: resolve, ask for the worker run, resolve again, load secrets, make the context."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.client import Connection
from arkworker.clock import SystemClock
from arkworker.errors import ApiError, ConfigurationError, Problem
from arkworker.frozen import FrozenDict, freeze
from arkworker.options.creates import Creates
from arkworker.options.secret import UnloadedSecret
from arkworker.runtime.context import WorkerContext
from arkworker.runtime.context_data import RunnerData
from arkworker.runtime.named_files import anchored, check_inputs, check_outputs, current_folder, writable
from arkworker.runtime.origins import context_origins
from arkworker.runtime.services import Services
from arkworker.settings.provenance import Origin
from arkworker.settings.resolution import Resolution, resolve, validate
from arkworker.settings.sources.configuration import WORKER_RUN
from arkworker.storage.directories import data_directory, ensure_directory, secrets_directory, work_directory
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.payload import Payload, Process
    from arkworker.options.secret import Secret
    from arkworker.settings.catalogue import WorkerOptions
    from arkworker.settings.model import WorkerSettings
    from arkworker.settings.platform import Settings
    from arkworker.settings.provenance import Path as Steps
    from arkworker.settings.resolution import Inputs, RunSays

#: Problems of these do not keep Arkindex from being asked: they are shown with what it answers.
_OF_THE_WORKER = ("config", "arguments", "secrets")
_LISTED_SECRETS = f"{WORKER_RUN} worker_version.configuration.secrets"
#: How a validator's need for a secret is reported that could not be loaded.
_NEEDS_SECRET = "cannot be checked here"  # noqa: S105 no password


@dataclass(slots=True, eq=False)
class Preparation:
    """What a verb needs of the steps before user code.

    Attributes:
        offline: Nothing is asked of Arkindex, no secret is loaded, no directory is made.
        dry: Nothing is loaded and nothing is made, but Arkindex is asked for the worker run.
        clock: The clock to wait with between attempts.
        interruptible: Makes the block in which a signal interrupts at once.
        folder: What relative paths belong to, wherever user code moves; by default the current directory.
        outputs: The files of `summary` and `report`, once it is known that they are wanted, and can be written.
    """

    worker: WorkerOptions
    inputs: Inputs
    uses_cache: bool = False
    offline: bool = False
    dry: bool = False
    clock: SystemClock = field(default_factory=SystemClock)
    folder: str = field(default_factory=current_folder)
    interruptible: Callable[[], AbstractContextManager[None]] = nullcontext
    resolution: Resolution = field(init=False)
    payload: Payload | None = field(default=None, init=False)
    parent_caches: list[Path] = field(default_factory=list, init=False)
    _client: Client | None = field(default=None, init=False)
    outputs: Mapping[str, str] = field(default_factory=dict, init=False)
    _is_ended: bool = field(default=False, init=False)

    def prepare(self) -> WorkerContext[Any]:
        """Make the context.

        Raises:
            ConfigurationError: With every problem at once.
            ApiError: Arkindex does not give the worker run, or a secret, and nothing else is wrong.
        """
        self.resolution = self._resolve()
        if not self.offline and not self.dry:
            self.outputs = writable(self.resolution)
        if not self.resolution.is_developer_mode and not self.offline:
            self._resolve_with_payload()
        settings = self.resolution.settings
        work_dir = work_directory(settings.data_dir, settings.xdg_data_home, self.inputs.environ)
        if not self.dry:
            check_inputs(self.resolution, uses_cache=self.uses_cache)
        if self.offline or self.dry:
            loaded: Mapping[Any, Secret[Any]] = {}
            with self.interruptible():
                values = self._validate()
        else:
            check_outputs(self.resolution)
            self._bootstrap()
            self._make(work_dir)
            with self.interruptible():  # gpg may wait for its agent, and a worker's own validator for anything
                loaded, values = self._load_and_validate()
        return self._context(values, loaded, work_dir)

    def end(self) -> None:
        """End requests and waits, from any thread: a run is being stopped."""
        self._is_ended = True
        if self._client is not None:
            self._client.end()
        self.clock.wake()

    @property
    def origins(self) -> dict[str, tuple[str, str]]:
        """Where each setting came from: source and location."""
        claims = self.resolution.ledger.claims
        return {path[0]: (claim.origin.source, claim.origin.location) for path, claim in claims.items() if path}

    def check_elements(self, process: Process | None) -> None:
        """Refuse elements that cannot be worked on, before anything starts.

        Raises:
            ConfigurationError: As `Choice.check_names`.
        """
        if not self.worker.processes_elements:
            return
        from arkworker.runtime.loop.choice import Choice

        choice = Choice(self.resolution.settings, process, self.origins, list)
        if self.worker.processes_sets:
            choice.check_sets_only()
        choice.check_names()

    def _resolve(self, says: RunSays | None = None) -> Resolution:
        with self.interruptible():  # a worker's own source of settings may wait, too
            resolution = resolve(self.worker, self.inputs, says)
        resolution.settings = anchored(resolution.settings, self.folder)
        return resolution

    def _validate(self, loaded: Mapping[Any, Secret[Any]] | None = None) -> WorkerSettings:
        values = anchored(validate(self.resolution, loaded), self.folder)
        self.resolution.settings = values
        return values

    def _resolve_with_payload(self) -> None:
        first = self.resolution
        from arkworker.arkindex.payload import Named, retrieve_payload

        # Without a sound connection there is nobody to ask; what is known by now is reported.
        if any(problem.path.partition(".")[0] not in _OF_THE_WORKER for problem in first.ledger.problems):
            raise ConfigurationError(first.ledger.problems)
        try:
            settings = first.settings
            named = Named(settings.worker_run_id or "", first.locations, settings.slurm_job_id is not None)
            payload = retrieve_payload(self._get_client(), named)
        except (ApiError, ConfigurationError) as error:
            if not first.ledger.problems:
                raise
            raise ConfigurationError([*first.ledger.problems, *_problems_of(error)]) from None
        self.payload = payload
        self.resolution = self._resolve(payload.says(is_free=self.worker.is_free))

    def _get_client(self) -> Client:
        if self._client is None:
            from arkworker.arkindex.client import Client

            connection = connection_of(self.resolution.settings)
            self._client = Client(connection, read_only=self.resolution.is_developer_mode, clock=self.clock)
            if self._is_ended:
                self._client.end()
        return self._client

    def _bootstrap(self) -> None:
        """Prepare the task where no agent does, once nothing else is known to be wrong."""
        settings, ledger = self.resolution.settings, self.resolution.ledger
        if not settings.bootstrap or ledger.problems:
            return
        from arkworker.arkindex.bootstrap import Task, bootstrap

        origin = ledger.claims["bootstrap",].origin
        needed = {
            "PONOS_TASK": settings.task_id,
            "PONOS_DATA": settings.data_dir,
            "TASK_PARENTS": settings.bootstrap_parents,
        }
        for variable, value in needed.items():
            if value is None:
                ledger.report(("bootstrap",), f"needs {variable}, which is not set", origin)
        if ledger.problems:
            return
        model_dir = Path(settings.model_dir) if settings.model_dir else None
        task = Task(
            settings.task_id or "",
            data_directory(settings.data_dir, self.inputs.environ),
            settings.bootstrap_parents or {},
            settings.bootstrap_model_version,
            model_dir,
        )
        with self.interruptible():  # a model's archive may be large
            bootstrap(self._get_client(), task)

    def _make(self, work_dir: Path) -> None:
        mistake = ensure_directory(work_dir)
        if mistake:
            claims = self.resolution.ledger.claims
            claim = claims.get(("data_dir",)) or claims.get(("xdg_data_home",))
            origin = claim.origin if claim else Origin("default", str(work_dir))
            hint = "set PONOS_DATA to a directory that can be written"
            self.resolution.ledger.report(("work_dir",), mistake, origin, hint=hint)

    def _load_and_validate(self) -> tuple[Mapping[Any, Secret[Any]], WorkerSettings]:
        if not self.resolution.secrets and not self.resolution.secret_names:
            return {}, self._validate()
        from arkworker.arkindex.secrets import SecretLoader
        from arkworker.storage.local_secrets import SecretStore

        is_known = connection_of(self.resolution.settings) != Connection()
        store = SecretStore(self._secrets_directory(), environ=self.inputs.environ)
        api = self._get_client() if is_known else None
        loader = SecretLoader(store, api, self.inputs.environ, self._report_secret)
        loader.load_options(self.resolution.secrets)
        listed = self.resolution.ledger.claims.get(("secrets",))
        origin = listed.origin if listed else Origin("worker version", _LISTED_SECRETS)
        loader.load_names(self.resolution.secret_names, origin)
        try:
            values = self._validate(loader.loaded)
        except ConfigurationError as error:
            if loader.unavailable is None:
                raise
            # What must be corrected goes before what may be tried again, but for what follows from the latter.
            problems = [problem for problem in error.problems if not problem.message.startswith(_NEEDS_SECRET)]
            if problems:
                problems += _problems_of(loader.unavailable)
                raise ConfigurationError(problems) from None
        if loader.unavailable is not None:
            raise loader.unavailable
        return loader.loaded, values

    def _report_secret(self, path: Steps, message: str, origin: Origin) -> None:
        """A secret that cannot be loaded is one problem: that its option has no value is not another."""
        self.resolution.ledger.report(path, message, origin)
        claim, _ = self.resolution.ledger.claim_for(path)
        if claim is not None and path[0] != "secrets":
            claim.refused = True

    def _context(self, values: WorkerSettings, loaded: Mapping[Any, Secret[Any]], work_dir: Path) -> WorkerContext[Any]:
        resolution, settings = self.resolution, self.resolution.settings
        run = self.payload.run if self.payload else None
        model = run.model_version if run else None
        developer = resolution.is_developer_mode
        context = WorkerContext(
            config=values.config,
            arguments=values.arguments,
            secrets=self._secrets(loaded),
            is_read_only=developer,
            worker_run_id=None if developer else settings.worker_run_id,
            task_id=settings.task_id,
            task_chunk=settings.task_chunk,
            task_data_dir=data_directory(settings.data_dir, self.inputs.environ),
            work_dir=work_dir,
            process=run.process if run else None,
            worker_details=_frozen(run.worker_version.worker) if run else FrozenDict(),
            model_version_id=model.id if model else None if run else settings.model_version_id,
            model_details=_frozen(model.model if model else {"id": None if run else settings.model_id}),
            model_configuration=_frozen(self._model_configuration()),
            use_cache=self.uses_cache,
            cache_path=self._cache_path(),
            connection=connection_of(settings),
            secrets_dir=self._secrets_directory(),
            model_dir=self._path(settings.model_dir),
            extras_dir=self._path(settings.extras_dir),
            _corpus_id=run.process.corpus if run else settings.corpus_id,
            _runner=RunnerData(
                creates=self.worker.creates or Creates(),
                batch_size=settings.publication_batch_size,
                results=settings.results,
                max_image_pixels=settings.max_image_pixels,
            ),
            origins=context_origins(resolution, values, self.payload),
        )
        return replace(context, built=Services(context, self._client))

    def _model_configuration(self) -> dict[str, Any]:
        if self.payload is None:
            return {}
        from arkworker.arkindex.payload import model_configuration

        return model_configuration(self.worker, self.payload)

    def _secrets(self, loaded: Mapping[Any, Secret[Any]]) -> FrozenDict:
        """By name, those listed; by option, those of the modern configuration."""
        by_option = {".".join(request.path[1:]): loaded.get(request.reference) for request in self.resolution.secrets}
        by_name = {name: loaded.get(name) for name in self.resolution.secret_names}
        return FrozenDict({name: secret or UnloadedSecret(name) for name, secret in (by_option | by_name).items()})

    def _secrets_directory(self) -> Path:
        return secrets_directory(self.resolution.settings.xdg_config_home, self.inputs.environ).absolute()

    def _path(self, text: str | None) -> Path | None:
        return Path(text).absolute() if text else None

    def _cache_path(self) -> Path | None:
        """The database that was named; else, under Ponos, one to merge those of the parents into, if there are any."""
        settings = self.resolution.settings
        if not self.uses_cache or settings.database:
            return self._path(settings.database) if self.uses_cache else None
        if self.offline or self.dry or self.resolution.is_developer_mode or settings.task_id is None:
            return None
        from arkworker.arkindex.tasks import retrieve_parents
        from arkworker.storage.cache import find_parent_caches

        root = data_directory(settings.data_dir, self.inputs.environ)
        parents = retrieve_parents(self._get_client(), settings.task_id)
        self.parent_caches = find_parent_caches(root, parents, settings.task_chunk)
        return root / settings.task_id / "db.sqlite" if self.parent_caches else None


def _problems_of(error: ApiError | ConfigurationError) -> list[Problem]:
    if isinstance(error, ConfigurationError):
        return list(error.problems)
    return [Problem("", "worker run", error.operation, printable(str(error), 500))]


def connection_of(settings: Settings) -> Connection:
    """The task's token goes before the user's; each has its scheme."""
    api = settings.api
    token = api.task_token or api.token
    scheme = api.auth_scheme or ("Ponos" if api.task_token else "Token")
    return Connection(
        url=api.url,
        token=token.get_secret_value() if token else None,
        scheme=scheme if token else "Token",
        schema_url=freeze(api.schema_url),
        csrf_cookie=api.csrf_cookie,
        verify=api.verify,
        ca_bundle=api.ca_bundle,
        user_agent=settings.user_agent,
    )


def _frozen(values: Mapping[str, Any]) -> FrozenDict:
    return FrozenDict({name: freeze(value) for name, value in values.items()})
