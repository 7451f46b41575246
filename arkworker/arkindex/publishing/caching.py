"""Writes rows to the cache; the only part of publishing that knows SQLAlchemy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import update
from sqlalchemy.dialects.sqlite import insert

from arkworker.storage.cache.models import CachedElement, CacheModel

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from arkworker.arkindex.publishing.rows import Rows


def write(session: Session, rows: Rows) -> None:
    """Add rows; what the cache has already stays as it is, but for what an update of the element changed.

    Raises:
        SQLAlchemyError: A row does not fit, or the database refuses.
    """
    for name, found in [*rows.parents.items(), *rows.tables.items()]:
        if found:
            session.execute(insert(CacheModel.metadata.tables[name]).on_conflict_do_nothing(), found)
    if rows.changes:
        session.execute(update(CachedElement).where(CachedElement.id == rows.element_id).values(**rows.changes))
