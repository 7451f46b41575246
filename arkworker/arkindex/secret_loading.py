"""Loading the secrets that a worker's settings refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arkworker.errors import ApiError, ExitCode, SecretError
from arkworker.options.secret import Secret
from arkworker.settings.provenance import Origin
from arkworker.settings.secret_content import read_secret
from arkworker.settings.sources.payload import WORKER_RUN
from arkworker.settings.values.unreadable import UnreadableError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from arkworker.arkindex.client import Client
    from arkworker.settings.provenance import Path
    from arkworker.settings.resolution import Resolution, SecretRequest
    from arkworker.storage.secrets import SecretStore


class SecretLoader:
    """Loads from Arkindex and the local store; failures go to the ledger.

    Args:
        resolution: The settings, with the secrets that they refer to.
        store: The local secrets.
        client: Arkindex; None where nobody said where it is, as at a desk: then it is not asked.
        environ: What `env:NAME` looks into.

    Attributes:
        loaded: The secrets, by the marker of their option, or by the name they are listed under.
        unavailable: The error of an Arkindex that could not be asked: worth a retry, so nothing to correct.
    """

    def __init__(
        self, resolution: Resolution, store: SecretStore, client: Client | None, environ: Mapping[str, str]
    ) -> None:
        self.loaded: dict[str, Secret[Any]] = {}
        self.unavailable: ApiError | None = None
        self._resolution = resolution
        self._store = store
        self._client = client
        self._environ = environ
        self._is_community: bool | None = None

    def load_all(self) -> None:
        """Load what options refer to, and what is listed by name."""
        for request in self._resolution.secrets:
            self._load_option(request)
        for name in self._resolution.secret_names:
            secret = self._attempt(("secrets", printable(name, 60)), self._origin_of_names(), self._load_name, name)
            if secret is not None:
                self.loaded[name] = secret

    def _load_option(self, request: SecretRequest) -> None:
        ledger = self._resolution.ledger
        problems = len(ledger.problems)
        secret = self._attempt(request.path, request.origin, self._content, request)
        if secret is not None:
            self.loaded[request.marker] = secret
        elif len(ledger.problems) > problems:
            claim, _ = ledger.claim_for(request.path)
            if claim is not None:
                claim.refused = True

    def _attempt(
        self, path: Path, origin: Origin, load: Callable[[Any], Secret[Any] | None], argument: Any
    ) -> Secret[Any] | None:
        try:
            return load(argument)
        except SecretError as error:
            message = error.reason
        except UnreadableError as error:
            message = error.message
        except ApiError as error:
            if error.exit_code == ExitCode.UNAVAILABLE:
                self.unavailable = error
                return None
            message = printable(str(error), 300)
        self._resolution.ledger.report(path, message, origin)
        return None

    def _content(self, request: SecretRequest) -> Secret[Any] | None:
        """What an option's reference leads to; on a Community instance, a worker run holds the content itself."""
        reference = request.reference
        if request.origin.source == "worker run" and self._ask_edition():
            return read_secret(reference.value, reference.annotation)
        content = self._load_name(reference.value)
        return None if content is None else read_secret(content.get_secret_value(), reference.annotation)

    def _load_name(self, name: str) -> Secret[Any] | None:
        from arkworker.arkindex.secrets import load_secret

        if self.unavailable is not None and not name.startswith(("file:", "env:")):
            return None  # each would wait for as long as the first
        return Secret(load_secret(name, store=self._store, api=self._client, environ=self._environ))

    def _ask_edition(self) -> bool:
        from arkworker.arkindex.secrets import is_community

        if self._is_community is None and self.unavailable is not None:
            raise self.unavailable
        if self._is_community is None:
            self._is_community = self._client is not None and is_community(self._client)
        return self._is_community

    def _origin_of_names(self) -> Origin:
        claim = self._resolution.ledger.claims.get(("secrets",))
        return claim.origin if claim else Origin("worker version", f"{WORKER_RUN} worker_version.configuration.secrets")
