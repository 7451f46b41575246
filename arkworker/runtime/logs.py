"""Logging to standard error: text, coloured on a terminal, or one JSON object a line; never with a URL's query."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing import Literal

# A presigned URL carries its signature there.
_QUERY = re.compile(r"(https?://[^\s?'\"<>]+\?)[^\s'\"<>]+")
_COLOURS = {"WARNING": "\033[33m", "ERROR": "\033[31m", "CRITICAL": "\033[31;1m", "DEBUG": "\033[2m"}
_RESET = "\033[0m"


def mask(text: str) -> str:
    return _QUERY.sub(r"\1…", text)


class TextFormatter(logging.Formatter):
    """`2026-01-31 12:30:00 INFO  arkworker: message`."""

    converter = time.gmtime  # type: ignore[assignment]  # as the manual of logging says

    def __init__(self, *, colour: bool) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")
        self.colour = colour

    def format(self, record: logging.LogRecord) -> str:
        text = mask(super().format(record))
        colour = _COLOURS.get(record.levelname, "") if self.colour else ""
        return f"{colour}{text}{_RESET}" if colour else text


class JsonFormatter(logging.Formatter):
    """One object a line: `time` (UTC, ISO 8601), `level`, `logger`, `message`, and `traceback` where there is one."""

    converter = time.gmtime  # type: ignore[assignment]  # as the manual of logging says

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname,
            "logger": record.name,
            "message": mask(record.getMessage()),
        }
        if record.exc_info:
            fields["traceback"] = mask(self.formatException(record.exc_info))
        return json.dumps(fields, ensure_ascii=False)


class Handler(logging.StreamHandler[TextIO]):
    """One whose failure, as when user code has closed the stream, is no failure of what was to be logged."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name
        with contextlib.suppress(ValueError, OSError):
            super().handleError(record)


def configure(
    *,
    verbose: bool = False,
    style: Literal["text", "json"] = "text",
    is_colourful: bool = False,
    stream: TextIO | None = None,
) -> None:
    """Send all logging of this process to a stream, standard error by default."""
    handler = Handler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter(colour=is_colourful))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    set_level(verbose=verbose)


def set_level(*, verbose: bool) -> None:
    logging.getLogger().setLevel(logging.DEBUG if verbose else logging.INFO)
