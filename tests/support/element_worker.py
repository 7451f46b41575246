"""A worker over elements for tests, in a process of its own; variables say what it does.

`python element_worker.py [flags]` waits a hundredth of the time between attempts at the API: `WAITS` says otherwise.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from arkworker.clock import SystemClock
from arkworker.runtime.worker import ElementsWorker
from arkworker.storage import exclusive

WORK = float(os.environ.get("WORK", "0"))  # seconds on each element
WAITS = float(os.environ.get("WAITS", "0.001"))
LOG = os.environ.get("USER_LOG")
HOOK = os.environ.get("HOOK", "pass")  # code to run for each element
SETUP = os.environ.get("SETUP", "pass")
TEARDOWN = os.environ.get("TEARDOWN", "pass")
UNLOCKABLE = os.environ.get("UNLOCKABLE")  # a folder on a file system that has no locks


class W(ElementsWorker):
    """Works as the environment says."""

    uses_cache = bool(os.environ.get("USES_CACHE"))

    def setup(self, context: Any) -> None:  # noqa: ARG002 - the hook's signature
        exec(SETUP)

    def process_element(self, element: Any, context: Any, cache: Any) -> Any:
        if LOG:
            with Path(LOG).open("a", encoding="utf-8") as log:
                log.write(f"{element.id} {element.name}\n")
        time.sleep(WORK)
        names = {"element": element, "context": context, "cache": cache, "time": time, "os": os, "result": None}
        exec(HOOK, names)
        return names["result"]

    def teardown(self, context: Any) -> None:  # noqa: ARG002 - the hook's signature
        if LOG:
            Path(LOG).with_suffix(".teardown").touch()
        exec(TEARDOWN)


def _shorten_waits() -> None:
    whole = SystemClock.sleep
    SystemClock.sleep = lambda self, seconds: whole(self, seconds * WAITS)  # type: ignore[method-assign] # of this process


def _refuse_locks(folder: str) -> None:
    whole = exclusive.lock

    def lock(file: Any, **known: Any) -> bool | None:
        number = file if isinstance(file, int) else file.fileno()
        is_inside = str(Path(f"/proc/self/fd/{number}").readlink()).startswith(folder)
        return None if is_inside else whole(file, **known)

    vars(exclusive)["lock"] = lock


# In the processes of --jobs, too.
_shorten_waits()
if UNLOCKABLE is not None:
    _refuse_locks(UNLOCKABLE)

if __name__ == "__main__":
    W.main()
