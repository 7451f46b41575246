"""Elements of a test: bound to the fixtures that it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from arkworker import Element, ElementsWorker
from arkworker.errors import ArkworkerError
from arkworker.storage.cache import CachedElement
from arkworker.testing import bind_element

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from arkworker.testing import Arkindex, MakeContext

PAGE = Element(id="0c1fbe0e-54d9-4f25-8a28-0a5a4cd0a1b3")


class Counter(ElementsWorker):
    uses_cache = True

    def process_element(self, element: Element, context: Any, cache: Any) -> Any:  # noqa: ARG002 - its signature
        cache.add(CachedElement(id=uuid4(), parent_id=UUID(element.id), type="line"))
        self.count = len(list(element.children()))


def test_the_cache_of_the_test(make_context: MakeContext, cache: Session) -> None:
    """What the test and the worker add to it is read."""
    cache.add(CachedElement(id=uuid4(), parent_id=UUID(PAGE.id), type="line"))
    context, worker = make_context(Counter), Counter()

    worker.process_element(bind_element(PAGE, context, cache), context, cache)

    assert worker.count == 2


def test_the_arkindex_of_the_test(make_context: MakeContext, arkindex: Arkindex) -> None:
    """It is asked for what the cache does not have."""
    arkindex.expect("ListElementChildren", [{"id": "line", "name": "1"}], id=PAGE.id, type="line")

    found = [child.name for child in bind_element(PAGE, make_context(Counter)).children(type="line")]

    assert found == ["1"]


def test_neither(make_context: MakeContext) -> None:
    """There is nothing to read, and it says so."""
    with pytest.raises(ArkworkerError, match="the address of Arkindex is not set"):
        next(bind_element(PAGE, make_context(Counter)).children())
