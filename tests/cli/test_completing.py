"""`arkworker completion`: what a shell offers after a part of a command line."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

WORKER = """
from typing import Literal
from arkworker import ElementsWorker, UserConfiguration

class C(UserConfiguration):
    threshold: float = 0.5
    kind: Literal["page", "line", "$(touch harm)", "`touch harm`", 'a "b'] = "page"
    '''What to look for: `touch harm`, $(touch harm), it's "here" [env: x]; 100 %.'''
    odd: str = "$(touch harm) `touch harm` '"

class W(ElementsWorker[C]):
    def process_element(self, element, context, cache):
        return []
"""
ASK = """
source ./script
COMP_WORDS=({words})
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_shtab_arkworker
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def script(tmp_path: Path, process: Callable[..., Result]) -> Callable[..., Path]:
    """Writes the script of a shell."""
    (tmp_path / "w.py").write_text(WORKER)

    def write(shell: str, *target: str) -> Path:
        result = process("completion", shell, *target)
        assert result.code == 0, result.err
        (tmp_path / "script").write_text(result.out)
        return tmp_path

    return write


def ask(folder: Path, shell: str, code: str) -> list[str]:
    """The lines that a shell writes, without a person's own settings; nothing on standard error."""
    plain = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *plain, "-c", code],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return sorted(filter(None, done.stdout.split("\n")))


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("arkworker ex", ["explain"]),
        ("arkworker run w.py:W --config.th", ["--config.threshold"]),
        ("arkworker check w.py:W --config.kind ''", ["line", "page"]),
        ("arkworker run w.py:W --log-format j", ["json"]),
        ("arkworker run w.p", ["w.py"]),
        ("arkworker schema w.py:W --form", ["--format"]),
        ("arkworker secrets ''", ["list", "set"]),
        ("arkworker completion ''", ["bash", "fish", "zsh"]),
    ],
)
def test_bash(script: Callable[..., Path], words: str, offered: list[str]) -> None:
    """Verbs, flags of the verb and of TARGET, choices, files."""
    assert ask(script("bash", "w.py:W"), "bash", ASK.format(words=words)) == offered


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish(script: Callable[..., Path]) -> None:
    """The same, each with its help."""
    code = 'source ./script; complete -C "arkworker run w.py:W --config.th"; complete -C "arkworker expl"'
    assert [line.split("\t")[0] for line in ask(script("fish", "w.py:W"), "fish", code)] == [
        "--config.threshold",
        "explain",
    ]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh(script: Callable[..., Path]) -> None:
    """What it would offer is in an array of flags of the verb."""
    code = (
        'autoload -U compinit && compinit -D -u; eval "$(cat script)"; '
        "print -rl -- ${(M)_shtab_arkworker_run_options:#--config.threshold*}"
    )
    (found,) = ask(script("zsh", "w.py:W"), "zsh", code)
    assert found.startswith("--config.threshold[")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_help_of_a_worker_is_no_code(script: Callable[..., Path], shell: str) -> None:
    """What an author wrote is shown, never run."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    folder = script(shell, "w.py:W")
    ready = {"zsh": "autoload -U compinit && compinit -D -u; "}.get(shell, "")
    ask(folder, shell, f'{ready}eval "$(cat script)"' if shell == "zsh" else "source ./script")
    assert not (folder / "harm").exists()


def test_without_a_target(script: Callable[..., Path]) -> None:
    """What all workers know."""
    folder = script("bash")
    assert ask(folder, "bash", ASK.format(words="arkworker run w.py:W --no-elem")) == ["--no-elements-list"]


def test_without_shtab(process: Callable[..., Result]) -> None:
    """One line names the extra, and help needs nothing."""
    without = "import sys; sys.modules['shtab'] = None"
    asked, helped = process("completion", "bash", before=without), process("completion", "--help", before=without)
    assert (asked.code, asked.err.strip().splitlines()[-1]) == (
        2,
        "arkworker: completion needs shtab: pip install 'arkworker[completion]'",
    )
    assert (helped.code, "usage: arkworker completion" in helped.out) == (0, True)


@pytest.mark.parametrize("argv", [("tcsh",), (), ("bash", "nowhere.py:W"), ("bash", "w.py:W", "more")])
def test_mistakes(process: Callable[..., Result], argv: tuple[str, ...]) -> None:
    """Another shell, none, no such worker, an argument too many."""
    result = process("completion", *argv)
    assert (result.code, result.out, "Traceback" in result.err) == (2, "", False)
