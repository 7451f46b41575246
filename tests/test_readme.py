"""The examples of the README run, and print what it shows."""

from __future__ import annotations

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
        {"frames.py", "mistaken.yml"},
        4,
    )


def test_the_readme_is_short() -> None:
    """It is an entrance: what is longer stands in docs."""
    assert len(README.path.read_text(encoding="utf-8").splitlines()) <= 120
