"""What the results name and a corpus must have: element types, classes, entity types. Looked up once, for all threads.

What is missing is created where that is allowed. A creation that is refused with 400 means, most often, that another
process was faster: the corpus is then looked at again.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from arkworker.arkindex.promises import record_of
from arkworker.arkindex.publishing.plan import Kind, Ref
from arkworker.elements.records import Record
from arkworker.errors import ApiContentError, ApiError, ApiResponseError, ResultError
from arkworker.frozen import FrozenDict
from arkworker.options.creates import Creates
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.publishing.plan import Plan

logger = logging.getLogger("arkworker.publishing")

#: As in the published library: no element type, any class and entity type.
ANY = Creates()
_REFUSALS = (400, 403, 409)
#: A name that is there is refused, and then found: creating it twice is creating it once.
_ONCE = {"idempotent": True}


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
            "element type": _Directory("element type", _list_types, _create_type, creates.element_types),
            "class": _Directory("class", _list_classes, _create_class, creates.classes),
            "entity type": _Directory("entity type", _list_entity_types, _create_entity_type, creates.entity_types),
        }

    def resolve(self, client: Client, plan: Plan) -> dict[Ref, str]:
        """The ids of the classes and entity types of a plan; its element types are there.

        Raises:
            ResultError: Something is missing, and may not or cannot be created; the message says where it is used.
            ApiError: Arkindex does not answer.
        """
        wanted: dict[Kind, Mapping[str, str]] = {
            "element type": plan.element_types,
            "class": plan.classes,
            "entity type": plan.entity_types,
        }
        for kind, names in wanted.items():  # all of them, before anything is created
            if names:
                self._directories[kind].check(client, self.id, names)
        self._find(client, "element type", plan.element_types)
        classes = self._find(client, "class", plan.classes)
        entity_types = self._find(client, "entity type", plan.entity_types)
        return _refs("class", classes) | _refs("entity type", entity_types)

    def names(self, client: Client, kind: Kind) -> Collection[str]:
        """What the corpus has of a kind: `element type`, `class` or `entity type`.

        Raises:
            ApiError: Arkindex does not answer.
        """
        return self._directories[kind].names(client, self.id)

    def ids(self, client: Client, kind: Kind) -> FrozenDict:
        """The id of each name of a kind.

        Raises:
            ApiError: Arkindex does not answer.
        """
        return self._directories[kind].ids(client, self.id)

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
        body = {"slug": slug, "display_name": display_name, "folder": folder, "corpus": self.id}
        try:
            client.request("CreateElementType", body, **_ONCE)
        except ApiResponseError as error:
            if error.status not in _REFUSALS:
                raise
            refusal: ApiResponseError | None = error
        else:
            refusal = None
        found = self.types(client).get(slug)
        if found is None:
            raise refusal or ApiContentError("RetrieveCorpus", f"the answer has no type {printable(slug, 60)}")
        self._directories["element type"].note(slug, found.id)
        kept: CorpusType = found
        return kept

    def may_create(self, kind: Kind, name: str) -> bool:
        """Whether a name may be created where it is missing."""
        return self._directories[kind].may_create(name)

    def ensure(self, client: Client, kind: Kind, name: str, place: str) -> None:
        """Create a name that is missing, where that is allowed. Raises as `resolve` does."""
        self._find(client, kind, {name: place})

    def _find(self, client: Client, kind: Kind, wanted: Mapping[str, str]) -> dict[str, str]:
        return self._directories[kind].find(client, self.id, wanted) if wanted else {}


class _Directory:
    """Ids of one kind by name; read when the first is wanted."""

    def __init__(
        self,
        label: Kind,
        read: Callable[[Client, str], dict[str, str]],
        create: Callable[[Client, str, str], Any],
        creates: Collection[str] | None,
    ) -> None:
        self._label = label
        self._read = read
        self._create = create
        self._creates = creates
        self._lock = threading.Lock()
        self._ids: dict[str, str] | None = None

    def may_create(self, name: str) -> bool:
        return self._creates is None or name in self._creates

    def names(self, client: Client, corpus_id: str) -> Collection[str]:
        with self._lock:
            return tuple(self._known(client, corpus_id))

    def ids(self, client: Client, corpus_id: str) -> FrozenDict:
        with self._lock:
            return FrozenDict(self._known(client, corpus_id))

    def note(self, name: str, identifier: str) -> None:
        """Somebody has created it."""
        with self._lock:
            if self._ids is not None:
                self._ids[name] = identifier

    def check(self, client: Client, corpus_id: str, wanted: Mapping[str, str]) -> None:
        """Refuse names that are missing and may not be created, each of them given with the place it is wanted at."""
        with self._lock:
            ids = self._known(client, corpus_id)
        for name, place in wanted.items():
            if name not in ids and not self.may_create(name):
                hint = did_you_mean(name, ids) or "create it, or name it in `creates` of the worker"
                raise ResultError(f"{place}: the corpus has no {self._label} {printable(name, 60)!r}; {hint}")

    def find(self, client: Client, corpus_id: str, wanted: Mapping[str, str]) -> dict[str, str]:
        """The ids of names; what is missing is created."""
        with self._lock:
            ids = self._known(client, corpus_id)
            return {name: self._get(client, corpus_id, ids, name, place) for name, place in wanted.items()}

    def _known(self, client: Client, corpus_id: str) -> dict[str, str]:
        if self._ids is None:
            self._ids = self._read(client, corpus_id)
        return self._ids

    def _get(self, client: Client, corpus_id: str, ids: dict[str, str], name: str, place: str) -> str:
        if name in ids:
            return ids[name]
        try:
            ids[name] = _id_of("creation", self._create(client, corpus_id, name))
            logger.info("created the %s %s", self._label, printable(name, 60))
        except ApiError as error:
            is_refused = isinstance(error, ApiResponseError) and error.status in _REFUSALS
            if not is_refused and not error.uncertain:
                raise
            # Somebody else was faster, or it was created although the answer was lost.
            ids.update(self._read(client, corpus_id))
            if name not in ids and is_refused:
                told = f"{place}: the corpus has no {self._label} {printable(name, 60)!r}, and refuses to create it"
                raise ResultError(f"{told}: {error}") from None
            if name not in ids:
                raise
        return ids[name]


def _list_types(client: Client, corpus_id: str) -> dict[str, str]:
    answer = client.request("RetrieveCorpus", id=corpus_id)
    types = answer.get("types") if isinstance(answer, dict) else answer
    return _by_name("RetrieveCorpus", types, "slug")


def _create_type(client: Client, corpus_id: str, slug: str) -> Any:
    body = {"slug": slug, "display_name": slug, "folder": False, "corpus": corpus_id}
    return client.request("CreateElementType", body, **_ONCE)


def _list_classes(client: Client, corpus_id: str) -> dict[str, str]:
    return _by_name("ListCorpusMLClasses", client.paginate("ListCorpusMLClasses", id=corpus_id), "name")


def _create_class(client: Client, corpus_id: str, name: str) -> Any:
    return client.request("CreateMLClass", {"name": name}, id=corpus_id, **_ONCE)


def _list_entity_types(client: Client, corpus_id: str) -> dict[str, str]:
    return _by_name("ListCorpusEntityTypes", client.paginate("ListCorpusEntityTypes", id=corpus_id), "name")


def _create_entity_type(client: Client, corpus_id: str, name: str) -> Any:
    return client.request("CreateEntityType", {"name": name, "corpus": corpus_id}, **_ONCE)


def _by_name(operation: str, items: Any, key: str) -> dict[str, str]:
    try:
        return {item[key]: _id_of(operation, item) for item in items if item[key] is not None}
    except (TypeError, KeyError, AttributeError):
        raise ApiContentError(operation, f"the answer is not a list of items with an id and a {key}") from None


def _id_of(operation: str, item: Any) -> str:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        raise ApiContentError(operation, "the answer has no id")
    identifier: str = item["id"]
    return identifier


def _refs(kind: Kind, ids: Mapping[str, str]) -> dict[Ref, str]:
    return {Ref(kind, name): identifier for name, identifier in ids.items()}
