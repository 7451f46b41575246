"""Text from outside, made fit for messages and logs: no secret, no query string, no control character, not long."""

from __future__ import annotations

import logging
import re
from urllib.parse import quote, urlsplit

LONGEST = 200  # characters of a body in a message
_QUERY = re.compile(r"\?[^\s?=\"'<>\\]+=[^\s\"'<>\\]*")  # of an address, whole or relative; not of a sentence
# A content that someone put where the name of a secret belongs.
_SECRET_NAME = re.compile(r"(?<=/secret/)[^\s\"'?]+")
_READ = 65536  # enough to hide a token before the text is cut, not so much that a huge body costs


def mask_query(url: str) -> str:
    """An address that may be shown: a signature or a token in the query stays hidden (so do user and fragment)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an invalid address"
    return escape(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{'?…' if parts.query else ''}")


def escape(text: str) -> str:
    """At most 200 characters, none of which can steer a terminal or break a log line."""
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text[: 2 * LONGEST]
    )
    return shown if len(shown) <= LONGEST and len(text) <= 2 * LONGEST else shown[: LONGEST - 1] + "…"


class Excerpts:
    """Makes excerpts that never hold the token."""

    def __init__(self, token: str | None) -> None:
        self._secrets = tuple({token, quote(token, safe="")}) if token else ()

    def of(self, content: bytes | str) -> str:
        """The beginning of a body."""
        text = content if isinstance(content, str) else content[:_READ].decode("utf-8", "backslashreplace")
        for secret in self._secrets:
            text = text.replace(secret, "**********")
        return escape(_QUERY.sub("?…", text).strip())


class QueryFilter(logging.Filter):
    """Hides query strings and names of secrets in what the libraries log: a signature or a content may be there."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; it is always logged."""
        message = record.getMessage()
        shown = _SECRET_NAME.sub("…", re.sub(r"\?[^\s\"']*", "?…", message))
        if shown != message:
            record.msg, record.args = shown, ()
        if record.exc_info:
            record.exc_info = record.exc_text = None
        return True
