"""The verb `import`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

DECLARATION = "slug: s\ndisplay_name: S\ntype: t\ndescription: d\ndocker: {shm_size: 8G}\n"


def test_the_code_is_written(command: Callable[..., Result], tmp_path: Path) -> None:
    """To standard output; what was changed is told beside it."""
    (tmp_path / "s.yml").write_text(DECLARATION)
    result = command("import", str(tmp_path / "s.yml"))
    note = "arkworker: docker.shm_size: Arkindex refuses it as it is; 8g is used instead\n"
    assert (result.code, result.err) == (0, note)
    assert "class S(ElementsWorker[SConfiguration]):\n" in result.out


def test_what_was_imported_agrees_with_its_declaration(command: Callable[..., Result], tmp_path: Path) -> None:
    """Import, then check."""
    (tmp_path / "s.yml").write_text(DECLARATION.replace("8G", "8g"))
    path = tmp_path / "worker_imported.py"
    assert command("import", str(tmp_path / "s.yml"), "--output", str(path)).code == 0
    result = command("schema", f"{path}:S", "--check", str(tmp_path / "s.yml"))
    assert (result.code, result.out) == (0, "")


def test_no_code_is_overwritten(command: Callable[..., Result], tmp_path: Path) -> None:
    """A file that exists is somebody's work."""
    (tmp_path / "s.yml").write_text(DECLARATION)
    (tmp_path / "worker.py").write_text("mine")
    result = command("import", str(tmp_path / "s.yml"), "--output", str(tmp_path / "worker.py"))
    assert (result.code, (tmp_path / "worker.py").read_text()) == (2, "mine")
    assert "exists" in result.err


@pytest.mark.parametrize("name", ["arkworker.py", "typing.py", "sqlalchemy.py"])
def test_no_module_is_hidden(name: str, command: Callable[..., Result], tmp_path: Path) -> None:
    """A module beside the work that has the name of one that it imports would be imported in its place."""
    (tmp_path / "s.yml").write_text(DECLARATION)
    result = command("import", str(tmp_path / "s.yml"), "--output", str(tmp_path / name))
    assert (result.code, (tmp_path / name).exists(), "would hide" in result.err) == (2, False, True)


def test_a_file_that_is_absent(command: Callable[..., Result], tmp_path: Path) -> None:
    """It must be corrected, as for every verb."""
    result = command("import", str(tmp_path / "s.yml"))
    assert (result.code, str(tmp_path / "s.yml") in result.err, "no such file" in result.err) == (78, True, True)


def test_a_file_that_is_not_text(command: Callable[..., Result], tmp_path: Path) -> None:
    """The message names the place in it."""
    (tmp_path / "s.yml").write_bytes(b"slug: s\ntype: \xff\n")
    result = command("import", str(tmp_path / "s.yml"))
    assert (result.code, f"{tmp_path / 's.yml'}:2:7\n" in result.err) == (78, True)


def test_a_file_that_is_no_declaration(command: Callable[..., Result], tmp_path: Path) -> None:
    """All its problems, with their places."""
    (tmp_path / "s.yml").write_text("slug: s\n")
    result = command("import", str(tmp_path / "s.yml"), "--output", str(tmp_path / "worker.py"))
    assert (result.code, (tmp_path / "worker.py").exists()) == (78, False)
    assert "display_name" in result.err
