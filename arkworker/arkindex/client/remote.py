"""Files that come from somewhere else, or go there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """Where a file is and what it must be.

    Attributes:
        label: What errors and logs call it: an operation id, or method and address without the query.
        url: Its address; that of an operation is a path on the instance.
        is_operation: Whether the instance is asked, with credentials.
        size: Bytes that must come; None when nobody said.
        md5: Hexadecimal digest that it must have; None when nobody said.
    """

    label: str
    url: str
    is_operation: bool = False
    size: int | None = None
    md5: str | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """What goes where.

    Attributes:
        label: What errors and logs call it: method and address without the query.
        url: The address, which is its own permission.
        source: The file.
        headers: To send with it.
        offset: The first byte of it that is sent.
        length: How many bytes are sent; None for all the rest.
    """

    label: str
    url: str = field(repr=False)
    source: Path
    headers: Mapping[str, str]
    offset: int = 0
    length: int | None = None
