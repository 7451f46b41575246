from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
import yaml

from arkworker.storage.local_secrets.gpg import Gpg, GpgError, choose_key, record_key, recorded_key

if TYPE_CHECKING:
    from pathlib import Path

    from gpg_stores import KeyRing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cli.yaml"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gpg_key: 1C9883A623B169E9", "1C9883A623B169E9"),
        ("gpg_key: 0123456789012345", "0123456789012345"),
        ("gpg_key: '12E4'", "12E4"),
        ("gpg_key: null\nhosts: {}", None),
        ("gpg_key:", None),
        ("hosts: {}", None),
        ("", None),
    ],
)
def test_reads_the_recorded_key(path: Path, text: str, expected: str | None) -> None:
    """The id is read as written, also when YAML would take it for a number."""
    path.write_text(text)
    assert recorded_key(path) == expected


def test_there_need_be_no_file(path: Path) -> None:
    """Without the file no key is recorded."""
    assert recorded_key(path) is None


def test_the_only_key_needs_no_record(path: Path, key_ring: KeyRing) -> None:
    """With one key in the ring there is nothing to choose, and nothing is written."""
    gpg = Gpg(key_ring.environ)
    assert [choose_key(gpg, path)] == gpg.secret_keys()
    assert not path.exists()


def test_no_key_is_an_error_that_says_how_to_make_one(path: Path, empty_key_ring: KeyRing) -> None:
    """An empty ring leads to the command that fills it."""
    with pytest.raises(GpgError, match="--quick-generate-key"):
        choose_key(Gpg(empty_key_ring.environ), path)


def test_several_keys_need_a_choice(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the keys and the place to write one of them."""
    monkeypatch.setattr(Gpg, "secret_keys", lambda _: ["A1", "B2"])
    with pytest.raises(GpgError, match=r"A1, B2.*cli\.yaml"):
        choose_key(Gpg({}), path)


def test_recording_keeps_what_the_arkindex_command_wrote(path: Path) -> None:
    """Hosts and tokens stay, and the file becomes private."""
    path.write_text("default_host: demo\ngpg_key: null\nhosts:\n  demo: {url: https://x.org, token: abc}\n")
    record_key(path, "A1")
    assert yaml.safe_load(path.read_text()) == {
        "default_host": "demo",
        "gpg_key": "A1",
        "hosts": {"demo": {"url": "https://x.org", "token": "abc"}},
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_recording_keeps_a_link(path: Path, tmp_path: Path) -> None:
    """Settings kept elsewhere are written there."""
    elsewhere = tmp_path / "settings.yaml"
    elsewhere.write_text("hosts: {}\n")
    path.symlink_to(elsewhere)
    record_key(path, "A1")
    assert path.is_symlink()
    assert recorded_key(elsewhere) == "A1"


@pytest.mark.parametrize("text", ["- canary\n", "gpg_key: [canary\n", "canary", "canary: 99999999999999999999\n"])
def test_recording_destroys_nothing(path: Path, text: str) -> None:
    """A file that is something else is left alone, and not shown."""
    path.write_text(text)
    with pytest.raises(GpgError) as caught:
        record_key(path, "A1")
    assert "canary" not in str(caught.value)
    assert path.read_text() == text


def test_a_pipe_is_no_settings_file(path: Path) -> None:
    """Nothing waits for a pipe."""
    os.mkfifo(path)
    with pytest.raises(GpgError, match="cannot be read"):
        recorded_key(path)


def test_the_recorded_key_goes_before_the_ring(path: Path) -> None:
    """Once a key was chosen, gpg is not asked what there is."""
    path.write_text("gpg_key: A1\n")
    assert choose_key(Gpg({}), path) == "A1"


def test_recording_on_a_full_disk_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is as it was."""
    path.write_text("hosts: {}\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(GpgError, match=r"cli\.yaml cannot be written: No space left on device"):
        record_key(path, "A1")
    assert path.read_text() == "hosts: {}\n"
