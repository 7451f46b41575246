"""Performs a plan, request by request, and says what came of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from arkworker.arkindex.publishing.plan import Ref, Request, total
from arkworker.errors import ApiContentError, ApiError, ApiResponseError, ArkworkerError, PublicationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.client.attempts import Outcome

logger = logging.getLogger("arkworker.publishing")

_CLASSIFYING = "CreateClassification"
#: Where a bulk operation that answers with an object has its items.
_LISTS = {
    "CreateTranscriptions": "transcriptions",
    "CreateClassifications": "classifications",
    "CreateMetaDataBulk": "metadata_list",
    "CreateTranscriptionEntities": "transcription_entities",
}
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


def send(perform: Perform, requests: Sequence[Request], known: Mapping[Ref, str], sent: Sent | None = None) -> Sent:
    """Perform requests in order; the first that fails is the last.

    Args:
        perform: Performs one.
        requests: Those of a plan.
        known: The ids of the classes and entity types that they name.
        sent: Where to note what was accepted, for a caller who wants to know it of a failure, too.

    Returns:
        What was accepted: all.

    Raises:
        PublicationError: One was not accepted; it says what was, what was not, and what may have been.
    """
    sent = sent or Sent()
    sent.ids.update(known)
    for number, request in enumerate(requests):
        try:
            gained = perform(request, sent.ids)
        except ArkworkerError as error:
            is_open = getattr(error, "uncertain", 0) > 0
            uncertain = total([request]) if is_open else {}
            missing = total(requests[number + is_open :])
            raise PublicationError(str(error), total(requests[:number]), uncertain, missing) from error
        sent.requests.append(request)
        sent.ids.update(gained)
    return sent


def perform(client: Client, request: Request, ids: Mapping[Ref, str], **options: bool) -> Any:
    """Perform one request, with ids instead of its `Ref`s; the answer. Raises as the client does.

    Args:
        client: Sends it.
        request: One of a plan.
        ids: Those that it needs.
        options: `idempotent` and `careful` of `Client.request_with_outcome`.
    """
    body = filled(request.body, ids)
    parameters = {name: filled(value, ids) for name, value in request.parameters.items()}
    try:
        outcome = _ask(lambda: client.request_with_outcome(request.operation, body, **options, **parameters))
    except ApiResponseError as error:
        if not _is_there_already(error):
            raise
        return _repeat_one_by_one(client, request, body, options)
    if outcome.uncertain:
        logger.warning(
            "%s: an earlier attempt failed and may have been applied: check for duplicate results",
            request.operation,
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


def _repeat_one_by_one(client: Client, request: Request, body: Any, options: Mapping[str, bool]) -> list[Any]:
    """One classification that is there refuses all of a bulk: make the others singly. None stands for that one."""
    if request.operation == _CLASSIFYING:
        logger.warning("this worker run has already made a classification of that class on element %s", body["element"])
        return [None]
    made: list[Any] = []
    for item in body["classifications"]:
        single = {"element": body["parent"], "worker_run_id": body["worker_run_id"], "high_confidence": False, **item}
        try:
            answer = perform(client, Request(_CLASSIFYING, {}, single, {}), {}, **options)
            made += answer if isinstance(answer, list) else [answer]
        except ApiError as error:
            error.uncertain += 1  # those before it are there
            raise
    return made


def filled(value: Any, ids: Mapping[Ref, str]) -> Any:
    """JSON, with an id instead of each `Ref`."""
    if isinstance(value, Ref):
        return ids[value]
    if isinstance(value, dict):
        return {key: filled(item, ids) for key, item in value.items()}
    return [filled(item, ids) for item in value] if isinstance(value, list) else value


def ids_in(request: Request, answer: Any) -> dict[Ref, str]:
    """The ids that an answer gives.

    Raises:
        ApiContentError: It lacks some that other requests need.
    """
    items = _items(request.operation, answer)
    if len(items) != len(request.gives):
        if all(ref.kind in _UNREFERRED for refs in request.gives for ref in refs):
            return {}
        raise ApiContentError(request.operation, f"the answer has {len(items)} items, not {len(request.gives)}")
    pairs = zip(request.gives, items, strict=True)
    found = {ref: _find_id(request.operation, ref, item, len(refs)) for refs, item in pairs for ref in refs}
    return {ref: identifier for ref, identifier in found.items() if identifier is not None}


def _items(operation: str, answer: Any) -> Sequence[Any]:
    if isinstance(answer, dict):
        answer = answer.get(_LISTS[operation]) if operation in _LISTS else [answer]
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
