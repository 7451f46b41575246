"""The local encrypted secrets, shared with the published command `arkindex secrets` and with base-worker."""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from arkworker.documents.json import JsonError, parse_json
from arkworker.documents.nodes import YamlError
from arkworker.documents.scalars import to_python
from arkworker.documents.yaml import parse_yaml
from arkworker.errors import SecretError
from arkworker.storage import files
from arkworker.storage.directories import make_private_directory
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from arkworker.storage.local_secrets.gpg import Gpg

LARGEST_CONTENT = 1024 * 1024  # bytes of one secret; characters of one that is a document
LONGEST_NAME = 255  # characters
_LARGEST_FILE = 4 * LARGEST_CONTENT  # encrypted and in ASCII armour
# Control characters, surrogates, and the two separators of Unicode that terminals and editors take for a line break.
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


class UnparsableError(Exception):
    """The content is not what the name promises; the message holds none of it."""


def parse_content(name: str, text: str) -> Any:
    """The data of a `.json`, `.yaml` or `.yml` name, in any case; the text itself for any other name.

    Raises:
        UnparsableError: It is not such a document, holds no value or a key twice, or is beyond the limits of documents.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in (".json", ".yaml", ".yml"):
        return text
    value = _parse_json(text) if suffix == ".json" else _parse_yaml(text)
    if value is None:
        raise UnparsableError("it is empty")
    return value


def _parse_yaml(text: str) -> Any:
    try:
        node = parse_yaml(text)
        return None if node is None else to_python(node)
    except YamlError as error:
        line = error.line
    # Raised here, not where it was caught: its own words may quote a character or a key.
    raise UnparsableError(f"its name says YAML, but it is not valid YAML, or is too large (line {line})")


def _parse_json(text: str) -> Any:
    if len(text) > LARGEST_CONTENT:
        raise UnparsableError(f"its name says JSON, but it has more than {LARGEST_CONTENT:,} characters")
    try:
        return parse_json(text.removeprefix("\ufeff"))
    except JsonError as error:
        reason = str(error)
    # Raised here, not where it was caught: the exception holds the document.
    raise UnparsableError(f"its name says JSON, but it {reason}")


def check_secret_name(name: str) -> None:
    """Refuse an invalid name, before it becomes a path or a part of a URL.

    Raises:
        SecretError: It is empty, absolute, longer than 255 characters, holds a control character, or has an empty,
            `.` or `..` component.
    """
    # What looks like the content of a secret, put where its name belongs, is not repeated in the message.
    if len(name) > LONGEST_NAME:
        raise SecretError(
            "…", f"a name has at most {LONGEST_NAME} characters: give the name of the secret, not its content"
        )
    if any(unicodedata.category(character) in _FORBIDDEN_CATEGORIES for character in name):
        raise SecretError("…", "a name cannot have control characters: give the name of the secret, not its content")
    if not name:
        raise SecretError(name, "the name is empty")
    if name.startswith("/"):
        raise SecretError(
            printable(name, 60), "a name is relative to the secrets directory; a file is named by file:PATH"
        )
    if not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise SecretError(printable(name, 60), "a name cannot have an empty component, '.' or '..'")


class SecretStore:
    """A directory of files that GPG encrypted for its owner, one a secret; a name may lead into subdirectories.

    Args:
        directory: Its path, see `secrets_directory`; need not exist.
        environ: Where gpg finds its program and its key ring; a few variables of it reach gpg.
        time_limit: Seconds that gpg may take each time.
    """

    def __init__(self, directory: Path, *, environ: Mapping[str, str], time_limit: float = 30.0) -> None:
        self.directory = directory
        self._environ = environ
        self._time_limit = time_limit

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
            return parse_content(name, _decode(self._decrypted(path)))
        except OSError as error:
            # Without the path, since nothing says yet that the name is one.
            reason = f"the local secrets directory {_shown(self.directory)} cannot be read: {error.strerror}"
        except (UnparsableError, _UnusableFileError) as error:
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
                raise _UnusableFileError(f"the content is larger than {LARGEST_CONTENT:,} bytes")  # noqa: TRY301 one way out
            parse_content(name, _decode(content))
            encrypted = self._encrypted(content, key)
            make_private_directory(self.directory)
            self.directory.chmod(0o700)
            make_private_directory(path.parent)
            files.replace(path, encrypted, mode=0o600)
        except OSError as error:
            reason = f"{_shown(path)} cannot be written: {error.strerror}"
        except (UnparsableError, _UnusableFileError) as error:
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

        return Gpg(self._environ, self._time_limit)

    def _decrypted(self, path: Path) -> bytes:
        from arkworker.storage.local_secrets.gpg import GpgError

        try:
            return self._gpg.decrypt(path, LARGEST_CONTENT)
        except GpgError as error:
            reason = str(error)
        raise _UnusableFileError(reason)

    def _encrypted(self, content: bytes, key: str | None) -> bytes:
        from arkworker.storage.local_secrets.gpg import GpgError, choose_key, record_key

        settings = self.directory.parent / "cli.yaml"
        try:
            encrypted = self._gpg.encrypt(content, key or choose_key(self._gpg, settings))
            if key:
                record_key(settings, key)
        except GpgError as error:
            reason = str(error)
        else:
            return encrypted
        raise _UnusableFileError(reason)

    def _names(self) -> Iterator[str]:
        if not self.directory.is_dir():
            return
        for folder, _, entries in os.walk(self.directory, onerror=_raise):
            for file in entries:
                name = os.path.relpath(os.path.join(folder, file), self.directory)  # noqa: PTH118 pathlib has no walk in 3.11
                if not file.startswith(files.TEMPORARY_PREFIX) and self._is_secret(name):
                    yield name

    def _is_secret(self, name: str) -> bool:
        try:
            return _is_there(self._path(name))
        except (OSError, SecretError, _UnusableFileError):
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


class _UnusableFileError(Exception):
    """Why a file is not read, or not written; the message holds none of it."""


def _is_there(path: Path) -> bool:
    try:
        status = path.stat()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            return False
        raise
    if not stat.S_ISREG(status.st_mode):
        raise _UnusableFileError("it is not a regular file")
    if status.st_size > _LARGEST_FILE:
        raise _UnusableFileError(f"it is larger than {_LARGEST_FILE:,} bytes")
    return True


def _shown(path: Path) -> str:
    return printable(str(path), 500)


def _decode(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        # Not chained: the exception holds the content.
        raise _UnusableFileError("its content is not UTF-8 text") from None


def _raise(error: OSError) -> None:
    raise error
