"""From an error to its message and exit code; no traceback for what a user can cause, unless -v asks for it."""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import TYPE_CHECKING

from arkworker.errors import ApiError, ArkworkerError, ConfigurationError, Problem, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_STYLES = {"path": "\033[1m", "place": "\033[36m", "message": "", "hint": "\033[32m", "caret": "\033[31;1m"}


def guarded(action: Callable[[], int], argv: Sequence[str], target: str) -> int:
    """Perform an action; what it raises becomes a message and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 is no reason to fail
    try:
        return action()
    except ArkworkerError as error:
        _say(error, argv, target)
        return int(error.exit_code)
    except KeyboardInterrupt:
        return 128 + 2
    except BrokenPipeError:
        # Whoever read our output has left; keep the interpreter from complaining when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _say(error: ArkworkerError, argv: Sequence[str], target: str) -> None:
    if "--json" in argv:
        from arkworker.settings.report import as_data

        sys.stdout.write(json.dumps(as_data(_problems(error), target), ensure_ascii=False, indent=2) + "\n")
    elif isinstance(error, ConfigurationError):
        from arkworker.settings.report import as_segments

        colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        for text, style in as_segments(error.problems, target):
            start = _STYLES.get(style, "") if colour else ""
            sys.stderr.write(f"{start}{text}\033[0m" if start else text)
    else:
        sys.stderr.write(f"arkworker: {error}\n")
    if {"-v", "--verbose", "--debug"} & set(argv):
        _show_traceback(error)


def _problems(error: ArkworkerError) -> Sequence[Problem]:
    if isinstance(error, ConfigurationError):
        return error.problems
    if isinstance(error, ApiError):
        return [Problem("", "worker run", error.operation, str(error))]
    source = "signal" if isinstance(error, StoppedError) else "command line"
    return [Problem("", source, "", str(error))]


def _show_traceback(error: ArkworkerError) -> None:
    from arkworker.runtime.logs import mask

    shown = error.__cause__ if error.__cause__ is not None else error
    sys.stderr.write(mask("".join(traceback.format_exception(shown))))
