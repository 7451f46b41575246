"""A file somewhere else."""

from __future__ import annotations

from dataclasses import dataclass


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
