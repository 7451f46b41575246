"""Throwaway GPG key rings: real gpg, nothing of the person who runs the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from arkworker.storage.local_secrets import SecretStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PASSPHRASE = "only-in-tests"


class KeyRing:
    """A GPG home directory, and the environment to use it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environ: Mapping[str, str] = {
            "PATH": os.environ.get("PATH", os.defpath),
            "GNUPGHOME": str(home),
            "HOME": str(home),
        }

    def gpg(self, *arguments: str, content: bytes = b"") -> bytes:
        command = ["gpg", "--batch", "--no-tty", "--pinentry-mode", "loopback", *arguments]
        return subprocess.run(command, input=content, env=self.environ, capture_output=True, check=True).stdout

    def generate(self, owner: str, passphrase: str = "") -> None:
        self.gpg("--passphrase", passphrase, "--quick-generate-key", owner, "future-default", "default", "never")
        self.stop_agent()  # it would remember the passphrase

    def encrypt(self, content: bytes) -> bytes:
        return self.gpg("--trust-model", "always", "--default-recipient-self", "--encrypt", content=content)

    def stop_agent(self) -> None:
        subprocess.run(["gpgconf", "--kill", "all"], env=self.environ, capture_output=True, check=True)


def _key_ring(owner: str | None, passphrase: str = "") -> Iterator[KeyRing]:
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    # Not below tmp_path: the agent's socket must have a short name.
    with tempfile.TemporaryDirectory(prefix="ark-", dir="/tmp") as home:
        ring = KeyRing(Path(home))
        if owner is not None:
            ring.generate(owner, passphrase)
        yield ring
        ring.stop_agent()


@pytest.fixture(scope="session")
def key_ring() -> Iterator[KeyRing]:
    """One key without passphrase."""
    yield from _key_ring("Ada <ada@example.org>")


@pytest.fixture(scope="session")
def other_key_ring() -> Iterator[KeyRing]:
    """Another person's key."""
    yield from _key_ring("Grace <grace@example.org>")


@pytest.fixture(scope="session")
def locked_key_ring() -> Iterator[KeyRing]:
    """One key whose passphrase nobody has typed."""
    yield from _key_ring("Kay <kay@example.org>", PASSPHRASE)


@pytest.fixture(scope="session")
def empty_key_ring() -> Iterator[KeyRing]:
    """No key at all."""
    yield from _key_ring(None)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the secrets will be; it does not exist yet."""
    return tmp_path / "arkindex" / "secrets"


@pytest.fixture
def store(directory: Path, key_ring: KeyRing) -> SecretStore:
    return SecretStore(directory, environ=key_ring.environ)
