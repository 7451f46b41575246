"""What every table shares: its mapping to Python types, its key, its moment of creation."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeAlias

from sqlalchemy import JSON
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# A list of points [x, y], in pixels of the whole image.
Polygon: TypeAlias = list[list[int | float]]
Json: TypeAlias = dict[str, Any]


def new_id() -> str:
    return str(uuid.uuid4())


def now() -> str:
    """This moment as Arkindex writes it, `2026-01-31T12:00:00.000000Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {Polygon: JSON, Json: JSON, list[str]: JSON, list[float]: JSON}


class Row(Base):
    """A table whose rows are named by a UUID; `position` keeps the order in which they came."""

    __abstract__ = True

    position: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True, default=new_id)
    created: Mapped[str] = mapped_column(default=now)
