"""Performs a plan, request by request, so that none is carried out twice, and says what came of it.

Send, lost, look, send again: a request whose answer was lost is looked for on Arkindex before it is sent again.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from arkworker.arkindex.activities import is_refusal
from arkworker.arkindex.client.attempts import WAITS
from arkworker.arkindex.publishing.lookup import AmbiguousError, Asked, Lookup
from arkworker.arkindex.publishing.plan import LISTS, Ref, Request, total
from arkworker.errors import ApiContentError, ApiError, ApiResponseError, ArkworkerError, PublicationError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.client.attempts import Outcome

logger = logging.getLogger("arkworker.publishing")

SLOW = 10.0  # seconds: what broke off after that many had not been lost on its way
SETTLING = 5.0  # seconds that a request may still be under way in the server, when its sender has ended
#: What a proxy says when it waited in vain: the server may well go on.
_TIMED_OUT = frozenset({504, 522, 524, 598, 599})
#: What a proxy says for the server, where that is away or was cut off.
_GATEWAY = frozenset({502, 503, *range(520, 528), 530})
#: Sent twice, it is there once.
_REPEATABLE = "PartialUpdateElement"
_CLASSIFYING = "CreateClassification"
#: What needs no id: no request refers to it.
_UNREFERRED = frozenset({"classification", "metadata", "embedding", "entity"})


@dataclass(slots=True)
class Sent:
    """What came of the requests of a plan by now.

    Attributes:
        ids: Those that are known.
        requests: Those that were accepted.
    """

    ids: dict[Ref, str] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)


#: Performs a request with the ids that are known; the ids that it gave.
Perform: TypeAlias = "Callable[[Request, Mapping[Ref, str]], Mapping[Ref, str]]"


def send(perform: Perform, requests: Sequence[Request], sent: Sent) -> None:
    """Perform requests in order; the first that fails is the last.

    Args:
        perform: Performs one.
        requests: Those of a plan.
        sent: Has the ids of the classes and entity types that they name, and gets what is accepted.

    Raises:
        PublicationError: One was not accepted; it says what was, what was not, and what may have been.
    """
    for number, request in enumerate(requests):
        try:
            gained = perform(request, sent.ids)
        except ArkworkerError as error:
            is_open = getattr(error, "uncertain", 0) > 0
            uncertain = total([request]) if is_open else {}
            missing = total(requests[number + 1 :] if is_open else requests[number:])
            raise PublicationError(str(error), total(requests[:number]), uncertain, missing) from error
        sent.requests.append(request)
        sent.ids.update(gained)


def is_repeatable(request: Request) -> bool:
    """Whether a request that is sent twice is there once; what it does cannot be looked for."""
    return request.operation == _REPEATABLE


class Certainty:
    """Performs requests so that none is carried out twice.

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
            ids: Those that it may refer to; none of them is taken for one that it creates.
            root: The element that all of it lies on or below, unless the request itself names another.
            known: Further ids that it does not create.
            note: Called before each attempt.
            since: When it was sent before, in seconds since the epoch, by a process that did not see the answer: it is
                looked for first.

        Raises:
            ApiError: It was not accepted; `uncertain` where it could not even be looked for.
            AmbiguousError: Its outcome is unknown.
        """
        asked = self._asked(request, ids, root, known)
        if since:
            self._sleep(min(max(SETTLING - (time.time() - since), 0.0), SETTLING))
            if (found := self._find(asked)) is not None:
                return found
        if request.operation == _REPEATABLE or self._run is None:
            note()
            return _ids_in(asked, _perform(self._client, asked, idempotent=request.operation == _REPEATABLE))
        for wait in (*WAITS, None):
            note()
            start = self._client.clock.now()
            try:
                return self._attempt(asked)
            except ApiError as error:
                if not error.uncertain:
                    raise
                logger.warning("%s; checking whether it was carried out", error)
                found = self._look(asked, error, self._client.clock.now() - start, wait or WAITS[0])
                if found is not None:
                    return found
                if wait is None:
                    error.uncertain = 0
                    raise
        raise AssertionError  # the last attempt returns or raises

    def find(
        self, request: Request, ids: Mapping[Ref, str], root: str, known: Collection[str]
    ) -> dict[Ref, str] | None:
        """The ids of what a request creates, where all of it is there, signed by the worker run; None where it is not.

        Arguments are those of `perform`.

        Raises:
            ApiError: Arkindex does not answer.
        """
        try:
            return self._find(self._asked(request, ids, root, known))
        except AmbiguousError:  # what is there in part was not made by this request
            return None
        except ApiError as error:
            if not is_refusal(error):
                raise
            return None

    def _asked(self, request: Request, ids: Mapping[Ref, str], root: str, known: Collection[str]) -> Asked:
        parameters = {name: _filled(value, ids) for name, value in request.parameters.items()}
        body = _filled(request.body, ids)
        return Asked(request.operation, parameters, body, request.gives, root, lambda: {*ids.values(), *known})

    def _attempt(self, asked: Asked) -> dict[Ref, str]:
        answer = _perform(self._client, asked, careful=True)
        try:
            return _ids_in(asked, answer)
        except ApiContentError as error:  # it was accepted, and what it gave is still to be looked for
            self._sleep(WAITS[0])
            if (found := self._find_after(asked, error)) is None:
                raise AmbiguousError(f"{error}; it was not found afterwards") from error
            return found

    def _look(self, asked: Asked, error: ApiError, seconds: float, wait: float) -> dict[Ref, str] | None:
        """The ids of what was carried out; None where it was not, and is not under way any more."""
        is_slow = error.status in _TIMED_OUT or (seconds >= SLOW and (error.status or 500) >= 500)
        waits = WAITS if is_slow else WAITS[:3] if error.status in _GATEWAY else (wait,)
        for pause in waits:
            self._sleep(pause)
            if (found := self._find_after(asked, error)) is not None:
                return found
        if is_slow:
            raise AmbiguousError(f"{error}; it was not found afterwards") from error
        return None

    def _find_after(self, asked: Asked, error: ApiError) -> dict[Ref, str] | None:
        """As `_find`; where there is no answer, the earlier error counts, and the request is open."""
        try:
            return self._find(asked)
        except ApiError as reason:
            error.message += f"; checking it failed, too: {reason}"
            error.uncertain = 1
            raise error from None

    def _find(self, asked: Asked) -> dict[Ref, str] | None:
        found = Lookup(self._client, self._run).find(asked) if self._run is not None else None
        if found is None:
            return None
        logger.info("%s had been carried out", asked.operation)
        return _ids_in(asked, found)

    def _sleep(self, seconds: float) -> None:
        self._client.clock.sleep(seconds)
        self._check()


def _perform(client: Client, asked: Asked, **options: bool) -> Any:
    """Perform one request; the answer. Raises as the client does.

    Args:
        client: Sends it.
        asked: The request.
        options: `idempotent` and `careful` of `Client.request_with_outcome`.
    """
    try:
        outcome = _ask(lambda: client.request_with_outcome(asked.operation, asked.body, **options, **asked.parameters))
    except ApiResponseError as error:
        if not _is_there_already(error):
            raise
        return _repeat_one_by_one(client, asked, options)
    if outcome.uncertain and not options.get("idempotent"):
        logger.warning(
            "%s: an earlier attempt failed and may have been applied: check for duplicate results",
            asked.operation,
        )
    return outcome.value


def _ask(attempt: Callable[[], Outcome]) -> Outcome:
    """Ask once more where the reason of a refusal was cut off: it may decide, and a refusal has changed nothing."""
    try:
        return attempt()
    except ApiResponseError as error:
        if error.status != 400 or error.messages or not error.operation.startswith(_CLASSIFYING):
            raise
    return attempt()


def _is_there_already(error: ApiResponseError) -> bool:
    """Whether this worker run has made a classification before: then it is not an error."""
    if error.status != 400 or not error.operation.startswith(_CLASSIFYING):
        return False
    return any("must make a unique set" in message.detail for message in error.messages)


def _repeat_one_by_one(client: Client, asked: Asked, options: Mapping[str, bool]) -> list[Any]:
    """One classification that is there refuses all of a bulk: make the others singly. None stands for that one."""
    body = asked.body
    if asked.operation == _CLASSIFYING:
        logger.warning("this worker run has already made a classification of that class on element %s", body["element"])
        return [None]
    made: list[Any] = []
    for item in asked.items:
        single = {"element": body["parent"], "worker_run_id": body["worker_run_id"], "high_confidence": False, **item}
        try:
            answer = _perform(client, replace(asked, operation=_CLASSIFYING, body=single), **options)
            made += answer if isinstance(answer, list) else [answer]
        except ApiError as error:
            error.uncertain += 1  # those before it are there
            raise
    return made


def _filled(value: Any, ids: Mapping[Ref, str]) -> Any:
    """JSON, with an id instead of each `Ref`."""
    if isinstance(value, Ref):
        return ids[value]
    if isinstance(value, dict):
        return {key: _filled(item, ids) for key, item in value.items()}
    return [_filled(item, ids) for item in value] if isinstance(value, list) else value


def _ids_in(asked: Asked, answer: Any) -> dict[Ref, str]:
    """The ids that an answer gives.

    Raises:
        ApiContentError: It lacks some that other requests need.
    """
    items = _items(asked.operation, answer)
    if len(items) != len(asked.gives):
        if all(ref.kind in _UNREFERRED for refs in asked.gives for ref in refs):
            return {}
        raise ApiContentError(asked.operation, f"the answer has {len(items)} items, not {len(asked.gives)}")
    pairs = zip(asked.gives, items, strict=True)
    found = {ref: _find_id(asked.operation, ref, item, len(refs)) for refs, item in pairs for ref in refs}
    return {ref: identifier for ref, identifier in found.items() if identifier is not None}


def _items(operation: str, answer: Any) -> Sequence[Any]:
    if isinstance(answer, dict):
        answer = answer.get(LISTS[operation]) if operation in LISTS else [answer]
    return answer if isinstance(answer, list) else []


def _find_id(operation: str, ref: Ref, item: Any, kinds: int) -> str | None:
    """Of two things that are made at once, the element has `element_id`."""
    key = "element_id" if kinds > 1 and ref.kind == "element" else "id"
    identifier = item.get(key) if isinstance(item, dict) else None
    if isinstance(identifier, str):
        return identifier
    if ref.kind in _UNREFERRED:
        return None
    raise ApiContentError(operation, f"the answer has no {key}")
