"""What the server saw: every request, and every change of an activity. Reliability is judged by it, not by clients."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MASK = "**********"
_SECRET_HEADERS = frozenset({"authorization", "cookie", "x-csrftoken"})


@dataclass
class Call:
    """One request.

    Attributes:
        number: Its place in the ledger, from 1.
        time: When it came, in seconds since the epoch.
        operation: Its operation id; `None` when no operation has this method and path.
        path: As it was sent, decoded.
        query: A parameter that came several times has its last value.
        body: Its JSON; None when there was none, or bytes went to a file.
        headers: With lower-case names; credentials are masked, but for their scheme.
        origin: `api`, or `storage` for files and images.
        task_id: The id of the task whose token was used.
        acted: The operation was carried out, or refused by its own rules. False when a fault came first.
        status: The status of the answer that was made; None when there was none.
        answered: The whole answer was handed to the network. False where it was lost, cut, or the client had gone.
        faults: Which faults applied to it, such as `reset` or `answer 503`.
        seconds: How long it was under way, latency included.
        answer: The beginning of the JSON that was answered.
    """

    number: int
    time: float
    operation: str | None
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    origin: str
    body: Any = None
    task_id: str | None = None
    acted: bool = False
    status: int | None = None
    answered: bool = False
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0
    answer: str = ""


@dataclass(frozen=True)
class StateChange:
    """An activity went from one state to another; `call` is the number of the call that made it (0: set up)."""

    time: float
    worker_run_id: str
    element_id: str
    before: str | None
    state: str
    task_id: str | None
    call: int


class Ledger:
    """All calls and state changes so far, in order. Reading it is safe from any thread.

    Args:
        limit: Keep only that many of the latest calls; by default all of them.

    Attributes:
        lacking: How often operations were asked for that the emulator does not have, by their names.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.lacking: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._calls: deque[Call] = deque(maxlen=limit)
        self._changes: list[StateChange] = []
        self._by_element: dict[str, list[StateChange]] = {}
        self._number = 0

    def open(self, **values: Any) -> Call:
        """Write the line of a request that has just come."""
        with self._lock:
            self._number += 1
            call = Call(number=self._number, time=time.time(), **values)
            self._calls.append(call)
            return call

    def record(self, changes: Iterable[StateChange]) -> None:
        """Keep changes of the states of activities, in their order."""
        with self._lock:
            for change in changes:
                self._changes.append(change)
                self._by_element.setdefault(change.element_id, []).append(change)

    @property
    def count(self) -> int:
        """How many requests came in all, also where only the latest are kept."""
        return self._number

    def calls(self, operation: str | None = None, *, after: int = 0) -> list[Call]:
        """The calls, of one operation or of all, whose number is greater than `after`."""
        with self._lock:
            return [c for c in self._calls if c.number > after and operation in (None, c.operation)]

    def changes(self, worker_run_id: str | None = None) -> list[StateChange]:
        """Every change of every activity, of one run or of all, in order."""
        with self._lock:
            return [change for change in self._changes if worker_run_id in (None, change.worker_run_id)]

    def changes_of(self, element_id: str, worker_run_id: str | None = None) -> list[StateChange]:
        """What happened to one element, in one run or in all, in order."""
        with self._lock:
            changes = self._by_element.get(element_id, [])
            return [change for change in changes if worker_run_id in (None, change.worker_run_id)]

    def history(self, element_id: str, worker_run_id: str | None = None) -> list[str]:
        """The states that the activity of one element went through, such as `["queued", "started", "processed"]`."""
        return [change.state for change in self.changes_of(element_id, worker_run_id)]

    def clear(self) -> None:
        """Forget the calls; numbers go on, and the history of activities stays."""
        with self._lock:
            self._calls.clear()


def mask_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers as they may be kept: `Ponos **********` instead of a token."""
    masked = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name in _SECRET_HEADERS:
            scheme, space, _ = value.partition(" ")
            value = f"{scheme} {MASK}" if space else MASK
        masked[name] = value
    return masked


def mask_query(query: Mapping[str, str]) -> dict[str, str]:
    """Query parameters as they may be kept: the signature of a presigned address opens a file."""
    return {name: MASK if name == "signature" else value for name, value in query.items()}
