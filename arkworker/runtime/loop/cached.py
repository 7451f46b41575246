"""Elements from the cache, for developer mode. It is read by the thread that user code runs in, between elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def initial_ids(sessions: Callable[[], Any]) -> list[str]:
    """The ids of the elements that the cache marks as initial, in the order of their rows."""
    from sqlalchemy import select, text

    from arkworker.storage.cache import CachedElement

    with sessions() as session:
        rows = session.scalars(select(CachedElement.id).where(CachedElement.initial).order_by(text("rowid")))
        return [str(row) for row in rows]
