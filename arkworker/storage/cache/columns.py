"""The column types of the cache: ids and JSON, as the published library stores them."""

from __future__ import annotations

import functools
import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy.types import UserDefinedType

from arkworker.storage.cache.points import Points, read_points, write_points

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Dialect


class HexId(UserDefinedType[uuid.UUID]):
    """A UUID as 32 lower-case hexadecimal characters without dashes; text is accepted wherever a UUID is."""

    cache_ok = True

    def get_col_spec(self, **_options: object) -> str:
        return "TEXT"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:  # noqa: ARG002 - a fixed signature
        return _to_hex

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], uuid.UUID | None]:  # noqa: ARG002 - a fixed signature
        return _from_hex


class PointsText(UserDefinedType[Points]):
    """A polygon, a list of [x, y], as JSON text."""

    cache_ok = True

    def get_col_spec(self, **_options: object) -> str:
        return "text"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:  # noqa: ARG002 - a fixed signature
        return write_points

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:  # noqa: ARG002 - a fixed signature
        return read_points


def _to_hex(value: uuid.UUID | str | None) -> str | None:
    if value is None:
        return None
    return value.hex if isinstance(value, uuid.UUID) else uuid.UUID(value).hex


@functools.lru_cache(maxsize=4096)
def _from_hex(text: str | None) -> uuid.UUID | None:
    # Most columns of ids repeat a few values, and a mapper reads each primary key twice.
    return None if text is None else uuid.UUID(text)
