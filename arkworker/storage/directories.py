"""The directories of a run: where its data lies, where it works."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from arkworker.storage.secrets.names import expand_home, home_directory
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from arkworker.settings.platform import Settings


def data_directory(settings: Settings, environ: Mapping[str, str]) -> Path:
    """The root of the tasks' data: `PONOS_DATA`, else `/data`; absolute, whatever directory user code changes to."""
    return expand_home(settings.data_dir or "/data", environ).absolute()


def work_directory(settings: Settings, environ: Mapping[str, str]) -> Path:
    """The directory of this task: `$PONOS_DATA/current`, else `arkindex` in the user's data directory."""
    if settings.data_dir:
        return data_directory(settings, environ) / "current"
    configured = expand_home(settings.xdg_data_home or "", environ)
    # The specification of these directories says that a relative path is no valid value, and ignored.
    base = configured if configured.is_absolute() else home_directory(environ) / ".local" / "share"
    return base / "arkindex"


def ensure_directory(path: Path) -> str:
    """Make a directory that can be written; what prevents it, or nothing."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"{printable(str(path))} cannot be made: {error.strerror or type(error).__name__}"
    if not os.access(path, os.W_OK | os.X_OK):
        return f"{printable(str(path))} cannot be written"
    return ""
