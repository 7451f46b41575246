"""The examples of the README run, and print what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documents import Document, is_shown, run, steps

ROOT = Path(__file__).parents[1]
README = Document(ROOT / "README.md")


@pytest.mark.parametrize("session", README.sessions, ids=lambda session: session.split("\n")[0].removeprefix("$ "))
def test_a_session_prints_what_the_readme_shows(session: str, tmp_path: Path) -> None:
    """A session of the README, run in a folder with its files."""
    README.write_files(tmp_path)
    (tmp_path / "pages").symlink_to(ROOT / "examples/page_lines/pages")

    for command, shown in steps(session):
        printed = run(command, tmp_path)

        assert is_shown(printed, shown), printed


def test_the_readme_has_files_and_sessions() -> None:
    """The blocks above were found: a change of their form does not turn the tests off."""
    assert (set(README.files), len(README.sessions)) == (
        {"page_lines.py", "frames.py", "worker.yml", "mistaken.yml"},
        5,
    )


def test_links_lead_somewhere() -> None:
    """Each relative link of the documents at the root names a file that is there."""
    documents = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    links = [link for path in documents for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))]

    assert [link for link in links if not (ROOT / link).exists()] == []


def test_exit_codes_are_those_of_the_code() -> None:
    """The table of exit codes has each of them, and no other."""
    from arkworker import ExitCode

    documented = {
        int(number) for number in re.findall(r"^\| (\d+) \|", README.path.read_text(encoding="utf-8"), re.MULTILINE)
    }

    assert documented == {int(code) for code in ExitCode}
