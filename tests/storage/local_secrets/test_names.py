from __future__ import annotations

import pytest

from arkworker.errors import SecretError
from arkworker.storage.local_secrets import check_secret_name


def refusal_of(name: str) -> str:
    try:
        check_secret_name(name)
    except SecretError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ["token", "bucket.json", "team/bucket.yml", "été", "a b", "..a", "a..b", "x" * 255])
def test_accepts_names(name: str) -> None:
    """Names are free text; slashes lead into subdirectories."""
    assert refusal_of(name) == ""


@pytest.mark.parametrize(
    "name",
    [
        *("", "/", "/etc/passwd", "../token", "a/../b", "a/..", "..", ".", "a/./b", "a//b", "a/", "x" * 256),
        *("a\nb", "a\0b", "\x1b[31m", "a\u2028b", "a\x85b", "\udcff"),
    ],
)
def test_refuses_what_is_no_name(name: str) -> None:
    """A name neither leaves the directory nor breaks a line."""
    refusal = refusal_of(name)

    assert refusal
    assert refusal.isprintable()


@pytest.mark.parametrize("content", ["-----BEGIN KEY-----\ncanary", "canary" * 50])
def test_does_not_repeat_what_looks_like_a_content(content: str) -> None:
    """A secret put where its name belongs stays out of the message."""
    with pytest.raises(SecretError) as caught:
        check_secret_name(content)
    assert "canary" not in str(caught.value)
