"""The journal of a publication: what is in flight, what was accepted, which ids it got. A file beside the results."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from arkworker.errors import ConfigurationError, Problem
from arkworker.storage.exclusive import AppendedFile, reason_of
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn


FORMAT = "arkworker publication"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Owner:
    """What a journal belongs to.

    Attributes:
        recording: The id of the results file.
        worker_run_id: The worker run that signs.
        origin: The instance, such as `https://arkindex.teklia.com`.
    """

    recording: str
    worker_run_id: str
    origin: str


@dataclass(slots=True)
class Standing:
    """How far one element is.

    Attributes:
        line: The line of the results file that this is about.
        plan: Tells the requests from others; empty before the first.
        next: The number of the first request that is not known to be accepted.
        since: When that one was sent, in seconds since the epoch; 0 when it was not.
        ids: What accepted requests created, by place in the results.
        has_begun: The activity may have been started here, and was not ended here since.
        has_ended: It was ended here before.
        state: How it was ended; empty while it was not, or where something was refused.
        is_closing: All requests are through: the end may have been reported.
    """

    line: int
    plan: str = ""
    next: int = 0
    since: float = 0.0
    ids: dict[str, str] = field(default_factory=dict)
    has_begun: bool = False
    has_ended: bool = False
    state: str = ""
    is_closing: bool = False

    def take(self, note: Mapping[str, Any]) -> None:
        """Apply a note.

        Steps: the activity is about to be started, or is another process's; a request is in flight, or is the next one;
        all requests are through; the end was reported.
        """
        step = note["step"]
        self.plan = str(note.get("plan", self.plan))
        self.ids |= note.get("ids", {})
        if step in ("start", "taken"):
            self.has_begun = step == "start"
        elif step == "send":
            self.next, self.since = int(note["request"]), float(note["time"])
        elif step == "next":
            self.next, self.since = int(note["request"]), 0.0
        elif step == "close":
            self.is_closing = True
        elif step == "end":
            self._finish(str(note["state"]))
        else:
            raise ValueError(step)

    def follow(self, before: Standing) -> None:
        """The same element was in another file before, which a journal of its own is kept of: one activity for both."""
        if not (self.has_begun or self.has_ended):
            self.has_begun = before.has_begun
        self.has_ended = self.has_ended or before.has_ended

    def _finish(self, state: str) -> None:
        self.has_begun, self.has_ended, self.is_closing = False, True, False
        self.state = state
        if state:
            self.ids = {}


class Journal:
    """Notes of one publication at a time; from any thread.

    Args:
        path: The file; made when it is not there.
        owner: What it belongs to.
        batch_size: How many results of a kind a request holds, where nothing was published yet.

    Attributes:
        batch_size: That of the first publication: requests are known by their number.

    Raises:
        ConfigurationError: It cannot be written, is that of another file, run or instance, or another process writes.
    """

    def __init__(self, path: str, owner: Owner, batch_size: int) -> None:
        self.batch_size = batch_size
        self._path = path
        self._lock = threading.Lock()
        self._elements: dict[str, Standing] = {}
        try:
            self._file = AppendedFile(path)
        except BlockingIOError:
            self._refuse("another process is publishing these results")
        except OSError as error:
            self._refuse(reason_of(error, "cannot be written"))
        try:
            self._read(owner)
            if not self._file.end:
                head = {"format": FORMAT, "version": VERSION, **asdict(owner), "batch_size": batch_size}
                self._append(head, sync=True)
        except OSError as error:
            self._file.close()
            self._refuse(f"cannot be written: {error.strerror}")
        except BaseException:
            self._file.close()
            raise

    def standing(self, element_id: str, line: int) -> Standing:
        """How far the line of an element is; from the beginning when it is a later one than was noted before."""
        with self._lock:
            return self._at(element_id, line)

    def _at(self, element_id: str, line: int) -> Standing:
        known = self._elements.get(element_id)
        if known is None:
            known = self._elements[element_id] = Standing(line)
        elif known.line != line:  # recorded later: new results, on the same activity
            known = Standing(line, has_begun=known.has_begun, has_ended=known.has_ended)
            self._elements[element_id] = known
        return known

    def note(self, element_id: str, line: int, step: str, *, sync: bool = True, **values: Any) -> None:
        """Note a step, on the disk when this returns.

        Raises:
            ConfigurationError: The disk refuses it.
        """
        if step == "send":
            values["time"] = round(time.time(), 3)
        note = {"element": element_id, "line": line, "step": step, **values}
        with self._lock:
            try:
                self._append(note, sync=sync)
            except OSError as error:
                self._refuse(f"cannot be written: {error.strerror}")
            self._elements[element_id].take(note)

    def close(self) -> None:
        self._file.close()

    def _read(self, owner: Owner) -> None:
        """Take the whole notes; what was being written when a process was killed is dropped.

        Where nothing was noted for another owner, such as an instance that was named by mistake, all is begun anew.
        """
        end = number = 0
        mismatch = ""
        with self._file.reader() as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                number += 1
                if mismatch:
                    self._refuse(f"{mismatch}; name another --journal")
                mismatch = self._take(number, line, owner)
                end += len(line)
        self._file.cut(0 if mismatch else end)

    def _take(self, number: int, line: bytes, owner: Owner) -> str:
        """Take a line; of the first, how it differs from what is wanted, or nothing."""
        try:
            note = json.loads(line)
            if number == 1:
                return self._take_head(note, owner)
            self._at(note["element"], note["line"]).take(note)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            self._refuse("is damaged, or is not the journal of a publication", number)
        return ""

    def _take_head(self, found: Any, owner: Owner) -> str:
        if found["format"] != FORMAT or found["version"] != VERSION:
            raise ValueError
        size = int(found["batch_size"])
        for name, wanted in asdict(owner).items():
            if found[name] != wanted:
                label = name.replace("_", " ").removesuffix(" id")
                return f"belongs to a publication with the {label} {printable(str(found[name]), 80)}, not {wanted}"
        self.batch_size = size
        return ""

    def _append(self, note: Mapping[str, Any], *, sync: bool) -> None:
        self._file.append(json.dumps(note, separators=(",", ":")).encode() + b"\n", sync=sync)

    def _refuse(self, reason: str, line: int = 0) -> NoReturn:
        place = printable(self._path) + (f":{line}" if line else "")
        raise ConfigurationError([Problem("journal", "journal", place, reason)]) from None
