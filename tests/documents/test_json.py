"""JSON, read strictly."""

from __future__ import annotations

import pytest

from arkworker.documents.json import JsonError, parse_json


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{'a': 1}", "is not JSON (column 2)"),
        ('{\n"a" 1}', "is not JSON (line 2, column 5)"),
        ("", "is not JSON (column 1)"),
        ('{"a": {"b": 1, "b": 2}}', "holds a key twice"),
        ("[NaN]", "holds a number that is not finite"),
        ("[-1e999]", "holds a number that is not finite"),
        ("9" * 5000, "is not JSON (a number is far too long)"),
        ("[" * 100_000, "is not JSON (it nests too deep)"),
    ],
)
def test_what_is_not_sound_says_in_which_way(text: str, reason: str) -> None:
    """Where it is, too, but nothing of what it holds."""
    with pytest.raises(JsonError) as caught:
        parse_json(text)

    assert (str(caught.value), caught.value.__context__) == (reason, None)
