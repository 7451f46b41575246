"""Where the parent tasks leave their caches."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from arkworker.storage.cache.refusal import refusal, refusing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike


def find_parent_caches(
    task_data_dir: str | PathLike[str], parent_ids: Sequence[str], chunk: str | None = None
) -> list[Path]:
    """The caches of the parent tasks that exist, in order.

    Args:
        task_data_dir: The directory that holds one directory a task.
        parent_ids: Ids of the parent tasks.
        chunk: The chunk of this task: a parent may have left one cache for each.

    Raises:
        CacheError: An id or the chunk leads out of the directory, or a file cannot be looked at.
    """
    names = ["db.sqlite"] if not chunk else ["db.sqlite", f"db_{chunk}.sqlite"]
    paths = [_inside(Path(task_data_dir), parent_id, name) for parent_id in parent_ids for name in names]
    return [path for path in paths if _is_file(path)]


def _inside(root: Path, parent_id: str, name: str) -> Path:
    for part in (parent_id, name):
        if part in ("", ".", "..") or "/" in part or os.sep in part or "\0" in part:
            raise refusal(root, f"has no directory or file {part!r}")
    return root / parent_id / name


def _is_file(path: Path) -> bool:
    # Not Path.is_file: a parent that may not be read must not be left out in silence.
    with refusing(path):
        try:
            return stat.S_ISREG(path.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False
