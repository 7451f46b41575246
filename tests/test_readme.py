"""The examples of the README run, and print what it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
FILES = {text.splitlines()[0].removeprefix("# "): text for kind, text in BLOCKS if kind in ("python", "yaml")}
SESSIONS = [text for kind, text in BLOCKS if kind == "console"]


def written(text: str) -> str:
    """A file as the README means it: its first line is its name, which is no part of it."""
    return text.split("\n", maxsplit=1)[1]


def run(command: str, folder: Path) -> str:
    """What a command prints, without the log, whose lines begin with the time."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "PONOS_DATA": "data"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return re.sub(r"^\d{4}-\d\d-\d\d .*\n", "", done.stdout, flags=re.MULTILINE)


def squeeze(text: str) -> str:
    """Tables are wider or narrower with what they hold, elsewhere; the words count."""
    return "\n".join(re.sub(r"(?<=\S) {2,}", "  ", line).rstrip() for line in text.strip().splitlines())


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session.split("\n")[0].removeprefix("$ python -m "))
def test_a_session_prints_what_the_readme_shows(session: str, tmp_path: Path) -> None:
    """A command of the README, run in a folder with its files, prints what stands below it; `…` is any lines."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(written(text), encoding="utf-8")
    (tmp_path / "pages").symlink_to(ROOT / "examples/page_lines/pages")
    command, shown = session.split("\n", maxsplit=1)
    pattern = ".*".join(re.escape(part) for part in squeeze(shown).split("…"))

    assert re.fullmatch(pattern, squeeze(run(command.removeprefix("$ "), tmp_path)), re.DOTALL)


def test_the_readme_has_files_and_sessions() -> None:
    """The blocks above were found: a change of their form does not turn the tests off."""
    assert (set(FILES), len(SESSIONS)) == ({"page_lines.py", "frames.py", "worker.yml", "mistaken.yml"}, 5)


def test_links_lead_somewhere() -> None:
    """Each relative link of the documents at the root names a file that is there."""
    documents = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    links = [link for path in documents for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))]

    assert [link for link in links if not (ROOT / link).exists()] == []


def test_exit_codes_are_those_of_the_code() -> None:
    """The table of exit codes has each of them, and no other."""
    from arkworker import ExitCode

    documented = {int(number) for number in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}

    assert documented == {int(code) for code in ExitCode}
