from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import gnupg
import pytest

from arkworker.errors import StoppedError
from arkworker.storage.local_secrets.content import LARGEST_CONTENT
from arkworker.storage.local_secrets.gpg import Gpg, GpgError

if TYPE_CHECKING:
    from pathlib import Path

    from gpg_stores import KeyRing

CONTENT = "canary-€".encode()


def _file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "secret file"
    path.write_bytes(content)
    return path


def _fake_gpg(tmp_path: Path, script: str, time_limit: float = 30.0) -> Gpg:
    """A program named gpg that does something else."""
    program = tmp_path / "bin" / "gpg"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    path = os.pathsep.join([str(program.parent), os.environ.get("PATH", os.defpath)])
    environ = {"PATH": path, "HOME": str(tmp_path), "ARKINDEX_API_TOKEN": "canary", "CONTAINER_API_KEY": "canary"}
    return Gpg(environ, time_limit)


def _failure(gpg: Gpg, path: Path) -> str:
    with pytest.raises(GpgError) as caught:
        gpg.decrypt(path)
    assert "canary" not in str(caught.value)
    return str(caught.value)


def test_decrypts_what_it_encrypted(key_ring: KeyRing, tmp_path: Path) -> None:
    """What is encrypted for the only key comes back as it was."""
    gpg = Gpg(key_ring.environ)
    [key] = gpg.secret_keys()
    assert gpg.decrypt(_file(tmp_path, gpg.encrypt(CONTENT, key))) == CONTENT


def test_decrypts_binary_files(key_ring: KeyRing, tmp_path: Path) -> None:
    """A file without ASCII armour is read, too."""
    assert Gpg(key_ring.environ).decrypt(_file(tmp_path, key_ring.encrypt(CONTENT))) == CONTENT


def test_a_signature_that_cannot_be_checked_does_no_harm(
    key_ring: KeyRing, other_key_ring: KeyRing, tmp_path: Path
) -> None:
    """A secret that a colleague signed and encrypted is read."""
    public = key_ring.gpg("--export")
    other_key_ring.gpg("--import", content=public)
    signed = other_key_ring.gpg(
        *("--trust-model", "always", "--sign", "--encrypt", "--recipient", "ada@example.org"), content=CONTENT
    )
    assert Gpg(key_ring.environ).decrypt(_file(tmp_path, signed)) == CONTENT


def test_says_that_there_is_no_gpg(tmp_path: Path) -> None:
    """Without the program the message names it."""
    assert "gpg is not installed" in _failure(Gpg({"PATH": str(tmp_path)}), tmp_path / "secret")


def test_says_that_the_key_is_missing(key_ring: KeyRing, other_key_ring: KeyRing, tmp_path: Path) -> None:
    """A file for another person's key is not called damaged."""
    path = _file(tmp_path, other_key_ring.encrypt(CONTENT))
    assert "not in the key ring" in _failure(Gpg(key_ring.environ), path)


def test_says_that_a_passphrase_is_needed(locked_key_ring: KeyRing, tmp_path: Path) -> None:
    """A locked key is an error at once; nobody is asked."""
    path = _file(tmp_path, locked_key_ring.encrypt(CONTENT))
    assert "passphrase is needed" in _failure(Gpg(locked_key_ring.environ), path)


def test_says_that_a_password_is_needed(key_ring: KeyRing, tmp_path: Path) -> None:
    """The same for a file that is encrypted with a password instead of a key."""
    encrypted = key_ring.gpg("--passphrase", "only-in-tests", "--symmetric", content=CONTENT)
    key_ring.stop_agent()  # it remembers the password
    assert "passphrase is needed" in _failure(Gpg(key_ring.environ), _file(tmp_path, encrypted))


def test_says_that_the_agent_refuses(locked_key_ring: KeyRing, tmp_path: Path) -> None:
    """An agent that cannot work is not taken for a missing key."""
    path = _file(tmp_path, locked_key_ring.encrypt(CONTENT))
    settings = locked_key_ring.home / "gpg-agent.conf"
    settings.write_text("no-allow-loopback-pinentry\n")
    locked_key_ring.stop_agent()
    try:
        assert "gpg-agent" in _failure(Gpg(locked_key_ring.environ), path)
    finally:
        settings.unlink()
        locked_key_ring.stop_agent()


