"""The verb `validate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

VALID = "slug: lines\ndisplay_name: Lines\ntype: recognizer\ndescription: Finds lines.\n"
INVALID = "slug: text lines\ndisplay_name: Lines\ntype: recognizer\ndescription: Finds lines.\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with an empty folder of declarations."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "arkindex").mkdir()
    return tmp_path / "arkindex"


def test_valid_file(command: Callable[..., Result], folder: Path) -> None:
    """It is said to be valid."""
    (folder / "a.yml").write_text(VALID)

    result = command("validate", "arkindex/a.yml")

    assert (result.code, result.out, result.err) == (0, "arkindex/a.yml: valid\n", "")


def test_invalid_file_is_1_with_place_and_remedy(command: Callable[..., Result], folder: Path) -> None:
    """In the form of all reports."""
    (folder / "a.yml").write_text(INVALID)

    result = command("validate", "arkindex/a.yml")

    assert result.code == 1
    assert result.out == (
        "arkworker: 1 problem in arkindex/a.yml\n"
        "\n"
        "  slug  arkindex/a.yml:1:7\n"
        "    should be 1 to 100 letters without accents, digits, - and _\n"
        "      1 │ slug: text lines\n"
        "        │       ^\n"
        "    replace everything else with -\n"
        "\n"
    )


@pytest.mark.parametrize("argv", [(), ("arkindex",), ("arkindex/a.yml", "arkindex/b.yaml", "arkindex")])
def test_folder_stands_for_its_files(argv: tuple[str, ...], command: Callable[..., Result], folder: Path) -> None:
    """The one of Arkindex by default, each file once; what is not a YAML file is left alone."""
    (folder / "a.yml").write_text(VALID)
    (folder / "b.yaml").write_text(VALID)
    (folder / "README.md").write_text("no declaration")

    result = command("validate", *argv)

    assert (result.code, result.out) == (0, "arkindex/a.yml: valid\narkindex/b.yaml: valid\n")


@pytest.mark.parametrize("flags", [("--format", "json"), ("--json",), ("--format=json",)])
def test_json(flags: tuple[str, ...], command: Callable[..., Result], folder: Path) -> None:
    """One object a file."""
    (folder / "a.yml").write_text(VALID)
    (folder / "b.yml").write_text(INVALID)

    result = command("validate", "arkindex", *flags)

    files = result.data["files"]
    assert (result.code, [(file["file"], file["valid"]) for file in files]) == (
        1,
        [("arkindex/a.yml", True), ("arkindex/b.yml", False)],
    )
    assert sorted(files[1]["problems"][0]) == ["hint", "location", "message", "path", "source"]


@pytest.mark.parametrize("name", ["absent.yml", "\x1b[31m.yml"])
def test_file_that_cannot_be_read_is_a_problem(name: str, command: Callable[..., Result], folder: Path) -> None:
    """The others are examined all the same."""
    (folder / "a.yml").write_text(VALID)

    result = command("validate", name, "arkindex/a.yml")

    assert (result.code, "arkindex/a.yml: valid" in result.out, "\x1b" in result.out) == (78, True, False)
    assert "no such file" in result.out


@pytest.mark.parametrize("name", ["x" * 300, "arkindex/loop", "arkindex/loop/a"])
def test_a_name_that_no_file_can_have_is_a_problem(name: str, command: Callable[..., Result], folder: Path) -> None:
    """Too long, or a link that leads to itself."""
    (folder / "loop").symlink_to("loop")

    result = command("validate", name)

    assert (result.code, "cannot be read" in result.out, result.err) == (78, True, "")


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"\0", b"[" * 100_000, b"a: &a [*a]\n", b"!!python/object:os.system x"]
)
def test_hostile_file(content: bytes, command: Callable[..., Result], folder: Path) -> None:
    """A problem like any other."""
    (folder / "a.yml").write_bytes(content)

    result = command("validate", "arkindex/a.yml")

    assert (result.code, result.err) == (1, "")


def test_no_files(command: Callable[..., Result], folder: Path) -> None:
    """An empty folder and a missing one are mistakes of the person who asked."""
    empty = command("validate")
    folder.rmdir()
    absent = command("validate")

    assert (empty.code, absent.code) == (78, 78)
    assert "no declaration file (*.yml) in this folder" in empty.err
    assert "there is no such folder here" in absent.err
