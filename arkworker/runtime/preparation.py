"""Everything before user code: resolve, ask Arkindex for the worker run, resolve again, load secrets, make the context."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkworker.errors import ApiError, ApiResponseError, ConfigurationError, SecretError
from arkworker.frozen import FrozenDict
from arkworker.runtime.client import Client, Connection
from arkworker.runtime.context import WorkerContext, frozen_dict
from arkworker.runtime.directories import data_directory, ensure_directory, home_of, work_directory
from arkworker.runtime.tasks import retrieve_parents
from arkworker.secret import Secret, UnloadedSecret
from arkworker.settings.origins import context_origins
from arkworker.settings.payload import CONFIGURATION, WORKER_RUN, Payload, parse_payload
from arkworker.settings.provenance import Origin
from arkworker.settings.reading import UnreadableError
from arkworker.settings.resolution import Resolution, resolve
from arkworker.settings.secret_content import read_secret
from arkworker.settings.validation import Values, validate
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arkworker.settings.catalogue import WorkerOptions
    from arkworker.settings.platform import ApiSettings
    from arkworker.settings.resolution import Inputs, SecretRequest


@dataclass(slots=True)
class Preparation:
    """What a verb needs of the steps before user code.

    Attributes:
        offline: Nothing is asked of Arkindex, no secret is loaded, no directory is made.
        dry: Nothing is loaded and nothing is made, but Arkindex is asked for the worker run.
    """

    worker: WorkerOptions
    inputs: Inputs
    uses_cache: bool = False
    offline: bool = False
    dry: bool = False
    resolution: Resolution = field(init=False)
    parent_caches: list[Path] = field(default_factory=list, init=False)

    def prepare(self) -> WorkerContext[Any]:
        """Make the context.

        Raises:
            ConfigurationError: With every problem at once.
            ApiError: Arkindex does not give the worker run.
        """
        self.resolution = resolve(self.worker, self.inputs)
        if not self.resolution.is_developer_mode and not self.offline:
            self._resolve_with_payload()
        loaded = {} if self.offline or self.dry else self._load_secrets()
        work_dir = work_directory(self.resolution.settings, self.inputs.environ)
        if not self.offline and not self.dry:
            self._make(work_dir)
        return self._context(validate(self.resolution, loaded), loaded, work_dir)

    def _resolve_with_payload(self) -> None:
        first = self.resolution
        # Without a sound connection there is nobody to ask; what is known by now is reported.
        if any(not problem.path.startswith("config.") for problem in first.ledger.problems):
            raise ConfigurationError(first.ledger.problems)
        try:
            payload = fetch_payload(self._client(), first.settings.worker_run_id or "")
        except (ApiError, ConfigurationError) as error:
            if not first.ledger.problems:
                raise
            for problem in getattr(error, "problems", ()):
                first.ledger.problems.append(problem)
            if isinstance(error, ApiError):
                first.ledger.report((), printable(str(error), 500), Origin("worker run", error.operation))
        else:
            self.resolution = resolve(self.worker, self.inputs, payload)
            return
        raise ConfigurationError(first.ledger.problems)

    def _client(self) -> Client:
        settings = self.resolution.settings
        return Client(connection_of(settings.api), read_only=self.resolution.is_developer_mode)

    def _make(self, work_dir: Path) -> None:
        mistake = ensure_directory(work_dir)
        if mistake:
            claim = self.resolution.ledger.claims.get(("data_dir",)) or self.resolution.ledger.claims.get(
                ("xdg_data_home",)
            )
            origin = claim.origin if claim else Origin("default", str(work_dir))
            hint = "set PONOS_DATA to a directory that can be written"
            self.resolution.ledger.report(("work_dir",), mistake, origin, hint=hint)

    def _load_secrets(self) -> dict[str, Secret[Any]]:
        """The secrets that options refer to by marker, and those listed by name; failures go to the ledger."""
        loaded: dict[str, Secret[Any]] = {}
        if not self.resolution.secrets and not self.resolution.secret_names:
            return loaded
        loader = SecretLoader(self.resolution, self.inputs.environ, self._client())
        for request in self.resolution.secrets:
            secret = self._load_one(request, loader)
            if secret is not None:
                loaded[request.marker] = secret
        for name in self.resolution.secret_names:
            try:
                loaded[name] = Secret(loader.load(name))
            except (SecretError, ApiError) as error:
                reason = error.reason if isinstance(error, SecretError) else printable(str(error), 300)
                self.resolution.ledger.report(("secrets", printable(name, 60)), reason, loader.origin_of_names())
        return loaded

    def _load_one(self, request: SecretRequest, loader: SecretLoader) -> Secret[Any] | None:
        try:
            return read_secret(loader.content(request), request.reference.annotation)
        except SecretError as error:
            message = error.reason
        except UnreadableError as error:
            message = error.message
        except ApiError as error:
            message = printable(str(error), 300)
        self.resolution.ledger.report(request.path, message, request.origin)
        claim, _ = self.resolution.ledger.claim_for(request.path)
        if claim is not None:
            claim.refused = True
        return None

    def _context(self, values: Values, loaded: Mapping[str, Secret[Any]], work_dir: Path) -> WorkerContext[Any]:
        resolution, settings = self.resolution, self.resolution.settings
        run = resolution.payload.run if resolution.payload else None
        model = run.model_version if run else None
        developer = resolution.is_developer_mode
        return WorkerContext(
            config=values.config,
            arguments=values.arguments,
            secrets=self._secrets(loaded),
            is_read_only=developer,
            worker_run_id=None if developer else settings.worker_run_id,
            task_id=settings.task_id,
            task_chunk=settings.task_chunk,
            task_data_dir=data_directory(settings),
            work_dir=work_dir,
            process=run.process if run else None,
            worker_details=frozen_dict(run.worker_version.worker) if run else FrozenDict(),
            model_version_id=model.id if model else None if run else settings.model_version_id,
            model_details=frozen_dict(model.model if model else {"id": None if run else settings.model_id}),
            model_configuration=frozen_dict(model.configuration if model else {}),
            use_cache=self.uses_cache,
            cache_path=self._cache_path(),
            connection=connection_of(settings.api),
            secrets_dir=home_of(settings.xdg_config_home, ".config", self.inputs.environ) / "arkindex" / "secrets",
            model_dir=Path(settings.model_dir) if settings.model_dir else None,
            extras_dir=Path(settings.extras_dir) if settings.extras_dir else None,
            _corpus_id=run.process.corpus if run else settings.corpus_id,
            origins=context_origins(resolution, values),
        )

    def _secrets(self, loaded: Mapping[str, Secret[Any]]) -> FrozenDict:
        """By name, those listed; by option, those of the modern configuration."""
        by_option = {".".join(request.path[1:]): loaded.get(request.marker) for request in self.resolution.secrets}
        by_name = {name: loaded.get(name) for name in self.resolution.secret_names}
        return FrozenDict({name: secret or UnloadedSecret(name) for name, secret in (by_option | by_name).items()})

    def _cache_path(self) -> Path | None:
        """The database that was named; else, under Ponos, one to merge those of the parents into, if there are any."""
        settings = self.resolution.settings
        if not self.uses_cache or settings.database:
            return Path(settings.database) if settings.database and self.uses_cache else None
        if self.offline or self.resolution.is_developer_mode or settings.task_id is None:
            return None
        from arkworker.runtime.cache import find_parent_caches

        root = data_directory(settings)
        parents = retrieve_parents(self._client(), settings.task_id)
        self.parent_caches = find_parent_caches(root, parents, settings.task_chunk)
        return root / settings.task_id / "db.sqlite" if self.parent_caches else None


class SecretLoader:
    """Loads secrets from Arkindex and the local store; which of both editions Arkindex is, it asks once."""

    def __init__(self, resolution: Resolution, environ: Mapping[str, str], client: Client) -> None:
        from arkworker.runtime.secrets import SecretStore

        settings = resolution.settings
        directory = home_of(settings.xdg_config_home, ".config", environ) / "arkindex" / "secrets"
        self._resolution = resolution
        self._environ = environ
        self._store = SecretStore(directory, environ=environ)
        # At a desk, nobody may have said where Arkindex is: then it is not asked.
        self._client = client if connection_of(settings.api) != Connection() else None
        self._is_community: bool | None = None

    def content(self, request: SecretRequest) -> Any:
        """What an option's reference leads to; on a Community instance, a worker run holds the content itself."""
        if request.origin.source == "worker run" and self._ask_edition():
            return request.reference.value
        return self.load(request.reference.value)

    def load(self, name: str) -> Any:
        from arkworker.runtime.secrets import load_secret

        return load_secret(name, store=self._store, api=self._client, environ=self._environ)

    def origin_of_names(self) -> Origin:
        claim = self._resolution.ledger.claims.get(("secrets",))
        return claim.origin if claim else Origin("worker version", f"{WORKER_RUN} worker_version.configuration.secrets")

    def _ask_edition(self) -> bool:
        from arkworker.runtime.secrets import is_community

        if self._is_community is None:
            self._is_community = self._client is not None and is_community(self._client)
        return self._is_community


def connection_of(api: ApiSettings) -> Connection:
    """The task's token goes before the user's; each has its scheme."""
    token = api.task_token or api.token
    scheme = api.auth_scheme or ("Ponos" if api.task_token else "Token")
    return Connection(
        url=api.url,
        token=token.get_secret_value() if token else None,
        scheme=scheme if token else "Token",
        schema_url=api.schema_url,
        csrf_cookie=api.csrf_cookie,
        verify=api.verify,
        ca_bundle=api.ca_bundle,
    )


def fetch_payload(client: Client, worker_run_id: str) -> Payload:
    """Ask for the worker run and its modern configuration, which older instances refuse.

    Raises:
        ApiError: Arkindex does not answer as it should.
        ConfigurationError: A part that the runner needs is missing or of the wrong type.
    """
    worker_run = client.request(WORKER_RUN, id=worker_run_id)
    try:
        configuration = client.request(CONFIGURATION, id=worker_run_id)
    except ApiResponseError as error:
        if error.status not in (400, 404):
            raise
        configuration = None
    return parse_payload(worker_run, configuration)
