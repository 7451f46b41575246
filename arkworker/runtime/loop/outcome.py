"""How a run over elements went: the failures, a warning, one line, a file, and an error where it did not go well."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from arkworker.errors import ArkworkerError, ConfigurationError, ExitCode, Problem

if TYPE_CHECKING:
    from arkworker.runtime.loop.failures import Failures
    from arkworker.runtime.loop.tally import Summary

logger = logging.getLogger(__name__)


class ElementsError(ArkworkerError):
    """A run over elements that did not end well; the message is its summary, the exit code says how it ended."""

    def __init__(self, message: str, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__(message, exit_code)

    def __str__(self) -> str:
        return str(self.args[0])


def check_path(path: str | None) -> None:
    """Refuse a file that no summary can be written to.

    Raises:
        ConfigurationError: Its directory does not exist, or it is one itself.
    """
    if path is None:
        return
    target = Path(path)
    message = "is a directory" if target.is_dir() else "" if target.absolute().parent.is_dir() else "is in no directory"
    if message:
        problem = Problem("summary", "command line", "--summary", f"the file of the summary {message}")
        raise ConfigurationError([problem])


def record(summary: Summary, failures: Failures, path: str | None) -> None:
    """Log how the run went, and write its summary."""
    failures.report()
    if summary.uncertain:
        logger.warning(
            "%d claims or reports may have been lost on the way: look for elements that stay started on Arkindex",
            summary.uncertain,
        )
    if path is not None:
        _write(summary, Path(path))


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


def _write(summary: Summary, path: Path) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(summary.as_data()) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        logger.error("%s: the summary cannot be written: %s", path, error.strerror)  # noqa: TRY400 - one line will do
