"""Names of secrets and where their files are: nothing here opens a file."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from arkworker.errors import SecretError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_NAME = 255  # characters
# Control characters, surrogates, and the two separators of Unicode that terminals and editors take for a line break.
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def check_secret_name(name: str) -> None:
    """Refuse a name that is none, before it becomes a path or a part of a URL.

    Raises:
        SecretError: It is empty, absolute, longer than 255 characters, holds a control character, or has an empty,
            `.` or `..` component.
    """
    # What looks like the content of a secret, put where its name belongs, is not repeated in the message.
    if len(name) > LONGEST_NAME:
        raise SecretError("…", f"a name has at most {LONGEST_NAME} characters; this must be the name, not the content")
    if any(unicodedata.category(character) in _FORBIDDEN_CATEGORIES for character in name):
        raise SecretError("…", "a name has no control characters; this must be the name, not the content")
    if not name:
        raise SecretError(name, "the name is empty")
    if name.startswith("/"):
        raise SecretError(
            printable(name, 60), "a name is relative to the secrets directory; a file is named by file:PATH"
        )
    if not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise SecretError(printable(name, 60), "a name has no empty component, no '.' and no '..'")


def secrets_directory(environ: Mapping[str, str]) -> Path:
    """`${XDG_CONFIG_HOME:-~/.config}/arkindex/secrets`, where an empty variable is an absent one."""
    configured = environ.get("XDG_CONFIG_HOME")
    base = expand_home(configured, environ) if configured else home_directory(environ) / ".config"
    return base / "arkindex" / "secrets"


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
