"""The verb `schema`: written, shown, compared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

WORKER = """
from pydantic import Field
from arkworker import UserConfiguration, Worker

class C(UserConfiguration):
    count: int = Field(1, description="How many.")

class W(Worker[C]):
    \"\"\"Counts.\"\"\"
    def run(self, context, cache): ...
"""


def test_schema_is_shown(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """Standard output is the schema alone: options, and what a file may hold besides."""
    result = command("schema", write_worker(WORKER))

    assert (result.data["description"], result.err) == ("Counts.", "")
    assert list(result.data["properties"]) == ["count", "debug", "extras_dir", "secrets"]


def test_markdown_is_shown(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """As documentation."""
    result = command("schema", write_worker(WORKER), "--format", "markdown")

    assert "### `count`\n\nHow many.\n" in result.out


def test_levels_of_headings(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """Each is one below that of what it lies in."""
    grouped = WORKER.replace("class W", "class G(UserConfiguration):\n    inner: C = C(count=1)\n\nclass W")
    result = command("schema", write_worker(grouped.replace("Worker[C]", "Worker[G]")), "--format", "markdown")

    assert [line for line in result.out.splitlines() if line.startswith("#")] == [
        "# W",
        "## Configuration",
        "### inner",
        "#### `inner.count`",
    ]


@pytest.mark.parametrize("flags", [(), ("--format", "markdown")])
def test_written_file_is_up_to_date(
    flags: tuple[str, ...], command: Callable[..., Result], write_worker: Callable[[str], str], tmp_path: Path
) -> None:
    """What `--output` writes, `--check` accepts."""
    target, file = write_worker(WORKER), str(tmp_path / "made.txt")

    results = [command("schema", target, *flags, flag, file) for flag in ("--output", "--check")]

    assert [(result.code, result.out) for result in results] == [(0, ""), (0, "")]


def test_stale_file_is_1_with_the_difference(
    command: Callable[..., Result], write_worker: Callable[[str], str], tmp_path: Path
) -> None:
    """What has changed is shown."""
    file = tmp_path / "made.json"
    command("schema", write_worker(WORKER), "--output", str(file))

    result = command("schema", write_worker(WORKER.replace("int = Field(1", "int = Field(2")), "--check", str(file))

    lines = [line.strip() for line in result.out.splitlines() if line.startswith(("- ", "+ "))]
    assert (result.code, lines) == (1, ['-      "default": 1,', '+      "default": 2,'])


def test_check_as_json(command: Callable[..., Result], write_worker: Callable[[str], str], tmp_path: Path) -> None:
    """It is a problem of the file, or none: no difference for people to read."""
    file, target = tmp_path / "made.json", write_worker(WORKER)
    command("schema", target, "--output", str(file))
    same = command("schema", target, "--check", str(file), "--json")
    file.write_text("{}")
    stale = command("schema", target, "--check", str(file), "--json")

    assert [(done.code, done.err) for done in (same, stale)] == [(0, ""), (1, "")]
    assert same.data["problems"] == []
    assert [problem["location"] for problem in stale.data["problems"]] == [str(file)]


def test_absent_file_is_78_and_says_what_to_do(
    command: Callable[..., Result], write_worker: Callable[[str], str], tmp_path: Path
) -> None:
    """A file that was never written is a missing file, as for every verb."""
    result = command("schema", write_worker(WORKER), "--check", str(tmp_path / "absent.json"))

    assert (result.code, result.err) == (
        78,
        f"arkworker: {tmp_path / 'absent.json'}: no such file; write it with --output\n",
    )


def test_a_file_that_is_not_text_is_named_with_the_place(
    command: Callable[..., Result], write_worker: Callable[[str], str], tmp_path: Path
) -> None:
    """So that what is wrong in it can be found."""
    (tmp_path / "made.json").write_bytes(b"{\n \xff}")
    result = command("schema", write_worker(WORKER), "--check", str(tmp_path / "made.json"))

    assert (result.code, result.err.startswith(f"arkworker: {tmp_path / 'made.json'}:2:2: ")) == (78, True)


@pytest.mark.parametrize("name", ["", "/dev/null/x.json", ".", "x" * 300])
def test_output_that_cannot_be_written(
    name: str, command: Callable[..., Result], write_worker: Callable[[str], str], tmp_path: Path
) -> None:
    """One line, and nothing half-written."""
    target = write_worker(WORKER)
    command("schema", target)  # Python itself may leave a __pycache__
    before = sorted(tmp_path.iterdir())

    result = command("schema", target, "--output", f"{tmp_path / name}/" if name == "." else name)

    assert (result.code, len(result.err.splitlines())) == (2, 1)
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_that_is_absent_is_made(
    command: Callable[..., Result], write_worker: Callable[[str], str], tmp_path: Path
) -> None:
    """Editors want their schemas in a folder."""
    target = write_worker(WORKER)

    result = command("schema", target, "--output", str(tmp_path / "schemas" / "deep" / "worker.json"))

    assert (result.code, result.err) == (0, "")
    assert (tmp_path / "schemas" / "deep" / "worker.json").read_text() == command("schema", target).out


def test_worker_without_configuration(command: Callable[..., Result], write_worker: Callable[[str], str]) -> None:
    """It takes any mapping."""
    source = "from arkworker import Worker\nclass W(Worker):\n    def run(self, context, cache): ..."

    schema = json.loads(command("schema", write_worker(source)).out)

    assert (schema["type"], "additionalProperties" in schema) == ("object", False)
