"""When threads pay: as soon as there is work or latency for them to hide.

On a fast network, with next to no work, handing elements from thread to thread takes longer than what it saves. So a
run starts in one thread, and its helpers begin with the first element that takes its time.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from arkworker.clock import Clock

LONG = 0.02  # seconds: an element that takes this long, for whatever reason
SLOW = 0.006  # seconds: several in a row that take this long
IN_A_ROW = 3
GLANCES = 4  # at an element while it takes `LONG`


class Pace:
    """Calls `begin` once, from one thread or the other, when an element takes long or several are slow.

    Args:
        begin: Starts what helps.
        clock: Tells the time.
    """

    def __init__(self, begin: Callable[[], None], clock: Clock) -> None:
        self._begin = begin
        self._clock = clock
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._elements = 0
        self._since = clock.now()
        self._last: deque[float] = deque(maxlen=IN_A_ROW)
        self._thread = threading.Thread(target=self._watch, name="pace", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing from now on; a beginning that is under way comes to its end first."""
        with self._lock:
            self._is_over.set()

    def note_element(self) -> None:
        """One more is done."""
        if self._is_over.is_set():
            return
        now = self._clock.now()
        self._elements += 1
        self._last.append(now - self._since)
        self._since = now
        if len(self._last) == IN_A_ROW and min(self._last) > SLOW:
            self._start_helpers()

    def _watch(self) -> None:
        seen, glances = -1, 0
        while not self._is_over.wait(LONG / GLANCES):
            glances = glances + 1 if self._elements == seen else 0
            seen = self._elements
            if glances >= GLANCES:
                self._start_helpers()

    def _start_helpers(self) -> None:
        with self._lock:
            if not self._is_over.is_set():
                self._is_over.set()
                self._begin()
