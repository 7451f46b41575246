"""Who is calling: a person with an API token, or a task with its own."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from arkworker.emulator.failures import forbidden, unauthorized
from arkworker.emulator.tables import Task

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


# Asked with every request: built once, and over the table, which takes half the time that mapped classes take.
_TASKS = Task.__table__.c
_TASK = select(_TASKS.id, _TASKS.worker_run_id, _TASKS.state).where(_TASKS.token == bindparam("token"))


@dataclass(frozen=True)
class TaskCaller:
    """The task whose token was used."""

    id: str
    worker_run_id: str | None
    state: str


@dataclass(frozen=True)
class Caller:
    """The identity behind a token; `task` is None for a person."""

    scheme: str
    task: TaskCaller | None = None

    def require_task(self) -> TaskCaller:
        if self.task is None:
            raise forbidden("This operation is for tasks only.")
        return self.task


@dataclass
class Tokens:
    """The tokens that are no longer good, and the one of the person at the desk.

    Attributes:
        user: The API token of a person.
        expiries: When tokens end, in seconds since the epoch.
    """

    user: str
    expiries: dict[str, float] = field(default_factory=dict)

    def expire(self, token: str, *, seconds: float = 0.0) -> None:
        """Refuse `token` from now on, or after some time."""
        self.expiries[token] = time.time() + seconds

    def identify(self, header: str | None, session: Session) -> Caller:
        """The caller that an `Authorization` header names; a failure 401 when it names nobody."""
        if not header:
            raise unauthorized("Authentication credentials were not provided.", "not_authenticated")
        scheme, _, token = header.partition(" ")
        if self.expiries.get(token, float("inf")) <= time.time():
            raise unauthorized("Token has expired.", "token_expired")
        if scheme == "Token" and token == self.user:
            return Caller("Token")
        if scheme == "Ponos":
            task = session.connection().execute(_TASK, {"token": token}).one_or_none()
            if task is not None:
                return Caller("Ponos", TaskCaller(*task))
        raise unauthorized("Invalid token.")
