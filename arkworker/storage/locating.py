"""Where the files of a task are: those of its model, and those that its parents left."""

from __future__ import annotations

import logging
import os
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from arkworker.errors import ApiContentError, ConfigurationError, ExtrasDirNotFoundError, Problem
from arkworker.text import CONTROLS, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

logger = logging.getLogger("arkworker")

_LONGEST_COMPONENT = 255  # bytes, on every file system that workers meet


def find_extras_directory(
    *, task_id: str | None, model_dir: Path | None, task_data_dir: Path, work_dir: Path, configured: Path | None
) -> Path:
    """The directory of the model's files and other extras.

    With a task, the first that exists of `ARKINDEX_MODEL_DIR`, `extra_files` in the task data directory, and the work
    directory; without one, the directory that a person gave.

    Args:
        task_id: The task under Ponos; None in developer mode.
        model_dir: Of `ARKINDEX_MODEL_DIR`.
        task_data_dir: The data of all tasks of the process.
        work_dir: Of this task.
        configured: `--extras-dir`, or `extras_dir` of the configuration file.

    Raises:
        ExtrasDirNotFoundError: There is none; the message says what to set.
    """
    if not task_id:
        return _find_at_desk(configured)
    if configured is not None:
        logger.warning("--extras-dir is ignored within a task: its agent provides the directory")
    if model_dir is not None and not _is_directory(model_dir):
        logger.warning("ARKINDEX_MODEL_DIR is ignored: there is no directory %s", _shown(model_dir))
    candidates = [directory for directory in (model_dir, task_data_dir / "extra_files", work_dir) if directory]
    for directory in candidates:
        if _is_directory(directory):
            return directory
    looked = ", ".join(map(_shown, candidates))
    raise ExtrasDirNotFoundError(f"none of the directories {looked} exists: set ARKINDEX_MODEL_DIR or PONOS_DATA")


def _find_at_desk(configured: Path | None) -> Path:
    if configured is None:
        raise ExtrasDirNotFoundError(
            "this worker needs a directory of extra files: give --extras-dir, or extras_dir in the configuration file"
        )
    if not _is_directory(configured):
        raise ExtrasDirNotFoundError(
            f"there is no directory {_shown(configured)}: correct --extras-dir, or extras_dir in the configuration file"
        )
    return configured


def find_parents_file_paths(
    filename: str | os.PathLike[str], *, parent_ids: Iterable[str], task_data_dir: Path, chunk: str | None
) -> list[Path]:
    """The regular files of one name that the parents left, in the parents' order.

    In a task of several chunks a parent may have left `name_CHUNK.suffix`, too; it follows `name.suffix`.

    Args:
        filename: Relative to the directory of a parent.
        parent_ids: Of `RetrieveTask`.
        task_data_dir: Holds a directory for each task, by id.
        chunk: Of this task; None or empty when there is just one.

    Raises:
        ValueError: The name is absolute, empty or has a `..` component.
        ApiContentError: A parent's id would lead elsewhere.
        ConfigurationError: The chunk would lead elsewhere.
    """
    paths = paths_in_parents(os.fspath(filename), parent_ids=parent_ids, task_data_dir=task_data_dir, chunk=chunk)
    return [path for path in paths if os.path.isfile(path)]  # noqa: PTH113 pathlib raises where this answers


def paths_in_parents(filename: str, *, parent_ids: Iterable[str], task_data_dir: Path, chunk: str | None) -> list[Path]:
    """Where the parents may have left files of one name; arguments and errors as of `find_parents_file_paths`."""
    names = _names(filename, chunk)
    directories = [task_data_dir / _checked_id(parent_id) for parent_id in dict.fromkeys(parent_ids)]
    return [directory / name for directory in directories for name in names]


def _names(filename: str, chunk: str | None) -> list[str]:
    path = PurePath(filename)
    if path.is_absolute() or ".." in path.parts or not path.name or "\0" in filename:
        raise ValueError(f"{printable(filename)!r} is not a name relative to the directory of a parent")
    if not chunk:
        return [filename]
    if not is_file_name(f"_{chunk}"):
        message = "is not the number of a chunk: it cannot be a part of a file name"
        raise ConfigurationError([Problem("task_chunk", "environment", "ARKINDEX_TASK_CHUNK", message)])
    # As the published library names them: all that equals the suffix goes, and so does a directory.
    stem = path.name.replace(path.suffix, "")
    return [filename, f"{stem}_{chunk}{path.suffix}"]


def _checked_id(parent_id: str) -> str:
    if not is_file_name(parent_id):
        raise ApiContentError("RetrieveTask", f"parents: {printable(parent_id, 60)!r} is not the id of a task")
    return parent_id


def is_file_name(text: str) -> bool:
    """Whether the text can be the name of one file or directory in another."""
    is_plain = not CONTROLS.search(text) and os.sep not in text and text not in ("", ".", "..")
    return is_plain and len(os.fsencode(text)) <= _LONGEST_COMPONENT


def _is_directory(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 pathlib raises where this answers: no access, a NUL, a link to itself


def _shown(path: Path) -> str:
    return printable(str(path), 500)
