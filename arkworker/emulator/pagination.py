"""Lists in pages: by number, or by cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pydantic import BaseModel, Field, field_validator
from sqlalchemy import func, select

from arkworker.emulator.failures import missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Select

    from arkworker.emulator.requests import ApiRequest

DEFAULT_SIZE = 20
LARGEST_SIZE = 500


class _Sized(BaseModel):
    page_size: int = Field(DEFAULT_SIZE, ge=1)

    @field_validator("page_size")
    @classmethod
    def limit(cls, size: int) -> int:
        """A larger page than the largest is that one, as Django REST framework has it."""
        return min(size, LARGEST_SIZE)


class PageQuery(_Sized):
    """The query parameters of a list with page numbers."""

    page: int = Field(1, ge=1)


class CursorQuery(_Sized):
    """The query parameters of a list with cursors; a cursor is what `next` gave."""

    cursor: int | None = Field(None, ge=0)
    with_count: bool = False


def paginate(
    request: ApiRequest, query: PageQuery, statement: Select[Any], represent: Callable[[Any], Any]
) -> dict[str, Any]:
    """The page that `query` asks for of `statement`, whose rows are scalars."""
    count = _count(request, statement)
    last = max(1, -(-count // query.page_size))
    if query.page > last:
        raise missing("Invalid page.")
    rows = request.session.scalars(statement.offset((query.page - 1) * query.page_size).limit(query.page_size))
    return {
        "count": count,
        "number": query.page,
        "next": _link(request, page=query.page + 1) if query.page < last else None,
        "previous": _link(request, page=query.page - 1) if query.page > 1 else None,
        "results": [represent(row) for row in rows],
    }


def paginate_by_cursor(
    request: ApiRequest,
    query: CursorQuery,
    statement: Select[*tuple[Any, ...]],
    position: Any,
    represent: Callable[[Any], Any],
) -> dict[str, Any]:
    """What follows the cursor of `query` in `statement`; rows are pairs (row, position), ordered by `position`."""
    after = query.cursor or 0
    found = request.session.execute(
        statement.where(position > after).order_by(position).limit(query.page_size + 1)
    ).all()
    rows = found[: query.page_size]
    return {
        "count": _count(request, statement) if query.with_count else None,
        "next": _link(request, cursor=rows[-1][1]) if len(found) > len(rows) else None,
        "previous": None,
        "results": [represent(row) for row, _ in rows],
    }


def _count(request: ApiRequest, statement: Select[*tuple[Any, ...]]) -> int:
    return request.session.scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0


def _link(request: ApiRequest, **changes: Any) -> str:
    return f"{request.url}?{urlencode({**request.query, **changes})}"
