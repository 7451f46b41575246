"""Asking Arkindex for the worker run, and what to do about its refusals."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from arkworker.arkindex.payload import Payload, WorkerRun, parse_payload
from arkworker.errors import ApiResponseError, ApiUnavailableError, ConfigurationError, Problem
from arkworker.settings.sources.configuration import CONFIGURATION, WORKER_RUN
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arkworker.arkindex.client import Client
    from arkworker.settings.resolution import Resolution

_TOKENS = ("task_token", "token")
_NO_TOKEN = "set ARKINDEX_API_TOKEN, the token of a user; Ponos gives its tasks ARKINDEX_TASK_TOKEN"  # noqa: S105 a remedy


def retrieve_payload(client: Client, resolution: Resolution) -> Payload:
    """Ask for the worker run and its modern configuration, which older instances refuse.

    Raises:
        ApiError: Arkindex does not answer as it should.
        ConfigurationError: It refuses, or a part that the runner needs is missing or of the wrong type.
    """
    worker_run_id = resolution.settings.worker_run_id or ""
    with _explained(resolution):
        worker_run = client.request(WORKER_RUN, id=worker_run_id)
        configuration = _retrieve_configuration(client, worker_run_id)
    return parse_payload(worker_run, configuration)


def retrieve_run(client: Client, resolution: Resolution) -> WorkerRun:
    """Ask for the worker run alone, as `retrieve_payload` does: its configuration is for administrators to read."""
    with _explained(resolution):
        worker_run = client.request(WORKER_RUN, id=resolution.settings.worker_run_id)
    return parse_payload(worker_run, {"configuration": []}).run


@contextmanager
def _explained(resolution: Resolution) -> Iterator[None]:
    """Say what to correct, where that can be told."""
    try:
        yield
    except ApiResponseError as error:
        problem = _refusal(error, resolution)
        if problem is None:
            raise
    except ApiUnavailableError as error:
        error.message += f"; {_named(resolution, ('api', 'url'), 'ARKINDEX_API_URL')} sets this address"
        if resolution.settings.slurm_job_id is not None:
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


def _refusal(error: ApiResponseError, resolution: Resolution) -> Problem | None:
    """What to correct: the id, or the token; None where nothing can be said of it."""
    if error.status == 404:
        location = _named(resolution, ("worker_run_id",), "ARKINDEX_WORKER_RUN_ID")
        address = _named(resolution, ("api", "url"), "ARKINDEX_API_URL")
        hint = f"correct {location}, or {address}: this instance has no such worker run, or the token may not see it"
        return Problem("worker_run_id", "worker run", error.operation, printable(str(error), 300), hint)
    if error.status not in (401, 403):
        return None
    given = next((name for name in _TOKENS if ("api", name) in resolution.ledger.claims), None)
    hint = _NO_TOKEN if given is None else _token_remedy(error, given, resolution)
    return Problem("api.token", "worker run", error.operation, printable(str(error), 300), hint)


def _token_remedy(error: ApiResponseError, given: str, resolution: Resolution) -> str:
    location = _named(resolution, ("api", given), "")
    if error.status == 401:
        return f"correct {location}: this instance does not know the token"
    if given == "task_token":
        return f"{location} is the token of a task: it is valid only for the worker run of that task"
    return (
        f"set {location} to the token of an administrator of the project: Arkindex gives nobody else the configuration"
    )


def _named(resolution: Resolution, path: tuple[str, ...], default: str) -> str:
    """Where a setting was given."""
    claim = resolution.ledger.claims.get(path)
    return claim.origin.location if claim else default
