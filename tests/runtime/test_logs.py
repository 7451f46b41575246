"""Logging: text or JSON, coloured where it is wanted, without what addresses hide."""

from __future__ import annotations

import io
import json
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.runtime import logs

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _same_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(message: str, *args: Any, level: int = logging.WARNING, **how: Any) -> str:
    stream = io.StringIO()
    logs.configure(stream=stream, **how)
    logging.getLogger("some.library").log(level, message, *args)
    return stream.getvalue()


def test_text() -> None:
    """Time in UTC, level, logger, message."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d WARNING some\.library: a 1\n", logged("a %d", 1))


def test_json() -> None:
    """One object a line, whatever is in the message."""
    line = logged("a\nb %s", "é", style="json")

    data = json.loads(line)
    assert (line.count("\n"), sorted(data)) == (1, ["level", "logger", "message", "time"])
    assert (data["level"], data["logger"], data["message"]) == ("WARNING", "some.library", "a\nb é")


def test_traceback_in_json() -> None:
    """In a field of its own."""
    stream = io.StringIO()
    logs.configure(stream=stream, style="json")
    try:
        int("https://storage.test/x?signature=canary")
    except ValueError:
        logging.getLogger("x").exception("failed")

    data = json.loads(stream.getvalue())
    assert ("https://storage.test/x?…" in data["traceback"], "canary" in stream.getvalue()) == (True, False)


@pytest.mark.parametrize("style", ["text", "json"])
def test_queries_are_masked(style: str) -> None:
    """A presigned address carries its signature there."""
    line = logged("GET https://storage.test/x?signature=canary and http://y.test/?a=canary", style=style)

    assert ("canary" in line, "https://storage.test/x?…" in line) == (False, True)


@pytest.mark.parametrize(("is_colourful", "expected"), [(True, True), (False, False)])
def test_colour(*, is_colourful: bool, expected: bool) -> None:
    """As whoever knows the terminal says."""
    assert ("\033[33m" in logged("a", is_colourful=is_colourful)) == expected


@pytest.mark.parametrize(("verbose", "expected"), [(True, True), (False, False)])
def test_level(*, verbose: bool, expected: bool) -> None:
    """DEBUG where it is asked for."""
    assert bool(logged("a", level=logging.DEBUG, verbose=verbose)) == expected


def test_all_loggers_go_there_once() -> None:
    """Handlers that were there before are gone."""
    logging.getLogger().addHandler(logging.StreamHandler(io.StringIO()))

    assert logged("a").count("\n") == 1
    assert len(logging.getLogger().handlers) == 1
