"""Text from outside, made fit for a message."""

from __future__ import annotations


def printable(text: str, *, limit: int = 60) -> str:
    """`text` with everything a terminal would obey or hide escaped, on one line, at most `limit` characters long."""
    # Cut first: a key may be a megabyte long.
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: limit + 1])
    return escaped if len(escaped) <= limit else escaped[: limit - 1] + "…"
