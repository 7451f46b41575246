"""Writing a results file: a line an element, whole and on the disk before the next element begins."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from arkworker.errors import ArkworkerError, ExitCode, ResultError
from arkworker.storage.exclusive import AppendedFile, reason_of
from arkworker.storage.recording.lines import Entry, Header, dump
from arkworker.storage.recording.reading import LONGEST_LINE, Recording, refuse
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        ConfigurationError: It cannot be written, is not a results file of this run, or another process writes it.
    """

    def __init__(self, path: str, header: Header) -> None:
        self.path = path
        self.found: Mapping[str, Place] = {}
        self._lock = threading.Lock()
        self._is_open = True
        with ExitStack() as opened:
            try:
                self._file = opened.enter_context(closing(AppendedFile(path)))
                self._continue(header)
                self._make_room()
                if not self._file.end:
                    self._file.append(dump(header))
            except BlockingIOError:
                refuse(path, 0, "another process is writing or publishing it: give each run a file of its own")
            except OSError as error:
                refuse(path, 0, reason_of(error, "cannot be written"))
            opened.pop_all()

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
                self._file.append(line)
            except OSError as error:
                raise RecordingError(f"{printable(self.path)} cannot be written: {error.strerror}") from None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                self._file.close()

    def _continue(self, header: Header) -> None:
        """Go on after the lines that are there; what a killed process left of one is dropped."""
        size = self._file.end
        if not size:
            return
        with self._file.reader() as file:
            first = file.readline(LONGEST_LINE)
            if not first.endswith(b"\n") and dump(header)[:20].startswith(first[:20].strip(b" \0")):
                self._file.cut(0)  # killed while it was made
                return
            recording = Recording(file, self.path)
            if not (recording.places or recording.is_cut):  # of a run that was started by mistake, say
                self._file.cut(0)
                return
            self._require_same(recording.header, header)
            self.found = recording.places
            if recording.is_cut:
                logger.warning("%s: its last line was cut, and is dropped", printable(self.path))
                self._file.cut(recording.end)
                return
            file.seek(size - 1)
            if file.read(1) != b"\n":
                self._file.append(b"\n")

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
        end = self._file.end
        self._file.append(b" " * ROOM, sync=False)
        self._file.cut(end)