@pytest.mark.parametrize("content", [b"", b"canary", b"-----BEGIN PGP MESSAGE-----\n\ncanary\n", bytes(range(256))])
def test_says_that_a_file_is_damaged(key_ring: KeyRing, tmp_path: Path, content: bytes) -> None:
    """What is not an encrypted file is called damaged."""
    assert "damaged" in _failure(Gpg(key_ring.environ), _file(tmp_path, content))


def test_refuses_a_file_that_is_not_encrypted(key_ring: KeyRing, tmp_path: Path) -> None:
    """That gpg unpacks a merely packed file does not make it a secret."""
    packed = key_ring.gpg("--store", content=CONTENT)
    assert "not encrypted" in _failure(Gpg(key_ring.environ), _file(tmp_path, packed))


def test_accepts_no_part_of_a_file(key_ring: KeyRing, tmp_path: Path) -> None:
    """A file cut anywhere is refused: gpg itself takes some of them for a success."""
    whole = key_ring.encrypt(CONTENT)
    gpg = Gpg(key_ring.environ)
    for length in range(0, len(whole), 13):
        _failure(gpg, _file(tmp_path, whole[:length]))


def test_accepts_no_changed_file(key_ring: KeyRing, tmp_path: Path) -> None:
    """A bit changed anywhere is noticed, or changes nothing of the content."""
    whole = key_ring.encrypt(CONTENT)
    gpg = Gpg(key_ring.environ)
    for position in range(0, len(whole), 11):
        changed = bytearray(whole)
        changed[position] ^= 1
        try:
            assert gpg.decrypt(_file(tmp_path, bytes(changed))) == CONTENT
        except GpgError:
            continue


def test_refuses_a_file_that_expands(key_ring: KeyRing, tmp_path: Path) -> None:
    """A small file with a large content is refused, not unpacked."""
    path = _file(tmp_path, key_ring.encrypt(bytes(LARGEST_CONTENT * 20)))
    assert path.stat().st_size < LARGEST_CONTENT
    assert "larger than" in _failure(Gpg(key_ring.environ), path)


def test_kills_gpg_and_all_it_started(tmp_path: Path) -> None:
    """After the time limit neither gpg nor a child of it, which holds the pipes, is left."""
    gpg = _fake_gpg(tmp_path, f"sleep 600 & echo $! > {tmp_path}/child; echo canary; wait", 2.0)
    assert "did not end within 2 s" in _failure(gpg, tmp_path / "secret")
    child = int((tmp_path / "child").read_text())
    assert _ends(child)


def test_waits_for_nobody_who_holds_the_pipes(tmp_path: Path) -> None:
    """A process that gpg has started and that left its group is not waited for."""
    gpg = _fake_gpg(tmp_path, f"setsid sleep 600 & echo $! > {tmp_path}/child; wait", 1.0)
    started = time.monotonic()
    try:
        assert "did not end within 1 s" in _failure(gpg, tmp_path / "secret")
        assert time.monotonic() - started < 60
    finally:
        os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


def _ends(pid: int) -> bool:
    """Whether a process that was killed is gone, or only waits to be reaped; the kernel may take a moment."""
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        ps = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
        if ps.stdout.strip()[:1] in ("", "Z"):
            return True
        time.sleep(0.01)
    return False


def test_gpg_gets_no_input_and_no_tokens(tmp_path: Path) -> None:
    """Standard input is at its end, and the environment holds none of the worker's secrets."""
    gpg = _fake_gpg(tmp_path, f"cat > {tmp_path}/input; env > {tmp_path}/environ; exit 3")
    assert "exit status 3" in _failure(gpg, tmp_path / "secret")
    assert (tmp_path / "input").read_bytes() == b""
    assert "canary" not in (tmp_path / "environ").read_text()


