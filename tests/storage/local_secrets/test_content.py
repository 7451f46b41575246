from __future__ import annotations

from typing import Any

import pytest

from arkworker.storage.local_secrets.content import UnusableError, parse_content


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("token", '{"a": 1}', '{"a": 1}'),
        ("token.txt", "a: 1", "a: 1"),
        ("a.json/token", "a: 1", "a: 1"),
        ("a.json", '{"a": [1, 2.5, null, "é"]}', {"a": [1, 2.5, None, "é"]}),
        ("a.JSON", '"text"', "text"),
        ("a.json", "\ufeff[]", []),
        ("a.yaml", "a: no\nb: [x, 1]", {"a": False, "b": ["x", 1]}),
        ("a.Yml", "text", "text"),
    ],
)
def test_the_name_says_what_the_content_is(name: str, text: str, expected: Any) -> None:
    """Documents are parsed by the suffix of the name, in any case; all else stays text."""
    assert parse_content(name, text) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "{'canary': 1}"),
        ("a.json", '{"canary": 1, "canary": 2}'),
        ("a.json", '{"canary": NaN}'),
        ("a.json", '{"canary": 1e999}'),
        ("a.json", '{"canary": ' + "9" * 5000 + "}"),
        ("a.json", "[" * 100_000),
        ("a.json", '"' + "canary" * 200_000 + '"'),
        ("a.json", ""),
        ("a.json", "null"),
        ("a.yml", "canary: [1"),
        ("a.yml", "canary: 1\ncanary: 2"),
        ("a.yml", "!!python/object/apply:os.system [canary]"),
        ("a.yml", "canary: &a [*a]"),
        ("a.yml", "canary\x00"),
        ("a.yaml", ""),
    ],
)
def test_a_broken_document_is_an_error_without_its_text(name: str, text: str) -> None:
    """What does not parse is refused, and neither the message nor what it was caused by holds the content."""
    with pytest.raises(UnusableError) as caught:
        parse_content(name, text)
    assert "canary" not in repr(caught.value)
    assert caught.value.__context__ is None
