"""Elements from the cache, for developer mode. It is read by the thread that user code runs in, between elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from arkworker.element import Element

if TYPE_CHECKING:
    from collections.abc import Callable


def initial_ids(sessions: Callable[[], Any]) -> list[str]:
    """The ids of the elements that the cache marks as initial, in the order of their rows."""
    from sqlalchemy import select, text

    from arkworker.runtime.cache import CachedElement

    with sessions() as session:
        rows = session.scalars(select(CachedElement.id).where(CachedElement.initial).order_by(text("rowid")))
        return [str(row) for row in rows]


def find_element(sessions: Callable[[], Any], element_id: str) -> Element | None:
    """The element of that id, with its image; None when the cache does not have it.

    Raises:
        CacheError: The row describes no element.
    """
    from sqlalchemy import select

    from arkworker.runtime.cache import CachedElement, CachedImage

    elements, images = CachedElement.__table__, CachedImage.__table__
    with sessions() as session:
        row = session.execute(select(elements).where(elements.c.id == UUID(element_id))).mappings().one_or_none()
        if row is None:
            return None
        image = None
        if row["image_id"] is not None:
            found = session.execute(select(images).where(images.c.id == row["image_id"])).mappings().one_or_none()
            image = dict(found) if found is not None else None
        return Element.from_cache(dict(row), image)
