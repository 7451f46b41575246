"""Every page of the documentation that shows sessions prints what it shows, from its first command to its last."""

from __future__ import annotations

from pathlib import Path

import pytest
from documents import Document, is_shown, run, steps

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {str(path.relative_to(DOCS)): Document(path) for path in sorted(DOCS.rglob("*.md"))}


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if page.sessions])
def test_the_sessions_of_a_page_print_what_it_shows(name: str, tmp_path: Path) -> None:
    """One after the other, in a folder that has the files of the page."""
    page = PAGES[name]
    page.write_files(tmp_path)

    for session in page.sessions:
        for command, shown in steps(session):
            printed = run(command, tmp_path)

            assert is_shown(printed, shown), f"$ {command}\n{printed}"


def test_some_pages_have_sessions() -> None:
    """The blocks were found: a change of their form does not turn the test off."""
    assert "tutorial.md" in [name for name, page in PAGES.items() if page.sessions]
