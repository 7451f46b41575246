"""Requests whose answer was lost: looked for on Arkindex before anything is sent again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.publishing.sending import filled, perform
from arkworker.errors import ApiError, ArkworkerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.publishing.plan import Ref, Request

logger = logging.getLogger("arkworker.publishing")

WAITS = (3.0, 4.0, 8.0, 16.0)  # seconds between five attempts, as everywhere
SLOW = 10.0  # seconds: what broke off after that many had not been lost on its way
#: Sent twice, they are there once.
_REPEATABLE = frozenset({"CreateClassification", "CreateClassifications", "PartialUpdateElement"})


class Certainty:
    """Performs the requests of one publication.

    After an error that leaves it open whether a request was carried out, what the worker run has on the element is read
    back. What is there counts as accepted; what is not there is sent again, unless it may still be under way.

    Args:
        client: Sends them.
        worker_run_id: Signs the results.
        root: The element that all of them lie on or below.
    """

    def __init__(self, client: Client, worker_run_id: str | None, root: str) -> None:
        self._client = client
        self._run = worker_run_id
        self._root = root
        self._known: set[str] = set()  # ids that other requests got

    def perform(self, request: Request, ids: Mapping[Ref, str]) -> Any:
        """The answer to a request, or what stands for it where it was found.

        Raises:
            ApiError: It was not accepted; `uncertain` where even that cannot be told.
        """
        if request.operation in _REPEATABLE or self._run is None:
            return perform(self._client, request, ids, idempotent=request.operation in _REPEATABLE)
        answer = self._perform_carefully(request, ids)
        self._known.update(_ids(answer))
        return answer

    def _perform_carefully(self, request: Request, ids: Mapping[Ref, str]) -> Any:
        for wait in (*WAITS, None):
            start = self._client.clock.now()
            try:
                return perform(self._client, request, ids, careful=True)
            except ApiError as error:
                if not error.uncertain:
                    raise
                seconds = self._client.clock.now() - start
                logger.warning("%s; looking whether it was carried out", error)
                self._client.clock.sleep(WAITS[0] if wait is None else wait)
                found = self._find(request, ids, error)
                if found is not None:
                    logger.info("%s had been carried out", request.operation)
                    return found
                if _may_still_come(error, seconds):
                    error.message += "; it was not there when it was looked for"
                    raise
                if wait is None:
                    error.uncertain = 0
                    raise
        raise AssertionError  # the last attempt returns or raises

    def _find(self, request: Request, ids: Mapping[Ref, str], error: ApiError) -> list[Any] | None:
        from arkworker.arkindex.publishing.lookup import Lookup

        parameters = {name: filled(value, ids) for name, value in request.parameters.items()}
        known = {*self._known, *ids.values()}
        lookup = Lookup(self._client, self._run or "")
        try:
            return lookup.find(request.operation, parameters, filled(request.body, ids), root=self._root, known=known)
        except ArkworkerError as reason:
            error.message += f"; looking for it failed, too: {reason}"
            raise error from None


def _may_still_come(error: ApiError, seconds: float) -> bool:
    """Whether it is too early to say that a request is not carried out: the server took it, and did not say no."""
    return seconds >= SLOW if error.status is None else error.status < 500


def _ids(answer: Any) -> Iterator[str]:
    """The ids in an answer: of itself, of its items, or of those in the lists that it holds."""
    parts = [answer, *answer.values()] if isinstance(answer, dict) else [answer]
    items = [item for part in parts for item in (part if isinstance(part, list) else [part])]
    for item in items:
        if isinstance(item, dict) and isinstance(item.get("id"), str):
            yield item["id"]
