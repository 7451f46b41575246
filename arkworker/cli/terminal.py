"""Standard streams, in whatever state they are handed over."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal, TextIO

_SHOWN = {"path": "\033[1m", "place": "\033[36m", "hint": "\033[32m", "caret": "\033[31;1m"}
_RESET = "\033[0m"
_NUMBERS = {"stdout": 1, "stderr": 2}
#: What JSON may hold as it is and a terminal obeys: control characters beyond ASCII, and marks that turn text around.
_OBEYED = "[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]"


class OutputError(OSError):
    """Standard output does not take what is written: the disk is full."""


class _Adapted(io.TextIOBase):
    """An object that can only write, as scripts put in the place of a stream to log what is printed, too."""

    encoding = "utf-8"

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        getattr(self._stream, "flush", str)()


def prepare() -> None:
    """Make the streams safe to write to: closed ones are replaced, and every character can be written."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets that number, which else a database or a socket would get
    for name in ("stdout", "stderr"):
        stream = usable(name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def usable(name: Literal["stdout", "stderr"]) -> TextIO:
    """A standard stream that can be written to, although user code has closed it, or put something in its place."""
    stream: TextIO | None = getattr(sys, name)
    if stream is not None and not isinstance(stream, io.TextIOBase):
        stream = cast("TextIO", _Adapted(stream))
        setattr(sys, name, stream)
    if stream is None or stream.closed:
        try:
            stream = open(_NUMBERS[name], "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115 - open to the end
        except OSError:
            stream = io.StringIO()
        setattr(sys, name, stream)
    return stream


@contextmanager
def aside() -> Iterator[None]:
    """What user code prints meanwhile goes to standard error: standard output is for the answer alone."""
    kept = os.dup(1)
    try:
        os.dup2(2, 1)  # for what is written by code in C, and by other processes
        with redirect_stdout(usable("stderr")):
            yield
    finally:
        with suppress(OSError):  # user code has closed all files
            os.dup2(kept, 1)
            os.close(kept)


def is_colourful(stream: TextIO) -> bool:
    """Whether colours are wanted there: on a terminal that supports them, unless the person refuses them."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def styled(text: str, style: str, stream: TextIO) -> str:
    """The text, in the colour of its style where that is wanted."""
    start = _SHOWN.get(style, "") if is_colourful(stream) else ""
    return f"{start}{text}{_RESET}" if start else text


def write(text: str) -> None:
    """Write to standard output, all of it.

    Raises:
        BrokenPipeError: The reader is gone.
        OutputError: It cannot be written.
    """
    try:
        stream = usable("stdout")
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard("stdout")
        raise OutputError(f"standard output cannot be written: {error.strerror}") from None


def write_error(text: str) -> None:
    """Write to standard error what can be written there: the exit code is not affected."""
    try:
        stream = usable("stderr")
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        _discard("stderr")


def write_json(data: Any) -> None:
    """Write an object, and a line break; with escapes outside of UTF-8, and for what a terminal would obey."""
    import json
    import re

    is_utf8 = (usable("stdout").encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(data, ensure_ascii=not is_utf8, indent=2)
    write(re.sub(_OBEYED, lambda found: json.dumps(found.group())[1:-1], text) + "\n")


def finish(code: int) -> int:
    """Write what is still kept; the exit code, which that may change from success to failure.

    Only by standard output: what cannot be said on standard error changes nothing.
    """
    try:
        usable("stdout").flush()
    except BrokenPipeError:
        _discard("stdout")  # its reader has seen enough
    except (OSError, ValueError) as error:
        _discard("stdout")
        write_error(f"arkworker: standard output cannot be written: {getattr(error, 'strerror', error)}\n")
        code = code or 1
    write_error("")
    return code


def _discard(name: Literal["stdout", "stderr"]) -> None:
    # Else the interpreter would complain, when it flushes at its end, and answer 120.
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        number = getattr(sys, name).fileno()
        os.dup2(null, number)
    except (OSError, ValueError, AttributeError):
        number = None
        setattr(sys, name, io.StringIO())
    if null != number:  # it gets that number where user code has closed it
        os.close(null)
