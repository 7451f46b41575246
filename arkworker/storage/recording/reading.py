"""Reading a results file: all of it is checked first, then single elements are looked up in it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Self

from pydantic import ValidationError

from arkworker.elements.records import first_mistake
from arkworker.errors import ConfigurationError, Problem
from arkworker.storage.exclusive import lock, open_regular, reason_of
from arkworker.storage.recording.lines import Entry, Header, load_entry, load_header
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

LONGEST_LINE = 256 << 20  # bytes
LONGEST_HEADER = 1 << 20  # bytes
BEGINNING = b'{"format":"arkworker results"'
MOST_PROBLEMS = 100  # a file of something else has as many as lines


@dataclass(frozen=True, slots=True)
class Place:
    """Where the line is that counts for one element, and what it says in short.

    Attributes:
        line: Its number in the file, from 1.
        start: Where it begins, in bytes.
        state: How the element ended.
        claimed: Whether it was claimed.
    """

    line: int
    start: int
    state: str
    claimed: bool


class Recording:
    """A results file that was checked: no line is wrong, but the last one may have been cut.

    Attributes:
        header: Its first line.
        places: The line that counts for each element, by its id, in the order of the file.
        end: Where the whole lines end, in bytes.
        is_cut: Whether something comes after them: the line that was being written when the process was killed.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        """Check a file that is open.

        Raises:
            ConfigurationError: It is not a results file, or is incomplete; names the lines.
        """
        self._file = file
        self._name = name
        self.places: dict[str, Place] = {}
        self.end = 0
        self.is_cut = False
        self._problems: list[Problem] = []
        lines = self._lines()
        self.header = self._read_header(next(lines, b""))
        for number, line in enumerate(lines, 2):
            self._take(number, line)
        if self._problems:
            raise ConfigurationError(self._problems)

    def entry(self, element_id: str) -> Entry:
        """What is recorded of an element.

        Raises:
            ConfigurationError: The file has been changed since it was checked.
        """
        place = self.places[element_id]
        self._file.seek(place.start)
        try:
            found = load_entry(self._file.readline(LONGEST_LINE))
        except ValueError:
            found = None
        if found is None or found.element.id != element_id:
            refuse(self._name, place.line, "the file has been changed since it was checked")
        return found

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lines(self) -> Iterator[bytes]:
        """The whole lines; a last one that does not end counts when it is whole nevertheless."""
        self._file.seek(0)
        while line := self._file.readline(LONGEST_LINE):
            if not line.endswith(b"\n") and not _is_whole(line, is_header=self.end == 0):
                self.is_cut = True
                return
            yield line
            self.end += len(line)

    def _read_header(self, line: bytes) -> Header:
        if not line:
            reason = "its first line is cut" if self.is_cut else "the file is empty"
            refuse(self._name, 1, f"{reason}: this is not a results file of arkworker")
        try:
            return load_header(line)
        except ValueError as error:
            refuse(self._name, 1, _told(error))

    def _take(self, number: int, line: bytes) -> None:
        try:
            entry = load_entry(line)
        except ValueError as error:
            if len(self._problems) < MOST_PROBLEMS:
                self._problems.append(problem_of(self._name, number, _told(error)))
            return
        self.places.pop(entry.element.id, None)  # in the order of the lines that count
        self.places[entry.element.id] = Place(number, self.end, entry.state, entry.claimed)


def read_recording(path: str) -> Recording:
    """Open and check a results file.

    Raises:
        ConfigurationError: It cannot be read, is still being written, or is not a complete results file; names
            the lines.
    """
    with contextlib.ExitStack() as opened:
        try:
            file = opened.enter_context(os.fdopen(open_regular(path), "rb"))
            is_free = lock(file)
            if is_free is None:  # network file systems lock what is open for reading for readers only
                is_free = lock(file, shared=True)
            if is_free is False:
                refuse(path, 0, "a run is still writing it, or another process is publishing it: wait for its end")
            recording = Recording(file, path)
        except OSError as error:
            refuse(path, 0, reason_of(error, "cannot be read"))
        opened.pop_all()
    return recording


def is_recording(path: str) -> bool:
    """Whether a file begins as one with results, or holds nothing; it need not exist.

    Raises:
        OSError: It cannot be read, or is not a regular file.
    """
    if not os.path.lexists(path):
        return True
    with os.fdopen(open_regular(path), "rb") as file:
        line = file.readline(LONGEST_HEADER)
    if not line.endswith(b"\n"):  # a process was killed that wrote it
        return BEGINNING.startswith(line.strip(b" \0")) or line.startswith(BEGINNING)
    with contextlib.suppress(ValueError):
        load_header(line)
        return True
    return False


def refuse(name: str, line: int, reason: str) -> NoReturn:
    """Say what is wrong with a results file.

    Raises:
        ConfigurationError: Always.
    """
    raise ConfigurationError([problem_of(name, line, reason)]) from None


def problem_of(name: str, line: int, reason: str) -> Problem:
    place = printable(name) + (f":{line}" if line else "")
    return Problem("results", "results file", place, reason)


def _is_whole(line: bytes, *, is_header: bool) -> bool:
    try:
        load_header(line) if is_header else load_entry(line)
    except ValueError:
        return False
    return True


def _told(error: ValueError) -> str:
    """What is wrong with a line, without what stands in it."""
    return first_mistake(error, "the line") if isinstance(error, ValidationError) else str(error)
