"""From an error to its message and exit code; no traceback for what a user can cause, unless -v asks for it."""

from __future__ import annotations

import logging
import traceback
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from arkworker.cli import terminal
from arkworker.cli.process import given_back, is_debugging
from arkworker.errors import ApiError, ArkworkerError, ConfigurationError, ExitCode, Problem, SecretError, StoppedError
from arkworker.runtime.stopping import Interruption, Stopping

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SIGNALLED = 128  # exit codes above it are those of signals
_VERBOSE = frozenset({"-v", "--verbose", "--debug"})


class InternalError(ArkworkerError):
    """A mistake in arkworker itself."""


def guarded(action: Callable[[Stopping], int], argv: Sequence[str], target: str, *, is_own: bool = False) -> int:
    """Perform an action; what it raises becomes a message and an exit code.

    Args:
        action: What to do; answers the exit code.
        argv: The words of the command line.
        target: The worker, as the person named it.
        is_own: Whether the process ends with it; see `given_back`.
    """
    own = [*takewhile(lambda word: word != "--", argv)]  # what follows is for another command
    with given_back(is_own=is_own):
        terminal.prepare()
        try:
            with Stopping() as stopping:
                code = _perform(action, stopping, own, target)
        except KeyboardInterrupt:  # before there are handlers, or after
            code = 128 + 2
        except BrokenPipeError:
            code = ExitCode.FAILED
        return terminal.finish(code)


def _perform(action: Callable[[Stopping], int], stopping: Stopping, argv: Sequence[str], target: str) -> int:
    is_answered = False
    try:
        code = action(stopping)
        is_answered = True
        stopping.check()
    except SystemExit as error:  # of argparse, after a help page
        return error.code if isinstance(error.code, int) else ExitCode.OK
    except BrokenPipeError:
        raise
    except (Exception, Interruption) as error:  # noqa: BLE001 - all that is left is a mistake of ours, to be said
        failure = _failure_of(error, stopping)
        # What --json asks for is on standard output already where a signal came after it: one document is enough.
        is_told_aside = is_answered or isinstance(error, terminal.OutputError)
        _say(failure, argv, target, as_json=_wants_json(argv) and not is_told_aside)
        return int(failure.exit_code)
    return code


def _failure_of(error: BaseException, stopping: Stopping) -> ArkworkerError:
    if stopping.signal_number is not None:  # goes before all that it caused
        tells_it = isinstance(error, ArkworkerError) and error.exit_code > _SIGNALLED
        return error if isinstance(error, ArkworkerError) and tells_it else StoppedError(stopping.signal_number)
    if isinstance(error, ArkworkerError):
        return error
    if isinstance(error, terminal.OutputError):
        return ArkworkerError(str(error))
    # Without its message, in which there may be anything, and with the place, to be reported.
    frame = traceback.extract_tb(error.__traceback__)[-1]
    failure = InternalError(f"a mistake in arkworker: {type(error).__name__} at {frame.filename}:{frame.lineno}")
    failure.__cause__ = error
    return failure


def _say(error: ArkworkerError, argv: Sequence[str], target: str, *, as_json: bool) -> None:
    if as_json:
        from arkworker.cli.problems import as_data

        try:
            terminal.write_json(as_data(_problems(error), target))
        except BrokenPipeError:
            pass  # nobody reads it; the exit code tells it, too
        except terminal.OutputError as unwritten:
            terminal.write_error(f"arkworker: {error}\narkworker: {unwritten}\n")
    elif logs_json(argv):
        _log(error, argv)
    elif isinstance(error, ConfigurationError):
        from arkworker.cli.problems import as_segments

        segments = as_segments(error.problems, target)
        stream = terminal.usable("stderr")
        terminal.write_error("".join(terminal.styled(text, style, stream) for text, style in segments))
    else:
        terminal.write_error(f"arkworker: {error}\n")
    if _VERBOSE & set(argv) or is_debugging():
        _show_traceback(error, argv)


def _wants_json(argv: Sequence[str]) -> bool:
    return "--json" in argv or "--format=json" in argv or ("--format", "json") in pairwise(argv)


def logs_json(argv: Sequence[str]) -> bool:
    """Whether the last word is to be a line of JSON, too; also where the flags could not be parsed."""
    return "--log-format=json" in argv or ("--log-format", "json") in pairwise(argv)


def log_json(argv: Sequence[str]) -> None:
    """Log JSON from now on, before the flags are parsed: user code has something to say when it is imported."""
    from arkworker.runtime import logs

    if not logs.is_json():
        logs.configure(style="json", verbose=bool(_VERBOSE & set(argv)))


def _log(error: ArkworkerError, argv: Sequence[str]) -> None:
    from dataclasses import asdict

    log_json(argv)
    extra: dict[str, object] = {"exit_code": int(error.exit_code)}
    if isinstance(error, ConfigurationError):
        extra["problems"] = [asdict(problem) for problem in error.problems]
    logging.getLogger("arkworker").error("%s", error, extra=extra)


def _problems(error: ArkworkerError) -> Sequence[Problem]:
    if isinstance(error, ConfigurationError):
        return error.problems
    if isinstance(error, ApiError):
        return [Problem("", "worker run", error.operation, str(error))]
    sources: dict[type[ArkworkerError], str] = {StoppedError: "signal", SecretError: "secret"}
    source = sources.get(type(error), "command line" if error.exit_code == ExitCode.USAGE else "worker")
    return [Problem("", source, "", str(error))]


def _show_traceback(error: ArkworkerError, argv: Sequence[str]) -> None:
    from arkworker.runtime.failures import WorkerFailedError
    from arkworker.runtime.log_lines import mask

    if isinstance(error, WorkerFailedError):
        return  # it is in the log already
    shown = error.__cause__ or error
    if isinstance(error, InternalError):
        lines = [*traceback.format_tb(shown.__traceback__), f"{type(shown).__name__}\n"]
    else:
        lines = traceback.format_exception(shown)
    if logs_json(argv):
        logging.getLogger("arkworker").error("the traceback of the failure", extra={"traceback": "".join(lines)})
    else:
        terminal.write_error(mask("".join(lines)))
