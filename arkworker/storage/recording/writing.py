"""Writing a results file: a line an element, whole and on the disk before the next element begins."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
from typing import TYPE_CHECKING

from arkworker.errors import ArkworkerError, ExitCode, ResultError
from arkworker.storage.recording.lines import Entry, Header, dump
from arkworker.storage.recording.reading import LONGEST_LINE, Recording, refuse, require_regular
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from arkworker.storage.recording.reading import Place

logger = logging.getLogger("arkworker.results")

ROOM = 64 << 10  # bytes that the disk must have left before the first element


class RecordingError(ArkworkerError):
    """A line could not be written; the file is as it was before it."""

    exit_code = ExitCode.CONFIGURATION


class Recorder:
    """Writes a results file, alone; from any thread.

    Args:
        path: The file: it is made, or continued when it is one of the same run.
        header: Its first line, for a new one.

    Attributes:
        found: What the file held already, by the id of the element.

    Raises:
        ConfigurationError: It cannot be written, is no results file, one of another run, or another process writes it.
    """

    def __init__(self, path: str, header: Header) -> None:
        self.path = path
        self.found: Mapping[str, Place] = {}
        self._lock = threading.Lock()
        self._is_open = True
        self._descriptor = _open(path)
        try:
            with _told(path):
                self._claim()
                self._end = self._continue(header)
                self._make_room()
                if not self._end:
                    self._append(dump(header))
                    _sync_directory(path)
        except BaseException:
            os.close(self._descriptor)
            raise

    def write(self, entry: Entry) -> None:
        """Add a line; it is on the disk when this returns.

        Raises:
            ResultError: No line can hold the results.
            RecordingError: The disk refuses it.
        """
        line = dump(entry)
        if len(line) > LONGEST_LINE:
            raise ResultError(f"the results take {len(line):,} bytes: a line holds {LONGEST_LINE:,}")
        with self._lock:
            if not self._is_open:
                raise RecordingError(f"{printable(self.path)} is closed already")
            try:
                self._append(line)
            except OSError as error:
                raise RecordingError(f"{printable(self.path)} cannot be written: {error.strerror}") from None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                os.close(self._descriptor)

    def _claim(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            refuse(self.path, 0, "another process writes or publishes it: give each run a file of its own")
        except OSError as error:  # some file systems of clusters have no locks
            logger.warning("%s cannot be locked: %s; let no other process write it", self.path, error.strerror)

    def _continue(self, header: Header) -> int:
        """Where to go on; what a killed process left of a line is dropped."""
        size = os.fstat(self._descriptor).st_size
        if not size:
            return 0
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            first = file.readline(LONGEST_LINE)
            if not first.endswith(b"\n") and dump(header)[:20].startswith(first[:20].strip(b" \0")):
                return self._cut(0)  # killed while it was made
            recording = Recording(file, self.path)
            self._require_same(recording.header, header)
            self.found = recording.places
            if recording.is_cut:
                logger.warning("%s: its last line was cut, and is dropped", printable(self.path))
                return self._cut(recording.end)
            file.seek(size - 1)
            if file.read(1) != b"\n":
                os.pwrite(self._descriptor, b"\n", size)
                return size + 1
        return size

    def _cut(self, end: int) -> int:
        os.ftruncate(self._descriptor, end)
        return end

    def _require_same(self, there: Header, ours: Header) -> None:
        """Refuse to mix what belongs to different runs."""
        for label, first, second in (
            ("worker run", there.worker_run_id, ours.worker_run_id),
            ("corpus", there.corpus_id, ours.corpus_id),
            ("worker", there.worker.rpartition(":")[2], ours.worker.rpartition(":")[2]),
        ):
            if first != second:
                found, wanted = printable(first or "none", 60), printable(second or "none", 60)
                refuse(self.path, 1, f"holds results of the {label} {found}, not {wanted}: give another file")

    def _make_room(self) -> None:
        """Fail now where the disk is full, and not after the first element."""
        try:
            _write(self._descriptor, b" " * ROOM, self._end)
        finally:
            os.ftruncate(self._descriptor, self._end)

    def _append(self, line: bytes) -> None:
        try:
            _write(self._descriptor, line, self._end)
            os.fsync(self._descriptor)
        except OSError:
            with contextlib.suppress(OSError):  # a cut line is dropped by whoever reads it next
                os.ftruncate(self._descriptor, self._end)
            raise
        self._end += len(line)


def _open(path: str) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, 0o644)
    except ValueError:
        refuse(path, 0, "the path holds a NUL character")
    except IsADirectoryError:
        refuse(path, 0, "is a directory, not a file")
    except OSError as error:
        refuse(path, 0, f"cannot be written: {error.strerror}")
    try:
        require_regular(descriptor, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _write(descriptor: int, content: bytes, position: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(descriptor, view, position)
        view, position = view[written:], position + written


@contextlib.contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        refuse(path, 0, f"cannot be written: {error.strerror}")


def _sync_directory(path: str) -> None:
    """A new name is on the disk only when its directory is."""
    with contextlib.suppress(OSError):  # not all file systems can
        descriptor = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY)  # noqa: PTH100, PTH120 - a text that may be empty
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
