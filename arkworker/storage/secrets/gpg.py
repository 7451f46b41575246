"""Driving the `gpg` program so that it never waits for a person.

python-gnupg, the usual library, is not used at run time. As of 0.5.7 it has no time limit, so that a gpg that waits for
a lock or an agent holds the run for ever; it keeps the process to itself, so that nothing can end it and what it
started, neither after a while nor when a signal comes; it starts gpg once more for its version, before each use; and it
can be told to log what it decrypts. Each could be had by overriding its private methods only, on which nothing should
rest that guards secrets. The files are the same: tests encrypt with the one and decrypt with the other.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LARGEST_CONTENT = 1024 * 1024  # bytes of one secret
# Standard input holds what is to be encrypted, or nothing. No option of the user's gpg.conf may ask or go online.
_OPTIONS = (
    *("--batch", "--no-tty", "--pinentry-mode", "loopback", "--status-fd", "2", "--disable-dirmngr"),
    *("--no-auto-check-trustdb", "--skip-verify"),
)
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
_STATUS = "[GNUPG:] "


class GpgError(Exception):
    """gpg did not do its work; the message says why and holds nothing that gpg wrote."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    code: int
    output: bytes = field(repr=False)
    statuses: frozenset[str]
    remarks: str

    @property
    def agent_fails(self) -> bool:
        """Without its agent gpg says that the key is missing."""
        return "connect to the agent" in self.remarks or "setting pinentry mode" in self.remarks


@dataclass(frozen=True, slots=True)
class Gpg:
    """The `gpg` program of this machine with the user's own key ring.

    Attributes:
        environ: The environment to find the program and the key ring in; only a few variables reach the program.
        time_limit: Seconds after which gpg, and all that it has started, is killed.
    """

    environ: Mapping[str, str] = field(repr=False)
    time_limit: float = 30.0

    def decrypt(self, path: Path) -> bytes:
        """The content of an encrypted file, at most 1 MiB.

        Raises:
            GpgError: No gpg, no key, passphrase needed, damaged, or another failure: different messages.
        """
        limit = str(LARGEST_CONTENT)
        outcome = self._run("--max-output", limit, "--output", "-", "--decrypt", "--", os.fspath(path))
        # A message that is cut early ends with exit status 0; one that is not encrypted at all does, too.
        if outcome.code != 0 or "DECRYPTION_OKAY" not in outcome.statuses:
            raise GpgError(_why_not_decrypted(outcome))
        return outcome.output

    def encrypt(self, content: bytes, key: str) -> bytes:
        """The content, encrypted for the owner of the key, as ASCII armour.

        Raises:
            GpgError: No gpg, no such key, or another failure.
        """
        if key.startswith("-") or not key.isprintable():
            raise GpgError("this is not the id of a GPG key: it begins with a dash or holds a control character")
        # One's own key needs no web of trust: after a move to another machine it often has none.
        outcome = self._run("--trust-model", "always", "--armor", "--encrypt", "--recipient", key, content=content)
        if outcome.statuses & {"INV_RECP", "NO_RECP"}:
            raise GpgError(f"GPG has no key {printable(key, 60)} that it could encrypt for")
        if outcome.code != 0 or "END_ENCRYPTION" not in outcome.statuses:
            raise GpgError(f"gpg could not encrypt ({_ending(outcome.code)})")
        return outcome.output

    def secret_keys(self) -> list[str]:
        """The ids of the secret keys in the ring that something can be encrypted for.

        Raises:
            GpgError: No gpg, or another failure.
        """
        outcome = self._run("--with-colons", "--list-secret-keys")
        if outcome.code != 0:
            raise GpgError(f"gpg could not list its keys ({_ending(outcome.code)})")
        rows = (line.split(":") for line in outcome.output.decode(errors="replace").splitlines())
        # Field 5 is the id; a capital E in field 12 says that the key as a whole, not expired, can encrypt.
        return [row[4] for row in rows if row[0] == "sec" and len(row) > 11 and "E" in row[11]]

    def _run(self, *arguments: str, content: bytes | None = None) -> _Outcome:
        command = [self._program(), *_OPTIONS, *arguments]
        code, output, complaints = self._communicate(command, content)
        lines = complaints.decode(errors="replace").splitlines()
        statuses = (line.removeprefix(_STATUS).split(" ", 1)[0] for line in lines if line.startswith(_STATUS))
        remarks = (line for line in lines if not line.startswith(_STATUS))
        return _Outcome(code, output, frozenset(statuses), "\n".join(remarks))

    def _program(self) -> str:
        program = shutil.which("gpg", path=self.environ.get("PATH") or os.defpath)
        if program is None:
            raise GpgError("the program gpg is not installed, or not on PATH: install GnuPG")
        return program

    def _communicate(self, command: Sequence[str], content: bytes | None) -> tuple[int, bytes, bytes]:
        # English messages, since two conditions have no status line.
        environ = {name: value for name, value in self.environ.items() if name in _VARIABLES} | {"LC_ALL": "C.UTF-8"}
        stdin = subprocess.DEVNULL if content is None else subprocess.PIPE
        try:
            process = subprocess.Popen(  # noqa: S603 the program is gpg, the arguments are checked
                command,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environ,
                start_new_session=True,
            )
        except OSError as error:
            raise GpgError(f"gpg cannot be started: {error.strerror}") from None
        with process:
            try:
                output, complaints = process.communicate(content, self.time_limit)
            except subprocess.TimeoutExpired:
                _kill_group(process)
                # Not chained: the exception holds what was decrypted so far.
                raise GpgError(f"gpg did not end within {self.time_limit:g} s and was killed") from None
            except BaseException:
                _kill_group(process)
                raise
        return process.returncode, output, complaints


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    # The process has not been waited for, so its id, which is that of its group, cannot be another's by now.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _why_not_decrypted(outcome: _Outcome) -> str:
    statuses = outcome.statuses
    if "--max-output" in outcome.remarks:
        return f"its content is larger than {LARGEST_CONTENT:,} bytes"
    if statuses & {"NEED_PASSPHRASE", "NEED_PASSPHRASE_SYM", "MISSING_PASSPHRASE", "BAD_PASSPHRASE"}:
        return (
            "a passphrase is needed, and nobody is asked for one: let gpg-agent remember it (decrypt the file once "
            "with gpg), or use a key without passphrase"
        )
    if outcome.agent_fails:
        return (
            "gpg-agent, which holds the keys, cannot be started or refuses --pinentry-mode loopback: look at "
            "gpg-agent.conf and the access rights of ~/.gnupg or GNUPGHOME, and at the length of its path"
        )
    if "NO_SECKEY" in statuses:
        return "the GPG key that it is encrypted for is not in the key ring: import it, or encrypt the secret again"
    if outcome.code < 0 or not statuses:
        return f"gpg failed ({_ending(outcome.code)}): decrypt the file with gpg to see why"
    return "it is damaged, or not encrypted with GPG"


def _ending(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit status {code}"
