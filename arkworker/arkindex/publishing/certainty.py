"""Send, lost, look, send again: a request whose answer was lost is looked for on Arkindex before it is sent again."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arkworker.arkindex.client.attempts import WAITS
from arkworker.arkindex.publishing.lookup import AmbiguousError, Lookup
from arkworker.arkindex.publishing.sending import filled, ids_in, perform
from arkworker.errors import ApiContentError, ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.publishing.plan import Ref, Request

logger = logging.getLogger("arkworker.publishing")

SLOW = 10.0  # seconds: what broke off after that many had not been lost on its way
SETTLING = 5.0  # seconds that a request may still be under way in the server, when its sender has ended
#: What a proxy says when it waited in vain: the server may well go on.
_TIMED_OUT = frozenset({504, 522, 524, 598, 599})
#: What a proxy says for the server, where that is away or was cut off.
_GATEWAY = frozenset({502, 503, *range(520, 528), 530})
#: Sent twice, it is there once.
_REPEATABLE = "PartialUpdateElement"


@dataclass(frozen=True, slots=True)
class _Sending:
    """A request, and what is needed to look for what it creates."""

    request: Request
    ids: Mapping[Ref, str]
    root: str
    known: Collection[str]


class Certainty:
    """Performs requests such that none is carried out twice.

    After an error that leaves it open whether a request was carried out, what the worker run has on the element is read
    back. What is there counts as accepted; what is not there is sent again, unless it may still be under way.

    Args:
        client: Sends them.
        worker_run_id: Signs the results; without one, nothing can be looked for.
        check: Raises when nothing more should be sent.
    """

    def __init__(self, client: Client, worker_run_id: str | None, *, check: Callable[[], None] = lambda: None) -> None:
        self._client = client
        self._run = worker_run_id
        self._check = check

    def perform(  # noqa: PLR0913 - a request, and where to look for it
        self,
        request: Request,
        ids: Mapping[Ref, str],
        root: str,
        *,
        known: Collection[str] = (),
        note: Callable[[], None] = lambda: None,
        since: float = 0.0,
    ) -> dict[Ref, str]:
        """Perform a request until it is known what became of it; the ids that it gave.

        Args:
            request: One of a plan.
            ids: Those that it may refer to, which is then not taken for what it creates.
            root: The element that all of it lies on or below, as far as it is not on one that is named.
            known: Ids of what else it does not create.
            note: Called before each attempt.
            since: When it was sent before, in seconds since the epoch, by a process that did not see the answer: it is
                looked for first.

        Raises:
            ApiError: It was not accepted; `uncertain` where it could not even be looked for.
            AmbiguousError: Its outcome is unknown.
        """
        sending = _Sending(request, ids, root, {*ids.values(), *known})
        if since:
            self._sleep(min(max(SETTLING - (time.time() - since), 0.0), SETTLING))
            if (found := self._find(sending)) is not None:
                return found
        if request.operation == _REPEATABLE or self._run is None:
            note()
            answer = perform(self._client, request, ids, idempotent=request.operation == _REPEATABLE)
            return ids_in(request, answer)
        for wait in (*WAITS, None):
            note()
            start = self._client.clock.now()
            try:
                return self._attempt(sending)
            except ApiError as error:
                if not error.uncertain:
                    raise
                logger.warning("%s; checking whether it was carried out", error)
                found = self._look(sending, error, self._client.clock.now() - start, wait or WAITS[0])
                if found is not None:
                    return found
                if wait is None:
                    error.uncertain = 0
                    raise
        raise AssertionError  # the last attempt returns or raises

    def _attempt(self, sending: _Sending) -> dict[Ref, str]:
        answer = perform(self._client, sending.request, sending.ids, careful=True)
        try:
            return ids_in(sending.request, answer)
        except ApiContentError as error:  # it was accepted, and what it gave is still to be looked for
            self._sleep(WAITS[0])
            if (found := self._find_after(sending, error)) is None:
                raise AmbiguousError(f"{error}; it was not found afterwards") from error
            return found

    def _look(self, sending: _Sending, error: ApiError, seconds: float, wait: float) -> dict[Ref, str] | None:
        """The ids of what was carried out; None where it was not, and is not under way any more."""
        is_slow = error.status in _TIMED_OUT or (seconds >= SLOW and (error.status or 500) >= 500)
        waits = WAITS if is_slow else WAITS[:3] if error.status in _GATEWAY else (wait,)
        for pause in waits:
            self._sleep(pause)
            if (found := self._find_after(sending, error)) is not None:
                return found
        if is_slow:
            raise AmbiguousError(f"{error}; it was not found afterwards") from error
        return None

    def _find_after(self, sending: _Sending, error: ApiError) -> dict[Ref, str] | None:
        """As `_find`; where there is no answer, the earlier error counts, and the request is open."""
        try:
            return self._find(sending)
        except ApiError as reason:
            error.message += f"; checking it failed, too: {reason}"
            error.uncertain = 1
            raise error from None

    def _find(self, sending: _Sending) -> dict[Ref, str] | None:
        if self._run is None:
            return None
        request = sending.request
        parameters = {name: filled(value, sending.ids) for name, value in request.parameters.items()}
        body = filled(request.body, sending.ids)
        lookup = Lookup(self._client, self._run)
        found = lookup.find(request.operation, parameters, body, root=sending.root, known=sending.known)
        if found is None:
            return None
        logger.info("%s had been carried out", request.operation)
        return ids_in(request, found)

    def _sleep(self, seconds: float) -> None:
        self._client.clock.sleep(seconds)
        self._check()
