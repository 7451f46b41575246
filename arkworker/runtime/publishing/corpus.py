"""What the results name and a corpus must have: element types, classes, entity types. Looked up once, for all threads.

What is missing is created where that is allowed. A creation that is refused with 400 means, most often, that another
process was faster: the corpus is then looked at again.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from arkworker.errors import ApiContentError, ApiResponseError, ResultError
from arkworker.runtime.publishing.plan import Kind, Ref
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from arkworker.runtime.client import Client
    from arkworker.runtime.publishing.plan import Plan

logger = logging.getLogger(__name__)


class Corpus:
    """The names of one corpus.

    Args:
        client: Looks them up and creates them.
        corpus_id: The corpus.
        creates: Slugs of the element types that may be created. Classes and entity types may always be, as in the
            published library.
    """

    def __init__(self, client: Client, corpus_id: str, creates: Collection[str] = ()) -> None:
        self._client = client
        self._id = corpus_id
        self._types = _Directory("element type", self._list_types, self._create_type, creates.__contains__)
        self._classes = _Directory("class", self._list_classes, self._create_class)
        self._entity_types = _Directory("entity type", self._list_entity_types, self._create_entity_type)

    def resolve(self, plan: Plan) -> dict[Ref, str]:
        """The ids of the classes and entity types of a plan; its element types are there.

        Raises:
            ResultError: Something is missing, and may not or cannot be created; the message says where it is used.
            ApiError: Arkindex does not answer.
        """
        self._types.find(plan.element_types)
        classes = self._classes.find(plan.classes)
        entity_types = self._entity_types.find(plan.entity_types)
        return _refs("class", classes) | _refs("entity type", entity_types)

    def _list_types(self) -> dict[str, str]:
        answer = self._client.request("RetrieveCorpus", id=self._id)
        return _by_name("RetrieveCorpus", answer.get("types"), "slug")

    def _create_type(self, slug: str) -> Any:
        body = {"slug": slug, "display_name": slug, "folder": False, "corpus": self._id}
        return self._client.request("CreateElementType", body)

    def _list_classes(self) -> dict[str, str]:
        return _by_name("ListCorpusMLClasses", self._client.paginate("ListCorpusMLClasses", id=self._id), "name")

    def _create_class(self, name: str) -> Any:
        return self._client.request("CreateMLClass", {"name": name}, id=self._id)

    def _list_entity_types(self) -> dict[str, str]:
        return _by_name("ListCorpusEntityTypes", self._client.paginate("ListCorpusEntityTypes", id=self._id), "name")

    def _create_entity_type(self, name: str) -> Any:
        return self._client.request("CreateEntityType", {"name": name, "corpus": self._id})


class _Directory:
    """Ids of one kind by name; read when the first is wanted."""

    def __init__(
        self,
        label: str,
        read: Callable[[], dict[str, str]],
        create: Callable[[str], Any],
        may_create: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._label = label
        self._read = read
        self._create = create
        self._may_create = may_create
        self._lock = threading.Lock()
        self._ids: dict[str, str] | None = None

    def find(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """The ids of names, each of them given with the place that it is wanted at."""
        if not wanted:
            return {}
        with self._lock:
            if self._ids is None:
                self._ids = self._read()
            return {name: self._get(self._ids, name, place) for name, place in wanted.items()}

    def _get(self, ids: dict[str, str], name: str, place: str) -> str:
        if name not in ids:
            if not self._may_create(name):
                hint = did_you_mean(name, ids) or "create it, or name it in `creates` of the worker"
                raise ResultError(f"{place}: the corpus has no {self._label} {printable(name, 60)!r}; {hint}")
            self._make(ids, name, place)
        return ids[name]

    def _make(self, ids: dict[str, str], name: str, place: str) -> None:
        try:
            ids[name] = _id_of("creation", self._create(name))
            logger.info("created the %s %s", self._label, printable(name, 60))
        except ApiResponseError as error:
            if error.status not in (400, 403):
                raise
            ids.update(self._read())
            if name not in ids:
                told = f"{place}: the corpus has no {self._label} {printable(name, 60)!r}, and refuses to create it"
                raise ResultError(f"{told}: {error}") from None


def _by_name(operation: str, items: Any, key: str) -> dict[str, str]:
    try:
        return {item[key]: _id_of(operation, item) for item in _listed(items)}
    except (TypeError, KeyError, AttributeError):
        raise ApiContentError(operation, f"the answer is no list of items with an id and a {key}") from None


def _listed(items: Any) -> Iterable[Any]:
    return items if items is not None else ()


def _id_of(operation: str, item: Any) -> str:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        raise ApiContentError(operation, "the answer has no id")
    identifier: str = item["id"]
    return identifier


def _refs(kind: Kind, ids: Mapping[str, str]) -> dict[Ref, str]:
    return {Ref(kind, name): identifier for name, identifier in ids.items()}
