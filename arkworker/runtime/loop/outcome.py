"""How a run over elements went: the failures, a warning, one line, a file, and an error where it did not go well."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from arkworker.errors import ArkworkerError, ConfigurationError, ExitCode, Problem
from arkworker.runtime.loop.tally import Summary, Tally
from arkworker.storage import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arkworker.runtime.loop.failures import Failures
    from arkworker.runtime.stopping import Stopping

logger = logging.getLogger("arkworker.elements")


class ElementsError(ArkworkerError):
    """A run over elements that did not end well; the message is its summary, the exit code says how it ended."""

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message, exit_code)

    def __str__(self) -> str:
        return str(self.args[0])


def prepare(path: str | None) -> None:
    """Forget the summary of a run before: a run that is killed leaves an empty file.

    Raises:
        ConfigurationError: It cannot be written.
    """
    if path is None:
        return
    try:
        if Path(path).exists() and not files.is_stream(path):
            files.replace(path, b"")
    except OSError as error:
        problem = Problem("summary", "command line", "--summary", f"cannot be written: {error.strerror}")
        raise ConfigurationError([problem]) from None


@contextmanager
def summed_up(path: str | None, tally: Tally, stopping: Stopping) -> Iterator[None]:
    """However a run ends, its summary says so: also when it ends before the first element, or is stopped at its end."""
    started = time.monotonic()
    try:
        yield
    except ElementsError:
        raise
    except ArkworkerError as error:
        write(Summary.of(tally, time.monotonic() - started, int(error.exit_code)), path)
        raise
    finally:
        stopping.call_at_stop(lambda: _note_stop(path, stopping))
        if stopping.received is not None:
            _note_stop(path, stopping)


def _note_stop(path: str | None, stopping: Stopping) -> None:
    """A signal between the end of the elements and that of the process: the exit code says so, hence the summary."""
    if path is None or stopping.received is None:
        return
    with contextlib.suppress(OSError, ValueError, TypeError):
        found = {} if files.is_stream(path) else json.loads(Path(path).read_text(encoding="utf-8"))
        if found and found["exit_code"] <= 128:
            write(Summary(**(found | {"exit_code": 128 + stopping.received})), path)


def record(summary: Summary, failures: Failures, path: str | None) -> None:
    """Log how the run went, and write its summary."""
    failures.report()
    if summary.uncertain:
        logger.warning(
            "%d claims or reports may have been lost on the way: look for elements that stay started on Arkindex",
            summary.uncertain,
        )
    write(summary, path)


def conclude(summary: Summary, failures: Failures, path: str | None) -> None:
    """As `record`, and say the last line.

    Raises:
        ElementsError: The exit code is not 0; the last line is its message.
    """
    record(summary, failures, path)
    if summary.exit_code != ExitCode.OK:
        raise ElementsError(_ending(summary.exit_code) + str(summary), summary.exit_code)
    logger.log(logging.WARNING if summary.failed else logging.INFO, "%s", summary)


def _ending(exit_code: int) -> str:
    return f"stopped by signal {exit_code - 128}; " if exit_code > 128 else ""


def write(summary: Summary, path: str | None) -> None:
    """Write a summary, whole or not at all."""
    if path is None:
        return
    try:
        files.replace(path, json.dumps(summary.as_data()).encode() + b"\n")
    except OSError as error:
        logger.error("%s: the summary cannot be written: %s", path, error.strerror)  # noqa: TRY400 - one line will do
