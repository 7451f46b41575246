"""Performs a plan, request by request, and says what came of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from arkworker.errors import ApiContentError, ApiError, ApiResponseError, ArkworkerError, PublicationError
from arkworker.runtime.publishing.plan import Ref, Request, total

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from arkworker.runtime.client import Client

logger = logging.getLogger(__name__)


def send(client: Client, requests: Sequence[Request], known: Mapping[Ref, str]) -> None:
    """Perform requests in order; the first that fails is the last.

    Args:
        client: Sends them.
        requests: Those of a plan.
        known: The ids of the classes and entity types that they name.

    Raises:
        PublicationError: One was not accepted; it says what was, what was not, and what may have been.
    """
    ids = dict(known)
    for number, request in enumerate(requests):
        try:
            answer = _perform(client, request, ids)
        except ArkworkerError as error:
            is_open = isinstance(error, ApiError) and error.uncertain > 0
            uncertain = total([request]) if is_open else {}
            missing = total(requests[number + is_open :])
            raise PublicationError(str(error), total(requests[:number]), uncertain, missing) from error
        try:
            ids.update(_ids_in(request, answer))
        except ApiContentError as error:  # it was accepted, but what follows cannot be told where to go
            raise PublicationError(
                str(error), total(requests[: number + 1]), {}, total(requests[number + 1 :])
            ) from error


def _perform(client: Client, request: Request, ids: Mapping[Ref, str]) -> Any:
    body = _filled(request.body, ids)
    parameters = {name: _filled(value, ids) for name, value in request.parameters.items()}
    try:
        outcome = client.request_with_outcome(request.operation, body, **parameters)
    except ApiResponseError as error:
        if not _is_there_already(error):
            raise
        return _repeat_one_by_one(client, request, body)
    if outcome.uncertain:
        logger.warning(
            "%s: an earlier attempt failed and may have been applied: look for results that are there twice",
            request.operation,
        )
    return outcome.value


def _is_there_already(error: ApiResponseError) -> bool:
    """Whether this worker run has made a classification before: then it is not an error."""
    unique = "must make a unique set" if error.operation.startswith("CreateClassification") else None
    return error.status == 400 and unique is not None and any(unique in message.detail for message in error.messages)


def _repeat_one_by_one(client: Client, request: Request, body: Any) -> None:
    """One classification that is there refuses all of a bulk: make the others singly."""
    if request.operation == "CreateClassification":
        logger.warning("this worker run has already made a classification of that class on element %s", body["element"])
        return
    for item in body["classifications"]:
        single = {"element": body["parent"], "worker_run_id": body["worker_run_id"], "high_confidence": False, **item}
        try:
            _perform(client, Request("CreateClassification", {}, single, {}), {})
        except ApiError as error:
            error.uncertain += 1  # those before it are there
            raise


def _filled(value: Any, ids: Mapping[Ref, str]) -> Any:
    """JSON, with an id in the place of each `Ref`."""
    if isinstance(value, Ref):
        return ids[value]
    if isinstance(value, dict):
        return {key: _filled(item, ids) for key, item in value.items()}
    return [_filled(item, ids) for item in value] if isinstance(value, list) else value


def _ids_in(request: Request, answer: Any) -> dict[Ref, str]:
    """The ids that an answer gives.

    Raises:
        ApiContentError: It does not have them.
    """
    items = _items(answer)
    if request.gives and len(items) != len(request.gives):
        raise ApiContentError(request.operation, f"the answer has {len(items)} items, not {len(request.gives)}")
    pairs = zip(request.gives, items, strict=False)
    return {ref: _find_id(request.operation, ref, item, len(refs)) for refs, item in pairs for ref in refs}


def _items(answer: Any) -> Sequence[Any]:
    if isinstance(answer, dict):
        return _as_list(answer.get("transcriptions", [answer]))
    return _as_list(answer)


def _as_list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _find_id(operation: str, ref: Ref, item: Any, kinds: int) -> str:
    """Of two things that are made at once, the element has `element_id`."""
    key = "element_id" if kinds > 1 and ref.kind == "element" else "id"
    identifier = item.get(key) if isinstance(item, dict) else None
    if not isinstance(identifier, str):
        raise ApiContentError(operation, f"the answer has no {key}")
    return identifier
