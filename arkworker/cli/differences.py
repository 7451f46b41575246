"""How a file differs from what it should be, for people."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def difference(current: str, expected: str, name: str) -> Iterator[str]:
    """The lines of a unified difference; none where there is none."""
    return difflib.unified_diff(
        current.splitlines(keepends=True), expected.splitlines(keepends=True), name, f"{name} (from the worker)"
    )
