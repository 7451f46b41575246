"""The directories of a run: where its data lies, where it works, where a person's secrets are."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping


def data_directory(data_dir: str | None, environ: Mapping[str, str]) -> Path:
    """The root of the tasks' data; absolute, whatever directory user code changes to.

    Args:
        data_dir: `PONOS_DATA`; `/data` where it is not set.
        environ: Where the home directory is looked for.
    """
    return expand_home(data_dir or "/data", environ).absolute()


def work_directory(data_dir: str | None, xdg_data_home: str | None, environ: Mapping[str, str]) -> Path:
    """The directory of this task: `$PONOS_DATA/current`, else `arkindex` in the user's data directory.

    Args:
        data_dir: `PONOS_DATA`.
        xdg_data_home: `XDG_DATA_HOME`.
        environ: Where the home directory is looked for.
    """
    if data_dir:
        return data_directory(data_dir, environ) / "current"
    return _base(xdg_data_home, ".local/share", environ) / "arkindex"


def secrets_directory(xdg_config_home: str | None, environ: Mapping[str, str]) -> Path:
    """A person's own secrets: `arkindex/secrets` in the user's configuration directory.

    Args:
        xdg_config_home: `XDG_CONFIG_HOME`.
        environ: Where the home directory is looked for.
    """
    return _base(xdg_config_home, ".config", environ) / "arkindex" / "secrets"


def _base(configured: str | None, usual: str, environ: Mapping[str, str]) -> Path:
    """A directory of the XDG specification: what is empty, or a relative path, counts as not set."""
    path = expand_home(configured or "", environ)
    return path if path.is_absolute() else home_directory(environ) / usual


def home_directory(environ: Mapping[str, str]) -> Path:
    """The home directory; `/` for a user without any, as container engines do it."""
    home = environ.get("HOME")
    if home:
        return Path(home)
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def expand_home(path: str, environ: Mapping[str, str]) -> Path:
    """The path with a leading `~/` replaced: the shell does that only at the beginning of a word."""
    return home_directory(environ) / path[2:] if path.startswith("~/") else Path(path)


def ensure_directory(path: Path) -> str:
    """Make a directory that can be written; what prevents it, or nothing."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"{printable(str(path))} cannot be made: {error.strerror or type(error).__name__}"
    if not os.access(path, os.W_OK | os.X_OK):
        return f"{printable(str(path))} cannot be written"
    return ""


def make_private_directory(path: Path) -> None:
    """Make the directory and its missing parents, each with mode 0700 whatever the umask.

    Raises:
        OSError: It cannot be made, or is something else.
    """
    if path.is_dir():
        return
    make_private_directory(path.parent)
    with suppress(FileExistsError):  # another process may make it at this moment
        path.mkdir(mode=0o700)
        path.chmod(0o700)
    if not path.is_dir():
        raise NotADirectoryError(20, "Not a directory", str(path))
