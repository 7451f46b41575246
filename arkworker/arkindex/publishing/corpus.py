"""What the results name and a corpus must have: element types, classes, entity types. Looked up once, for all threads.

What is missing is created where that is allowed. A creation that is refused with 400 usually means that another
process was faster: the corpus is then looked at again.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.promises import record_of, text_of
from arkworker.arkindex.publishing.plan import Kind, Ref
from arkworker.errors import ApiContentError, ApiError, ApiResponseError, ResultError
from arkworker.frozen import FrozenDict, Record
from arkworker.options.creates import Creates
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.publishing.plan import Needs

logger = logging.getLogger("arkworker.publishing")

#: As in the published library: no element type, any class and entity type.
ANY = Creates()
_LISTS: dict[Kind, str] = {"class": "ListCorpusMLClasses", "entity type": "ListCorpusEntityTypes"}
_CREATIONS: dict[Kind, str] = {
    "element type": "CreateElementType",
    "class": "CreateMLClass",
    "entity type": "CreateEntityType",
}
_REFUSALS = (400, 403, 409)


class CorpusType(Record):
    """An element type of a corpus; fields that are not named here are kept as attributes.

    Attributes:
        folder: Whether its elements are folders.
    """

    id: str
    slug: str
    display_name: str = ""
    folder: bool = False


class Corpus:
    """The names of one corpus.

    Args:
        corpus_id: The corpus.
        creates: What may be created in it.
    """

    def __init__(self, corpus_id: str, creates: Creates = ANY) -> None:
        self.id = corpus_id
        self._directories: dict[Kind, _Directory] = {
            "element type": _Directory("element type", corpus_id, creates.element_types),
            "class": _Directory("class", corpus_id, creates.classes),
            "entity type": _Directory("entity type", corpus_id, creates.entity_types),
        }

    def resolve(self, client: Client, needs: Needs) -> dict[Ref, str]:
        """The ids of names; what is missing is created, where that is allowed.

        Raises:
            ResultError: Something is missing, and may not or cannot be created; the message says where it is used.
            ApiError: Arkindex does not answer.
        """
        for kind, names in needs.items():  # all of them, before anything is created
            self._directories[kind].check(client, names)
        found = {kind: self._directories[kind].find(client, names) for kind, names in needs.items()}
        return {Ref(kind, name): identifier for kind, ids in found.items() for name, identifier in ids.items()}

    def ids(self, client: Client, kind: Kind) -> FrozenDict:
        """What the corpus has of a kind: the id of each name.

        Raises:
            ApiError: Arkindex does not answer.
        """
        return self._directories[kind].ids(client)

    def may_create(self, kind: Kind, name: str) -> bool:
        """Whether a name may be created where it is missing."""
        return self._directories[kind].may_create(name)

    def types(self, client: Client) -> FrozenDict:
        """The element types by their slugs, each a `CorpusType`.

        Raises:
            ApiError: Arkindex does not answer.
        """
        operation = "RetrieveCorpus"
        answer = client.request(operation, id=self.id)
        items = answer.get("types") if isinstance(answer, dict) else None
        if not isinstance(items, list):
            raise ApiContentError(operation, "the answer has no list of types")
        found = (record_of(CorpusType, operation, item) for item in items)
        return FrozenDict({item.slug: item for item in found})

    def create_type(self, client: Client, slug: str, display_name: str, *, folder: bool) -> CorpusType:
        """The element type of that slug: the one that is there, or a new one.

        Raises:
            ApiError: It can be neither found nor created.
        """
        refusal: ApiResponseError | None = None
        try:
            _create_type(client, self.id, slug, display_name, folder=folder)
        except ApiResponseError as error:
            if error.status not in _REFUSALS:
                raise
            refusal = error
        found: CorpusType | None = self.types(client).get(slug)
        if found is None:
            raise refusal or ApiContentError("RetrieveCorpus", f"the answer has no type {printable(slug, 60)}")
        self._directories["element type"].note(slug, found.id)
        return found


class Corpora:
    """The corpora of a run, each with what was looked up in it. For all threads.

    Args:
        creates: What may be created in them.
    """

    def __init__(self, creates: Creates = ANY) -> None:
        self._creates = creates
        self._lock = threading.Lock()
        self._corpora: dict[str, Corpus] = {}

    def get(self, corpus_id: str) -> Corpus:
        with self._lock:
            return self._corpora.setdefault(corpus_id, Corpus(corpus_id, self._creates))


class _Directory:
    """Ids of one kind by name; read when the first is wanted.

    Args:
        kind: The kind.
        corpus_id: Whose names they are.
        creates: What may be created; None for any.
    """

    def __init__(self, kind: Kind, corpus_id: str, creates: Collection[str] | None) -> None:
        self._kind = kind
        self._corpus_id = corpus_id
        self._creates = creates
        self._lock = threading.Lock()
        self._ids: dict[str, str] | None = None

    def may_create(self, name: str) -> bool:
        return self._creates is None or name in self._creates

    def ids(self, client: Client) -> FrozenDict:
        with self._lock:
            return FrozenDict(self._known(client))

    def note(self, name: str, identifier: str) -> None:
        """Remember a name that was found, or created, otherwise than by `find`."""
        with self._lock:
            if self._ids is not None:
                self._ids[name] = identifier

    def check(self, client: Client, wanted: Mapping[str, str]) -> None:
        """Refuse names that are missing and may not be created, each of them given with the place it is wanted at."""
        with self._lock:
            ids = dict(self._known(client))  # other threads create names meanwhile
        for name, place in wanted.items():
            if name not in ids and not self.may_create(name):
                hint = did_you_mean(name, ids) or "create it, or name it in `creates` of the worker"
                raise ResultError(f"{place}: the corpus has no {self._kind} {printable(name, 60)!r}; {hint}")

    def find(self, client: Client, wanted: Mapping[str, str]) -> dict[str, str]:
        """The ids of names; what is missing is created."""
        with self._lock:
            ids = self._known(client)
            return {name: ids.get(name) or self._create(client, ids, name, place) for name, place in wanted.items()}

    def _known(self, client: Client) -> dict[str, str]:
        if self._ids is None:
            self._ids = self._read(client)
        return self._ids

    def _read(self, client: Client) -> dict[str, str]:
        """What the corpus has: the id of each name."""
        if self._kind == "element type":
            answer = client.request("RetrieveCorpus", id=self._corpus_id)
            types = answer.get("types") if isinstance(answer, dict) else answer
            return _by_name("RetrieveCorpus", types, "slug")
        return _by_name(_LISTS[self._kind], client.paginate(_LISTS[self._kind], id=self._corpus_id), "name")

    def _create(self, client: Client, ids: dict[str, str], name: str, place: str) -> str:
        try:
            ids[name] = text_of(_CREATIONS[self._kind], self._send(client, name), "id")
            logger.info("created the %s '%s'", self._kind, printable(name, 60))
        except ApiError as error:
            is_refused = isinstance(error, ApiResponseError) and error.status in _REFUSALS
            if not is_refused and not error.uncertain:
                raise
            # Another process was faster, or it was created although the answer was lost.
            ids.update(self._read(client))
            if name not in ids and is_refused:
                told = f"{place}: the corpus has no {self._kind} {printable(name, 60)!r}, and refuses to create it"
                raise ResultError(f"{told}: {error}") from None
            if name not in ids:
                raise
        return ids[name]

    def _send(self, client: Client, name: str) -> Any:
        if self._kind == "class":
            return _request_creation(client, self._kind, {"name": name}, id=self._corpus_id)
        if self._kind == "entity type":
            return _request_creation(client, self._kind, {"name": name, "corpus": self._corpus_id})
        return _create_type(client, self._corpus_id, name, name, folder=False)


def _create_type(client: Client, corpus_id: str, slug: str, display_name: str, *, folder: bool) -> Any:
    body = {"slug": slug, "display_name": display_name, "folder": folder, "corpus": corpus_id}
    return _request_creation(client, "element type", body)


def _request_creation(client: Client, kind: Kind, body: Mapping[str, Any], **parameters: Any) -> Any:
    # A name that is there is refused, and then found: creating it twice is creating it once.
    return client.request_with_outcome(_CREATIONS[kind], body, idempotent=True, **parameters).value


def _by_name(operation: str, items: Any, key: str) -> dict[str, str]:
    try:
        return {item[key]: text_of(operation, item, "id") for item in items if item[key] is not None}
    except (TypeError, KeyError, AttributeError):
        raise ApiContentError(operation, f"the answer is not a list of items with an id and a {key}") from None
