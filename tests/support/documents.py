"""Documents whose files and sessions are run: what a session prints must be what the document shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE_KINDS = ("python", "yaml", "toml", "text")
# The log of a worker: it begins with the time.
LOG = re.compile(r"^\d{4}-\d\d-\d\d .*\n", re.MULTILINE)


@dataclass(frozen=True)
class Document:
    """A page in Markdown.

    A block of a file begins with a comment that is the name of the file. A block `console` is a session: each line
    that begins with `$ ` is a command, and what stands below it is what it prints, where `…` is any text.
    """

    path: Path

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """The kind and the text of each fenced block, in their order."""
        return re.findall(r"^```(\w+)\n(.*?)^```$", self.path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)

    @property
    def files(self) -> dict[str, str]:
        """What is written into which file, its name included: people copy the whole block, and count lines in that."""
        named = [(re.match(r"# ([\w./-]+\.\w+)\n", text), text) for kind, text in self.blocks if kind in FILE_KINDS]
        return {match[1]: text for match, text in named if match}

    @property
    def sessions(self) -> list[str]:
        return [text for kind, text in self.blocks if kind == "console"]

    def write_files(self, folder: Path) -> None:
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def steps(session: str) -> list[tuple[str, str]]:
    """The commands of a session and what each is said to print; a command goes on after a backslash."""
    found = re.split(r"^\$ ((?:[^\n]*\\\n)*[^\n]*)\n", session, flags=re.MULTILINE)
    return list(zip(found[1::2], found[2::2], strict=True))


def run(command: str, folder: Path) -> str:
    """What a command prints, without the log."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "PONOS_DATA": "data"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    return LOG.sub("", done.stdout)


def squeeze(text: str) -> str:
    """Tables are wider or narrower with what they hold, elsewhere; the words count."""
    return "\n".join(re.sub(r"(?<=\S) {2,}", "  ", line).rstrip() for line in text.strip().splitlines())


def is_shown(printed: str, shown: str) -> bool:
    """Whether a command printed what a document shows."""
    pattern = ".*".join(re.escape(part) for part in squeeze(shown).split("…"))
    return re.fullmatch(pattern, squeeze(printed), re.DOTALL) is not None
