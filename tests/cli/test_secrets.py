"""The verb `secrets`, with real GPG and a throwaway key."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from arkworker.cli import invoke

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Result


@pytest.fixture(scope="module")
def gnupg_home() -> Iterator[str]:
    """A key ring with one key."""
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    # Not below tmp_path: the agent's socket must have a short name.
    with tempfile.TemporaryDirectory(prefix="ark-", dir="/tmp") as home:
        environ = {"PATH": os.environ["PATH"], "GNUPGHOME": home, "HOME": home}
        command = ["gpg", "--batch", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""]
        owner = ["--quick-generate-key", "Ada <ada@example.org>", "future-default", "default", "never"]
        subprocess.run([*command, *owner], env=environ, capture_output=True, check=True)
        yield home
        subprocess.run(["gpgconf", "--kill", "all"], env=environ, capture_output=True, check=True)


class Terminal(io.StringIO):
    """A person sits there."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def secrets(command: Callable[..., Result], gnupg_home: str, tmp_path: Path) -> Callable[..., Result]:
    """Runs the verb, with a content on standard input."""

    def run(*argv: str, content: bytes = b"") -> Result:
        variables = {"GNUPGHOME": gnupg_home, "XDG_CONFIG_HOME": str(tmp_path / "config")}
        return command("secrets", *argv, stdin=content, **variables)

    return run


WORKER = """
from arkworker import Secret, UserConfiguration, Worker

class C(UserConfiguration):
    token: Secret[str]

class W(Worker[C]):
    def run(self, context, cache):
        print(repr(context.config.token.get_secret_value()))
"""


def test_secret_that_was_set_reaches_a_worker(
    secrets: Callable[..., Result],
    command: Callable[..., Result],
    write_worker: Callable[[str], str],
    gnupg_home: str,
    tmp_path: Path,
) -> None:
    """Stored, listed, loaded; a last line break is not part of it."""
    stored = secrets("set", "team/token", content=b"canary\n")
    listed = secrets("list")

    run = command(
        "run",
        write_worker(WORKER),
        "--config.token",
        "team/token",
        GNUPGHOME=gnupg_home,
        XDG_CONFIG_HOME=str(tmp_path / "config"),
    )

    file = tmp_path / "config/arkindex/secrets/team/token"
    assert (stored.code, stored.out) == (0, f"team/token: stored, encrypted, in {file}\n")
    assert (listed.code, listed.out) == (0, "team/token\n")
    assert (run.code, run.out) == (0, "'canary'\n")
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)


def test_json(secrets: Callable[..., Result]) -> None:
    """Answers as data."""
    stored = secrets("set", "a", "--json", content=b"canary").data
    listed = secrets("list", "--json").data

    assert (stored["name"], Path(stored["path"]).name, listed) == ("a", "a", {"secrets": ["a"]})


def test_nothing_is_listed_where_nothing_is(secrets: Callable[..., Result]) -> None:
    """No directory, no secrets."""
    result = secrets("list")

    assert (result.code, result.out) == (0, "")


def test_a_content_as_an_argument(secrets: Callable[..., Result]) -> None:
    """It says where that belongs."""
    told = "arkworker: unexpected argument; the content of a secret is read from standard input\n"
    assert secrets("set", "x", "canary").err == told


@pytest.mark.parametrize(
    ("argv", "content", "code"),
    [
        (("set", "../token"), b"canary", 78),
        (("set", "/token"), b"canary", 78),
        (("set", "a\nb"), b"canary", 78),
        (("set", "x.json"), b"{canary", 78),
        (("set", "x"), b"\xff\xfecanary", 78),
        (("set", "x"), b"canary" * 200_000, 78),
        (("set", "x", "--gpg-key", "nobody@example.org"), b"canary", 78),
        (("set", "x"), b"", 2),
        (("set", "x"), b"\n", 2),
        (("set",), b"canary", 2),
        (("set", "x", "canary"), b"", 2),
        ((), b"canary", 2),
        (("get", "x"), b"canary", 2),
    ],
)
def test_refusals_are_one_line_without_the_content(
    argv: tuple[str, ...], content: bytes, code: int, secrets: Callable[..., Result], tmp_path: Path
) -> None:
    """What cannot be stored is said, and nothing is left behind."""
    result = secrets(*argv, content=content)

    assert (result.code, result.out, len(result.err.splitlines()), "canary" in result.err) == (code, "", 1, False)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and "secrets" in path.parts] == []


def test_content_is_asked_for_on_a_terminal(
    gnupg_home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And not shown while it is typed."""
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "canary"

    monkeypatch.setattr("getpass.getpass", answer)
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setenv("GNUPGHOME", gnupg_home)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    code = invoke(["secrets", "set", "x"])

    assert (code, asked, "canary" in capsys.readouterr().out) == (0, ["Content of x: "], False)
