"""The directories of a run: where its data lies, where it works."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arkworker.settings.platform import Settings


def data_directory(settings: Settings) -> Path:
    """The root of the tasks' data: `PONOS_DATA`, else `/data`."""
    return Path(settings.data_dir or "/data")


def work_directory(settings: Settings, environ: Mapping[str, str]) -> Path:
    """The directory of this task: `$PONOS_DATA/current`, else `arkindex` in the user's data directory."""
    if settings.data_dir:
        return Path(settings.data_dir) / "current"
    return home_of(settings.xdg_data_home, ".local/share", environ) / "arkindex"


def home_of(configured: str | None, default: str, environ: Mapping[str, str]) -> Path:
    """An XDG directory. The specification says that a relative path is no valid value: it is ignored."""
    if configured and Path(configured).is_absolute():
        return Path(configured)
    home = environ.get("HOME") or "~"
    return Path(os.path.expanduser(home)) / default  # noqa: PTH111 - Path.expanduser raises for a user without a home


def ensure_directory(path: Path) -> str:
    """Make a directory that can be written; what prevents it, or nothing."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"{printable(str(path))} cannot be made: {error.strerror or type(error).__name__}"
    if not os.access(path, os.W_OK | os.X_OK):
        return f"{printable(str(path))} cannot be written"
    return ""
