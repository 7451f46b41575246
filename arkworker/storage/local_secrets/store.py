"""The local encrypted secrets, shared with the published command `arkindex secrets` and with base-worker."""

from __future__ import annotations

import errno
import os
import stat
from functools import cached_property
from typing import TYPE_CHECKING, Any

from arkworker.errors import SecretError
from arkworker.storage import files
from arkworker.storage.directories import make_private_directory
from arkworker.storage.local_secrets.content import LARGEST_CONTENT, UnusableError, check_secret_name, parse_content
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from arkworker.storage.local_secrets.gpg import Gpg

_LARGEST_FILE = 4 * LARGEST_CONTENT  # bytes, encrypted and in ASCII armour


class SecretStore:
    """A directory of files that GPG encrypted for its owner, one a secret; a name may lead into subdirectories.

    Args:
        directory: Its path, see `secrets_directory`; need not exist.
        environ: Where gpg finds its program and its key ring; a few variables of it reach gpg.
    """

    def __init__(self, directory: Path, *, environ: Mapping[str, str]) -> None:
        self.directory = directory
        self._environ = environ

    def load(self, name: str) -> Any | None:
        """The content: text, or data for a `.json`, `.yaml` or `.yml` name; None when there is no such file.

        Raises:
            SecretError: The name is invalid, the file leads out of the directory, is not a regular file or is too
                large, or gpg cannot decrypt it, or its content does not match the suffix of the name.
        """
        path = self._path(name)
        try:
            if not _is_there(path):
                return None
            if not os.access(path, os.R_OK):  # which gpg says in no way that can be told from others
                raise UnusableError("it cannot be read: permission denied")  # noqa: TRY301 one way out
            return parse_content(name, _decode(self._gpg.decrypt(path, LARGEST_CONTENT)))
        except OSError as error:
            # Without the path, since nothing says yet that the name is one.
            reason = f"the local secrets directory {_shown(self.directory)} cannot be read: {error.strerror}"
        except UnusableError as error:
            reason = f"the local file {_shown(path)}: {error}"
        raise SecretError(name, reason)

    def set(self, name: str, content: bytes, *, key: str | None = None) -> Path:
        """Encrypt a secret into its file, which is replaced as a whole or not at all.

        Args:
            name: Of the secret.
            content: At most 1 MiB.
            key: Id of the GPG key to encrypt for, which is then remembered as `gpg_key` in `cli.yaml` beside the
                directory. Without it, the remembered key, or the only one in the ring.

        Raises:
            SecretError: The name is invalid, the content is too large or does not match the suffix of the name, there
                is no usable key, gpg fails, or the file cannot be written.
        """
        path = self._path(name)
        try:
            if len(content) > LARGEST_CONTENT:
                raise UnusableError(f"the content is larger than {LARGEST_CONTENT:,} bytes")  # noqa: TRY301 one way out
            parse_content(name, _decode(content))
            encrypted = self._encrypted(content, key)
            make_private_directory(self.directory)
            self.directory.chmod(0o700)
            make_private_directory(path.parent)
            files.replace(path, encrypted, mode=0o600)
        except OSError as error:
            reason = f"{_shown(path)} cannot be written: {error.strerror}"
        except UnusableError as error:
            reason = str(error)
        else:
            return path
        raise SecretError(name, reason)

    def list(self) -> list[str]:
        """The names of all secrets, sorted.

        Raises:
            SecretError: The directory cannot be read.
        """
        try:
            return sorted(self._names())
        except OSError as error:
            raise SecretError("*", f"the directory {_shown(self.directory)} cannot be read: {error.strerror}") from None

    @cached_property
    def _gpg(self) -> Gpg:
        from arkworker.storage.local_secrets.gpg import Gpg  # with its library: many runs have no local secrets

        return Gpg(self._environ)

    def _encrypted(self, content: bytes, key: str | None) -> bytes:
        from arkworker.storage.local_secrets.gpg import choose_key, record_key

        settings = self.directory.parent / "cli.yaml"
        encrypted = self._gpg.encrypt(content, key or choose_key(self._gpg, settings))
        if key:
            record_key(settings, key)
        return encrypted

    def _names(self) -> Iterator[str]:
        if not self.directory.is_dir():
            return
        for folder, _, entries in os.walk(self.directory, onerror=_raise):
            for file in entries:
                name = os.path.relpath(os.path.join(folder, file), self.directory)  # noqa: PTH118 pathlib has no walk in 3.11
                if f"/{files.TEMPORARY_PREFIX}" not in f"/{name}" and self._is_secret(name):
                    yield name

    def _is_secret(self, name: str) -> bool:
        try:
            return _is_there(self._path(name))
        except (OSError, SecretError, UnusableError):
            return False

    def _path(self, name: str) -> Path:
        check_secret_name(name)
        try:
            directory = self.directory.resolve()
            path = (directory / name).resolve()
        except (OSError, RuntimeError):  # Python before 3.13 says RuntimeError for links in a circle
            raise SecretError(name, "its file in the local secrets directory cannot be reached") from None
        if not path.is_relative_to(directory):
            raise SecretError(name, "its file is a link that leads out of the local secrets directory")
        return path


def _is_there(path: Path) -> bool:
    try:
        status = path.stat()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            return False
        raise
    if not stat.S_ISREG(status.st_mode):
        raise UnusableError("it is not a regular file")
    if status.st_size > _LARGEST_FILE:
        raise UnusableError(f"it is larger than {_LARGEST_FILE:,} bytes")
    return True


def _shown(path: Path) -> str:
    return printable(str(path), 500)


def _decode(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        # Not chained: the exception holds the content.
        raise UnusableError("its content is not UTF-8 text") from None


def _raise(error: OSError) -> None:
    raise error
