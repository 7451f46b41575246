"""Where a run's data lies, and where it works."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from arkworker.settings.platform import Settings
from arkworker.storage.directories import data_directory, ensure_directory, work_directory

HOME = {"HOME": "/somewhere"}


def settings(**values: Any) -> Settings:
    return Settings.model_construct(**values)


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
    """`PONOS_DATA`, else the user's data directory, whose relative variable is no valid one."""
    given = settings(**values)

    assert (data_directory(given, HOME), work_directory(given, HOME)) == (Path(data), Path(work))


def test_relative_directory_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """User code, and a process that it starts, may go elsewhere."""
    monkeypatch.chdir(tmp_path)

    assert work_directory(settings(data_dir="ponos"), HOME) == tmp_path / "ponos" / "current"


def test_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user has no name."""

    def fail() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", fail)

    assert work_directory(settings(), {}) == Path("/.local/share/arkindex")


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
