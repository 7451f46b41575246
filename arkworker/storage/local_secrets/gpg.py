"""GPG by way of python-gnupg, so that it never waits for a person, and the key that secrets are encrypted for.

python-gnupg knows what to ask of the program `gpg` and how to read what it answers. What it has no setting for is added
where it starts the process: a time limit, an end to all that gpg has started, and a closed standard input.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import gnupg
import yaml

from arkworker.documents.nodes import Mapping as YamlMapping, Scalar, YamlError, to_python
from arkworker.documents.text_file import TextFileError, read_text_file
from arkworker.documents.yaml import parse_yaml
from arkworker.storage import files
from arkworker.storage.directories import make_private_directory
from arkworker.storage.local_secrets.content import UnusableError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from arkworker.documents.nodes import Node

# No option of the user's gpg.conf may ask or go online.
_OPTIONS = ("--pinentry-mode", "loopback", "--disable-dirmngr", "--no-auto-check-trustdb", "--skip-verify")
# What gpg needs, rather than all but what is known to be secret: variables hold tokens and secrets under any name.
_VARIABLES = frozenset(
    {
        "DYLD_LIBRARY_PATH",
        "GNUPGHOME",
        "HOME",
        "LD_LIBRARY_PATH",
        "LOGNAME",
        "PATH",
        "TMPDIR",
        "USER",
        "XDG_RUNTIME_DIR",
    }
)
_READING = 1.0  # seconds to read the end of a process that was killed


class GpgError(UnusableError):
    """gpg did not do its work; the message says why and holds nothing that gpg wrote."""


class Gpg:
    """The `gpg` program of this machine with the user's own key ring.

    Args:
        environ: The environment to find the program and the key ring in; only a few variables reach the program.
        time_limit: Seconds after which gpg, and all that it has started, is killed.
    """

    def __init__(self, environ: Mapping[str, str], time_limit: float = 30.0) -> None:
        self._environ = environ
        self._time_limit = time_limit

    def decrypt(self, path: Path, largest: int = 2**20) -> bytes:
        """The content of an encrypted file.

        Args:
            path: Of the file.
            largest: Bytes that it may have.

        Raises:
            GpgError: No gpg, no key, passphrase needed, damaged, or another failure: different messages.
        """
        limit = ["--max-output", str(largest)]
        done = self._perform("decrypt", lambda library: library.decrypt_file(os.fspath(path), extra_args=limit))
        # A message that is cut early ends with exit status 0; one that is not encrypted at all does, too.
        if done.returncode != 0 or not done.ok:
            raise GpgError(_why_not_decrypted(done, largest))
        content: bytes = done.data
        return content

    def encrypt(self, content: bytes, key: str) -> bytes:
        """The content, encrypted for the owner of the key, as ASCII armour.

        Raises:
            GpgError: No gpg, no such key, or another failure.
        """
        if key.startswith("-") or not key.isprintable():
            raise GpgError("this is not the id of a GPG key: it begins with a dash or holds a control character")
        # One's own key needs no web of trust: after a move to another machine it often has none.
        done = self._perform("encrypt", lambda library: library.encrypt(content, [key], always_trust=True))
        if done.status.startswith("invalid recipient"):
            raise GpgError(f"GPG has no key {printable(key, 60)} that it could encrypt for")
        if done.returncode != 0 or not done.ok:
            raise GpgError(f"gpg could not encrypt ({_ending(done.returncode)})")
        encrypted: bytes = done.data
        return encrypted

    def secret_keys(self) -> list[str]:
        """The ids of the secret keys in the ring that something can be encrypted for.

        Raises:
            GpgError: No gpg, or another failure.
        """
        done = self._perform("list its keys", lambda library: library.list_keys(secret=True))
        if done.returncode != 0:
            raise GpgError(f"gpg could not list its keys ({_ending(done.returncode)})")
        # A capital E says that the key as a whole, not expired, can encrypt.
        return [key["keyid"] for key in done if "E" in key["cap"]]

    def _perform(self, what: str, call: Callable[[gnupg.GPG], Any]) -> Any:
        """What python-gnupg makes of a call, within the time limit."""
        program = shutil.which("gpg", path=self._environ.get("PATH") or os.defpath)
        if program is None:
            raise GpgError("the program gpg is not installed, or not on PATH: install GnuPG")
        # English messages, since two conditions have no status line.
        environ = {name: self._environ[name] for name in _VARIABLES & self._environ.keys()} | {"LC_ALL": "C.UTF-8"}
        processes = _Processes(environ)
        # In a thread, because the library waits for the pipes of gpg as long as anybody holds them.
        work = _Work(lambda: call(_Library(program, processes)))
        try:
            work.join(self._time_limit)
        finally:
            processes.kill()
        if work.is_alive():
            work.join(_READING)
            raise GpgError(f"gpg did not end within {self._time_limit:g} s and was killed")
        if isinstance(work.error, GpgError):
            raise work.error
        if work.error is not None:
            # Not chained: it may hold what gpg wrote.
            raise GpgError(f"gpg could not {what} ({_ending(processes.last_code)})")
        return work.result


class _Library(gnupg.GPG):  # type: ignore[misc]  # python-gnupg has no types
    """python-gnupg, with processes that can be ended."""

    buffer_size = 65536

    def __init__(self, program: str, processes: _Processes) -> None:
        self._processes = processes
        super().__init__(program, options=list(_OPTIONS), env=processes.environ)

    def _open_subprocess(self, args: Sequence[str], passphrase: bool = False) -> subprocess.Popen[bytes]:  # noqa: FBT001, FBT002 - its signature
        takes_input = args[0] in ("--encrypt", "--decrypt")
        return self._processes.start(self.make_args(args, passphrase), takes_input=takes_input)


class _Processes:
    """The processes of one call, one after the other, each in a group of its own."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self._lock = threading.Lock()
        self._last: subprocess.Popen[bytes] | None = None
        self._is_ended = False

    @property
    def last_code(self) -> int:
        """How the last of them ended."""
        return self._last.returncode or 0 if self._last is not None else 0

    def start(self, command: Sequence[str], *, takes_input: bool) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        with self._lock:
            if self._is_ended:
                raise GpgError("gpg was stopped")
            try:
                self._last = subprocess.Popen(  # noqa: S603 - the program is gpg, the arguments are checked
                    command,
                    stdin=pipe if takes_input else subprocess.DEVNULL,
                    stdout=pipe,
                    stderr=pipe,
                    env=self.environ,
                    start_new_session=True,
                )
            except OSError as error:
                raise GpgError(f"gpg cannot be started: {error.strerror}") from None
            return self._last

    def kill(self) -> None:
        """End what is left of them, and let no other begin."""
        with self._lock:
            self._is_ended = True
            # One that was not waited for keeps its id, which is that of its group.
            if self._last is not None and self._last.returncode is None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._last.pid, signal.SIGKILL)


