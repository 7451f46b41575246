from __future__ import annotations

from pathlib import Path

import pytest

from arkworker.errors import SecretError
from arkworker.storage.secrets import check_secret_name, secrets_directory
from arkworker.storage.secrets.names import expand_home


@pytest.mark.parametrize("name", ["token", "bucket.json", "team/bucket.yml", "été", "a b", "..a", "a..b", "x" * 255])
def test_accepts_names(name: str) -> None:
    """Names are free text; slashes lead into subdirectories."""
    check_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "/", "/etc/passwd", "../token", "a/../b", "a/..", "..", ".", "a/./b", "a//b", "a/", "x" * 256),
        *("a\nb", "a\0b", "\x1b[31m", "a\u2028b", "a\x85b", "\udcff"),
    ],
)
def test_refuses_what_is_no_name(name: str) -> None:
    """A name neither leaves the directory nor breaks a line."""
    with pytest.raises(SecretError) as caught:
        check_secret_name(name)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("content", ["-----BEGIN KEY-----\ncanary", "canary" * 50])
def test_does_not_repeat_what_looks_like_a_content(content: str) -> None:
    """A secret put where its name belongs stays out of the message."""
    with pytest.raises(SecretError) as caught:
        check_secret_name(content)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HOME": "/srv/ada"}, "/srv/ada/.config/arkindex/secrets"),
        ({"HOME": "/srv/ada", "XDG_CONFIG_HOME": ""}, "/srv/ada/.config/arkindex/secrets"),
        ({"HOME": "/srv/ada", "XDG_CONFIG_HOME": "/etc/xdg"}, "/etc/xdg/arkindex/secrets"),
        ({"HOME": "/srv/ada", "XDG_CONFIG_HOME": "~/settings"}, "/srv/ada/settings/arkindex/secrets"),
    ],
)
def test_finds_the_directory(environ: dict[str, str], expected: str) -> None:
    """The directory is that of the published tools; an empty variable is an absent one."""
    assert secrets_directory(environ) == Path(expected)


def test_finds_a_directory_for_a_user_without_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run under a number that is nobody's: that is no error."""
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError))
    assert secrets_directory({}) == Path("/.config/arkindex/secrets")


def test_leaves_other_tildes_alone() -> None:
    """Only `~/` at the beginning is the home directory."""
    assert expand_home("a/~/b", {"HOME": "/srv/ada"}) == Path("a/~/b")
