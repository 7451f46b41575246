"""Where a run's data lies, and where it works."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from arkworker.storage.directories import (
    data_directory,
    ensure_directory,
    expand_home,
    make_private_directory,
    secrets_directory,
    work_directory,
)

HOME = {"HOME": "/somewhere"}


@pytest.mark.parametrize(
    ("values", "data", "work"),
    [
        ({}, "/data", "/somewhere/.local/share/arkindex"),
        ({"data_dir": "/ponos"}, "/ponos", "/ponos/current"),
        ({"data_dir": "~/ponos"}, "/somewhere/ponos", "/somewhere/ponos/current"),
        ({"data_dir": "/ponos", "xdg_data_home": "/xdg"}, "/ponos", "/ponos/current"),
        ({"xdg_data_home": "/xdg"}, "/data", "/xdg/arkindex"),
        ({"xdg_data_home": "~/xdg"}, "/data", "/somewhere/xdg/arkindex"),
        ({"xdg_data_home": "relative"}, "/data", "/somewhere/.local/share/arkindex"),
    ],
)
def test_directories(values: dict[str, str], data: str, work: str) -> None:
    """`PONOS_DATA`, else the user's data directory; a relative path in its variable is not valid."""
    data_dir = values.get("data_dir")

    found = data_directory(data_dir, HOME), work_directory(data_dir, values.get("xdg_data_home"), HOME)

    assert found == (Path(data), Path(work))


def test_relative_directory_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """User code, and a process that it starts, may go elsewhere."""
    monkeypatch.chdir(tmp_path)

    assert work_directory("ponos", None, HOME) == tmp_path / "ponos" / "current"


def test_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user has no name."""

    def fail() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", fail)

    assert work_directory(None, None, {}) == Path("/.local/share/arkindex")


def test_directory_is_made(tmp_path: Path) -> None:
    """With those above it; a second time nothing is to be done."""
    path = tmp_path / "a" / "b"

    assert (ensure_directory(path), ensure_directory(path), path.is_dir()) == ("", "", True)


def test_file_in_the_way(tmp_path: Path) -> None:
    """The path and the reason."""
    (tmp_path / "file").touch()

    assert ensure_directory(tmp_path / "file") == f"{tmp_path}/file cannot be made: File exists"
    assert ensure_directory(tmp_path / "file" / "x") == f"{tmp_path}/file/x cannot be made: Not a directory"


def test_link_to_nowhere(tmp_path: Path) -> None:
    """It is not followed to make what is not there."""
    (tmp_path / "link").symlink_to(tmp_path / "absent")

    assert ensure_directory(tmp_path / "link") == f"{tmp_path}/link cannot be made: File exists"


@pytest.mark.parametrize("path", ["/proc/arkworker", "/dev/null/x", "/" + "x" * 300])
def test_impossible(path: str) -> None:
    """Where nobody may write."""
    assert ensure_directory(Path(path)).startswith(f"{path[:150]}")
    assert " cannot be made: " in ensure_directory(Path(path))


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is refused to root")
def test_directory_that_may_not_be_written(tmp_path: Path) -> None:
    """Found before user code writes."""
    tmp_path.chmod(0o500)

    assert ensure_directory(tmp_path) == f"{tmp_path} cannot be written"


def test_control_characters(tmp_path: Path) -> None:
    """They do not reach a terminal."""
    (tmp_path / "a\x1b[31m").touch()

    assert "\x1b" not in ensure_directory(tmp_path / "a\x1b[31m")


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        (None, "/somewhere/.config/arkindex/secrets"),
        ("", "/somewhere/.config/arkindex/secrets"),
        ("relative", "/somewhere/.config/arkindex/secrets"),
        ("/etc/xdg", "/etc/xdg/arkindex/secrets"),
        ("~/settings", "/somewhere/settings/arkindex/secrets"),
    ],
)
def test_directory_of_secrets(configured: str | None, expected: str) -> None:
    """That of the published tools; a relative path in its variable is not valid."""
    assert secrets_directory(configured, HOME) == Path(expected)


def test_finds_a_directory_for_a_user_without_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run under a number that belongs to no user: that is not an error."""
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError))
    assert secrets_directory(None, {}) == Path("/.config/arkindex/secrets")


def test_leaves_other_tildes_alone() -> None:
    """Only `~/` at the beginning is the home directory."""
    assert expand_home("a/~/b", {"HOME": "/srv/ada"}) == Path("a/~/b")


@pytest.mark.parametrize("umask", [0, 0o022, 0o277])
def test_private_directories_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    """Those that are made have mode 0700 under any umask."""
    before = os.umask(umask)
    try:
        make_private_directory(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b")] == [0o700, 0o700]


def test_existing_directories_keep_their_mode(tmp_path: Path) -> None:
    """Only what is made is given a mode."""
    (tmp_path / "a").mkdir(mode=0o755)
    make_private_directory(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o755


def test_a_file_where_a_private_directory_belongs_is_an_error(tmp_path: Path) -> None:
    """A file is not replaced by a directory."""
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        make_private_directory(tmp_path / "a" / "b")