class _Work(threading.Thread):
    """A call in a thread that does not keep the process alive."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__(name="gpg", daemon=True)
        self._call = call
        self.result: Any = None
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            with _silent():
                self.result = self._call()
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller tells it
            self.error = error.with_traceback(None)


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing that gpg says goes to the log: all that matters of it becomes a message of ours."""

    def keep_out(_: logging.LogRecord) -> bool:
        return False

    logger = logging.getLogger("gnupg")
    logger.addFilter(keep_out)
    try:
        yield
    finally:
        logger.removeFilter(keep_out)


def _why_not_decrypted(done: Any, largest: int) -> str:
    if "--max-output" in done.stderr:
        return f"its content is larger than {largest:,} bytes"
    if "PASSPHRASE" in done.stderr and "GOOD_PASSPHRASE" not in done.stderr:
        return (
            "a passphrase is needed, but arkworker does not ask for it: let gpg-agent remember it (decrypt the file "
            "once with gpg), or use a key without a passphrase"
        )
    # Without its agent gpg says that the key is missing.
    if "connect to the agent" in done.stderr or "setting pinentry mode" in done.stderr:
        return (
            "gpg-agent, which holds the keys, cannot be started or refuses --pinentry-mode loopback: look at "
            "gpg-agent.conf and the access rights of ~/.gnupg or GNUPGHOME, and at the length of its path"
        )
    if done.status == "no secret key":
        return "the GPG key that it is encrypted for is not in the key ring: import it, or encrypt the secret again"
    if done.returncode < 0 or "[GNUPG:]" not in done.stderr:
        return f"gpg failed ({_ending(done.returncode)}): decrypt the file with gpg to see why"
    return "it is damaged, or not encrypted with GPG"


def _ending(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit status {code}"


def choose_key(gpg: Gpg, path: Path) -> str:
    """The key recorded as `gpg_key` in `cli.yaml`, the file of the published `arkindex` command; else the only one.

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
    """The id in `cli.yaml`; None without a file or an entry.

    Raises:
        GpgError: The file cannot be read.
    """
    node = _read(path)
    entries = node.entries if isinstance(node, YamlMapping) else ()
    for entry in entries:
        # As written, since an id of nothing but digits is text, too. `arkindex login` writes null.
        if entry.key.text == "gpg_key" and isinstance(entry.value, Scalar):
            return None if entry.value.text in ("", "~", "null") else entry.value.text
    return None


def record_key(path: Path, key: str) -> None:
    """Remember the key in `cli.yaml`, beside whatever else the file holds.

    Raises:
        GpgError: The file cannot be read or written.
    """
    text = yaml.safe_dump(_content(path) | {"gpg_key": key}, allow_unicode=True)
    try:
        make_private_directory(path.resolve().parent)
        files.replace(path, text.encode(), mode=0o600)
    except OSError as error:
        raise GpgError(f"{path} cannot be written: {error.strerror}") from None


def _content(path: Path) -> dict[str, Any]:
    node = _read(path)
    if node is None:
        return {}
    with suppress(YamlError):
        if isinstance(node, YamlMapping):
            content: dict[str, Any] = to_python(node)
            return content
    raise GpgError(f"{path} is not what the arkindex command writes")


def _read(path: Path) -> Node | None:
    try:
        return parse_yaml(read_text_file(str(path)).text) if path.exists() else None
    except (OSError, TextFileError, YamlError):
        # Not chained: beside the key, the file holds API tokens.
        raise GpgError(f"{path} cannot be read, or is not valid YAML") from None
