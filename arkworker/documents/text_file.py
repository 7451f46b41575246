"""Reading one text file that a person named: the only place of settings that opens files."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field

from arkworker.errors import Problem
from arkworker.text import printable

MAX_BYTES = 1024 * 1024
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_UTF8_MARK = b"\xef\xbb\xbf"
_LINE_BREAK = re.compile("\r\n?|[\n\x85\u2028\u2029]")
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


class TextFileError(Exception):
    """The file cannot be read as text.

    Attributes:
        message: What is wrong, on one line, without the name of the file.
        line: Where in the file, from 1; 0 when it is the file as a whole.
        column: The character in that line, from 1; 0 when it is the file as a whole.
        hint: The remedy; may be empty.
    """

    def __init__(self, message: str, line: int = 0, column: int = 0, hint: str = "") -> None:
        self.message = message
        self.line = line
        self.column = column
        self.hint = hint
        super().__init__(message, line, column, hint)

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}" if self.line else self.message

    def place(self, name: str) -> str:
        """The name of the file, and the place in it that is wrong where there is one."""
        return f"{printable(name)}:{self.line}:{self.column}" if self.line else printable(name)

    def problem(self, source: str, name: str) -> Problem:
        """What to report of the file with this name."""
        return Problem("", source, self.place(name), self.message, self.hint)


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text and where it came from.

    Attributes:
        name: The path as the person wrote it, fit for a message.
        text: The content, without a byte order mark; may hold secrets, and is kept out of the representation.
    """

    name: str
    text: str = field(repr=False)


def read_text_file(path: str, *, max_bytes: int = MAX_BYTES) -> TextFile:
    """Read a UTF-8 file, with or without a byte order mark; never waits for a pipe, a terminal or a device.

    Raises:
        TextFileError: It is absent, not a regular file, unreadable, larger than `max_bytes`, or not UTF-8 text.
    """
    try:
        data = _read_bytes(path, max_bytes)
    except ValueError:
        raise TextFileError("no such file: the path holds a NUL character") from None
    except FileNotFoundError:
        raise TextFileError("no such file") from None
    except OSError as error:
        raise TextFileError(f"cannot be read: {error.strerror or type(error).__name__}") from None
    return TextFile(printable(path), _decode(data))


def _read_bytes(path: str, max_bytes: int) -> bytes:
    # Before opening, which has effects on some devices; and after, when the path may lead elsewhere.
    _require_regular(os.stat(path))  # noqa: PTH116 Path("") is the working directory
    descriptor = os.open(path, _OPEN_FLAGS)
    with os.fdopen(descriptor, "rb") as file:
        _require_regular(os.fstat(descriptor))
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise TextFileError(f"larger than {max_bytes:,} bytes", hint="is it the right file?")
    return data


def _require_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise TextFileError("a directory, not a file", hint="name a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise TextFileError("not a regular file", hint="pipes, sockets and devices are not read")


def _decode(data: bytes) -> str:
    if data.startswith(_WIDE_MARKS):
        raise TextFileError("UTF-16 or UTF-32 text, not UTF-8", 1, 1, "save it as UTF-8")
    data = data.removeprefix(_UTF8_MARK)
    nul = data.find(0)
    if nul >= 0:
        raise _undecodable(data, nul, "a NUL byte: the file is binary or not UTF-8")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        start = error.start
    raise _undecodable(data, start, f"byte 0x{data[start]:02x} is not UTF-8")


def _undecodable(data: bytes, position: int, reason: str) -> TextFileError:
    line, column = place_after(data[:position].decode(errors="replace"))
    return TextFileError(reason, line, column, "save it as UTF-8")


def place_after(text: str) -> tuple[int, int]:
    """Line and column, from 1, of what follows a text, by the line breaks of YAML."""
    *lines, last = _LINE_BREAK.split(text)
    return len(lines) + 1, len(last) + 1