def test_an_interruption_leaves_no_process(tmp_path: Path) -> None:
    """When a signal handler raises while gpg works, gpg is killed on the way out."""
    gpg = _fake_gpg(tmp_path, f"echo $$ > {tmp_path}/child.part; mv {tmp_path}/child.part {tmp_path}/child; sleep 600")

    def interrupt() -> None:
        while not (tmp_path / "child").exists():
            time.sleep(0.01)
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGUSR1)

    def handler(*_: object) -> None:
        raise StoppedError(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(StoppedError):
            gpg.decrypt(tmp_path / "secret")
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    assert _ends(int((tmp_path / "child").read_text()))


def test_a_program_that_cannot_run_is_an_error(tmp_path: Path) -> None:
    """A broken installation is one message, too."""
    gpg = _fake_gpg(tmp_path, "")
    (tmp_path / "bin" / "gpg").write_bytes(b"\x7fELF broken")
    assert "cannot be started" in _failure(gpg, tmp_path / "secret")


def test_a_crash_of_gpg_is_an_error(tmp_path: Path) -> None:
    """A killed gpg is not taken for a damaged file."""
    assert "killed by signal 11" in _failure(_fake_gpg(tmp_path, "kill -SEGV $$"), tmp_path / "secret")


@pytest.mark.parametrize("key", ["DEADBEEFDEADBEEF", "nobody@example.org"])
def test_says_that_it_has_no_such_key(key_ring: KeyRing, key: str) -> None:
    """Encrypting for a key that is not there names the key."""
    with pytest.raises(GpgError, match=key):
        Gpg(key_ring.environ).encrypt(CONTENT, key)


@pytest.mark.parametrize("key", ["--output=/tmp/x", "a\nb"])
def test_a_key_is_no_option(key_ring: KeyRing, key: str) -> None:
    """An id that gpg would take for an option does not reach it."""
    with pytest.raises(GpgError, match="not the id of a GPG key"):
        Gpg(key_ring.environ).encrypt(CONTENT, key)


def test_an_empty_ring_has_no_keys(empty_key_ring: KeyRing) -> None:
    """A ring without keys is not a failure."""
    assert Gpg(empty_key_ring.environ).secret_keys() == []


def test_shows_no_environment() -> None:
    """The environment, which holds secrets, is not in the repr."""
    assert "canary" not in repr(Gpg({"TOKEN": "canary"}))


def test_says_how_gpg_failed(tmp_path: Path) -> None:
    """Where the reason is unknown the exit status is named, and nothing that gpg wrote."""
    gpg = _fake_gpg(tmp_path, "echo canary >&2; exit 2")
    with pytest.raises(GpgError, match=r"^gpg could not encrypt \(exit status 2\)$"):
        gpg.encrypt(CONTENT, "A1")
    with pytest.raises(GpgError, match=r"^gpg could not list its keys \(exit status 2\)$"):
        gpg.secret_keys()


def test_what_gpg_says_is_not_logged(
    key_ring: KeyRing, other_key_ring: KeyRing, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither its status lines, with the names of keys, nor what it decrypts, however much is logged."""
    caplog.set_level(logging.DEBUG)
    assert Gpg(key_ring.environ).decrypt(_file(tmp_path, key_ring.encrypt(CONTENT))) == CONTENT
    _failure(Gpg(key_ring.environ), _file(tmp_path, other_key_ring.encrypt(CONTENT)))
    assert [record.getMessage() for record in caplog.records if record.name == "gnupg"] == []


def test_decrypts_what_the_usual_library_encrypted(key_ring: KeyRing, tmp_path: Path) -> None:
    """The published command writes secrets with python-gnupg."""
    theirs = gnupg.GPG(env=dict(key_ring.environ))
    encrypted = theirs.encrypt(CONTENT, Gpg(key_ring.environ).secret_keys(), always_trust=True)

    assert (encrypted.ok, Gpg(key_ring.environ).decrypt(_file(tmp_path, encrypted.data))) == (True, CONTENT)


def test_the_usual_library_decrypts_what_it_encrypted(key_ring: KeyRing, tmp_path: Path) -> None:
    """The published worker reads secrets with python-gnupg."""
    [key] = Gpg(key_ring.environ).secret_keys()
    path = _file(tmp_path, Gpg(key_ring.environ).encrypt(CONTENT, key))

    assert gnupg.GPG(env=dict(key_ring.environ)).decrypt_file(str(path)).data == CONTENT
