"""Asking Arkindex for the worker run, and what to do about its refusals."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arkworker.arkindex.payload import Payload, WorkerRun, parse_payload
from arkworker.errors import ApiResponseError, ApiUnavailableError, ConfigurationError, Problem
from arkworker.settings.sources.configuration import CONFIGURATION, WORKER_RUN
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from arkworker.arkindex.client import Client

_TOKENS = ("task_token", "token")
_NO_TOKEN = "set ARKINDEX_API_TOKEN, the token of a user; Ponos gives its tasks ARKINDEX_TASK_TOKEN"  # noqa: S105 a remedy


@dataclass(frozen=True, slots=True)
class Named:
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
