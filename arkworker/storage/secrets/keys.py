"""Which GPG key secrets are encrypted for: `gpg_key` in `cli.yaml`, the file of the published `arkindex` command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from arkworker.documents.text_file import TextFileError, read_text_file
from arkworker.documents.yaml import Mapping, Scalar, YamlError, parse_yaml, to_python
from arkworker.storage.private import write_private
from arkworker.storage.secrets.gpg import GpgError

if TYPE_CHECKING:
    from pathlib import Path

    from arkworker.documents.yaml import Node
    from arkworker.storage.secrets.gpg import Gpg


def choose_key(gpg: Gpg, path: Path) -> str:
    """The recorded key, else the only one there is.

    Args:
        gpg: To ask for the keys of the ring.
        path: Of `cli.yaml`.

    Raises:
        GpgError: The file cannot be read, there is no key, or there are several and none is recorded.
    """
    recorded = recorded_key(path)
    if recorded:
        return recorded
    keys = gpg.secret_keys()
    if len(keys) == 1:
        return keys[0]
    if not keys:
        raise GpgError("there is no GPG key to encrypt for: make one with `gpg --quick-generate-key`")
    raise GpgError(f"there are several GPG keys ({', '.join(keys[:10])}): write `gpg_key: ID` into {path}")


def recorded_key(path: Path) -> str | None:
    """The id in the file; None without a file or an entry.

    Raises:
        GpgError: The file cannot be read.
    """
    node = _read(path)
    entries = node.entries if isinstance(node, Mapping) else ()
    for entry in entries:
        # As written, since an id of nothing but digits is text, too. `arkindex login` writes null.
        if entry.key.text == "gpg_key" and isinstance(entry.value, Scalar):
            return None if entry.value.text in ("", "~", "null") else entry.value.text
    return None


def record_key(path: Path, key: str) -> None:
    """Remember the key, beside whatever else the file holds.

    Raises:
        GpgError: The file cannot be read or written.
    """
    content = _content(path)
    text = yaml.safe_dump(content | {"gpg_key": key}, allow_unicode=True)
    try:
        # A link, as people have them to a repository of their settings, stays one.
        write_private(path.resolve(), text.encode())
    except OSError as error:
        raise GpgError(f"{path} cannot be written: {error.strerror}") from None


def _content(path: Path) -> dict[str, Any]:
    node = _read(path)
    if node is None:
        return {}
    try:
        if isinstance(node, Mapping):
            content: dict[str, Any] = to_python(node)
            return content
    except YamlError:
        pass
    raise GpgError(f"{path} is not what the arkindex command writes")


def _read(path: Path) -> Node | None:
    try:
        return parse_yaml(read_text_file(str(path)).text) if path.exists() else None
    except (OSError, TextFileError, YamlError):
        # Not chained: beside the key, the file holds API tokens.
        raise GpgError(f"{path} cannot be read, or is not valid YAML") from None
