"""Logging to standard error, in the lines of `log_lines`.

What arkworker itself has to say of a run reaches standard error whatever user code does to logging: `dictConfig`
disables the loggers that are there, and libraries call it at their first use.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sys
import threading
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from arkworker.runtime.log_lines import JsonFormatter, TextFormatter, forget, name_processes, portable, text_of
from arkworker.runtime.stopping import Interruption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Literal

_ROOM = "arkworker"
#: The loggers of arkworker; their names are those of parts that a user knows.
_PARTS = ("elements", "api", "cache", "publishing", "results", "archives", "images", "secrets")
_OF_PYTHON = "py.warnings"
_UNTOLD = "arkworker.logs"  # says that a line could not be written
#: Loggers of the libraries that arkworker itself calls.
_OF_LIBRARIES = ("gnupg", "urllib3.connectionpool")


class Handler(logging.StreamHandler[TextIO]):
    """One whose failure, as when the disk is full, is not a failure of what was to be logged.

    Attributes:
        ours: Its first formatter; user code may set another.
        last: What it has written last.
    """

    ours: logging.Formatter | None = None
    last: logging.LogRecord | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if self.stream.closed:  # by user code; the file behind it is still there
            with contextlib.suppress(OSError):
                self.stream = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115 - open to the end
        super().emit(record)
        self.last = record

    def format(self, record: logging.LogRecord) -> str:
        try:
            return super().format(record)
        except Interruption:
            raise
        except BaseException:
            if self.formatter is self.ours or self.ours is None:
                raise
            return self.ours.format(record)  # the other one is of user code

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name
        with contextlib.suppress(ValueError, OSError):
            if not isinstance(self.formatter, JsonFormatter):
                super().handleError(record)
            elif record.name != _UNTOLD:
                place = record.pathname, record.lineno
                told = f"a line could not be written: {text_of(sys.exc_info()[1])} ({place[0]}:{place[1]})"
                self.emit(logging.LogRecord(_UNTOLD, logging.ERROR, *place, told, None, None))


@dataclass(eq=False)
class _Before:
    """How this process logged before a run: handlers and level of the root, classes of loggers, hooks of Python."""

    handlers: list[logging.Handler]
    level: int
    kinds: dict[str, type[logging.Logger]]
    hooks: tuple[Any, Any, Any] | None = None


class _Setup:
    """How this process logs.

    Attributes:
        handler: Writes to standard error; None where logging belongs to another program.
        before: What is put back when the run is over.
    """

    def __init__(self) -> None:
        self.handler: Handler | None = None
        self.before: _Before | None = None
        self.spare = -1  # standard error, too
        self._file: tuple[int, int] | None = None  # what it leads to

    def make_spare(self) -> None:
        self.drop_spare()
        with contextlib.suppress(OSError):
            self.spare = fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, 3)
            self._file = _file_of(self.spare)

    def is_spare_there(self) -> bool:
        """Whether it is open: user code may close every file, and open others under the same numbers."""
        return self._file is not None and _file_of(self.spare) == self._file

    def drop_spare(self) -> None:
        if self.is_spare_there():
            os.close(self.spare)
        self.spare, self._file = -1, None


def _file_of(descriptor: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


_setup = _Setup()


class SafeLogger(logging.Logger):
    """A logger that arkworker calls: what user code has added to logging, and raises, is not its failure.

    What a run logs does not depend on a collector that is down.
    """

    def makeRecord(self, *args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: N802 - its name
        try:
            return super().makeRecord(*args, **kwargs)
        except Interruption:
            raise
        except BaseException:
            if _setup.handler is None:
                raise
            return _plain_record(*args, **kwargs)

    def handle(self, record: logging.LogRecord) -> None:
        with _told_anyway(record):
            super().handle(record)


@contextlib.contextmanager
def _told_anyway(record: logging.LogRecord) -> Iterator[None]:
    """What handlers and filters of user code raise does not keep a record from being written."""
    try:
        yield
    except Interruption:
        raise
    except BaseException:
        if _setup.handler is None:
            raise
        if record is not _setup.handler.last:
            _setup.handler.emit(record)


def _plain_record(  # noqa: PLR0913, PLR0917 - as `makeRecord` of the standard library
    name: str,
    level: int,
    path: str,
    line: int,
    message: object,
    args: Any,
    exc_info: Any,
    function: str | None = None,
    extra: Mapping[str, object] | None = None,
    stack: str | None = None,
) -> logging.LogRecord:
    """A record that no factory of user code has made."""
    record = logging.LogRecord(name, level, path, line, message, args, exc_info, function, stack)
    vars(record).update(extra or {})
    return record


class HeardLogger(SafeLogger):
    """A logger of arkworker, whose warnings and errors cannot be silenced while a run is under way."""

    @property
    def disabled(self) -> bool:
        return False

    @disabled.setter
    def disabled(self, value: bool) -> None:
        pass  # of `dictConfig`, which means the loggers of others

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - its name
        return (_setup.handler is not None and level >= logging.WARNING) or super().isEnabledFor(level)

    def callHandlers(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name
        if self.hasHandlers() or _setup.handler is None:
            super().callHandlers(record)
        if _setup.handler is not None and record.levelno >= logging.WARNING and not self._is_told(record.levelno):
            _setup.handler.handle(record)

    def _is_told(self, level: int) -> bool:
        """Whether a handler that records come to writes to standard error."""
        logger: logging.Logger | None = self
        while logger is not None:
            for handler in logger.handlers:
                if handler.level <= level and getattr(handler, "stream", None) in _streams():
                    return True
            logger = logger.parent if logger.propagate else None
        return False


_KINDS: dict[str, type[logging.Logger]] = {
    **dict.fromkeys((_ROOM, *(f"{_ROOM}.{part}" for part in _PARTS), _OF_PYTHON), HeardLogger),
    **dict.fromkeys(_OF_LIBRARIES, SafeLogger),
}


def _streams() -> tuple[Any, ...]:
    return sys.stderr, sys.__stderr__, _setup.handler.stream if _setup.handler is not None else sys.stderr


def configure(
    *,
    verbose: bool = False,
    style: Literal["text", "json"] = "text",
    is_colourful: bool = False,
    is_terminal: bool = False,
    stream: TextIO | None = None,
) -> None:
    """Send all logging of this process to a stream, standard error by default.

    Args:
        verbose: Whether DEBUG is logged, too.
        style: How to write.
        is_colourful: Whether levels have colours.
        is_terminal: Whether a person reads along, who wants the names of loggers short.
        stream: Where to.
    """
    handler = Handler(stream or sys.stderr)
    if style == "json":
        is_utf8 = (getattr(handler.stream, "encoding", None) or "utf8").lower().replace("-", "") == "utf8"
        handler.setFormatter(JsonFormatter(ascii_only=not is_utf8))
    else:
        handler.setFormatter(TextFormatter(colour=is_colourful, short=is_terminal))
    handler.ours = handler.formatter
    _setup.before = _setup.before or _now()
    if style == "json":
        _catch_the_rest(_setup.before)
    logging.getLogger().handlers[:] = [handler]
    for name, kind in _KINDS.items():
        logging.getLogger(name).__class__ = kind
    _setup.handler = handler
    forget()
    _setup.make_spare()
    keep_streams()
    set_level(verbose=verbose)


def _now() -> _Before:
    root = logging.getLogger()
    return _Before([*root.handlers], root.level, {name: type(logging.getLogger(name)) for name in _KINDS})


def _catch_the_rest(before: _Before) -> None:
    """What Python itself writes to standard error becomes lines of the log: warnings, errors that reach nobody."""
    before.hooks = before.hooks or (warnings.showwarning, threading.excepthook, sys.unraisablehook)

    def show(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any) -> None:
        logging.getLogger(_OF_PYTHON).warning("%s: %s (%s:%d)", category.__name__, message, filename, lineno)

    def fail(hook: threading.ExceptHookArgs) -> None:
        name = hook.thread.name if hook.thread is not None else "unknown"
        shown = (hook.exc_type, hook.exc_value, hook.exc_traceback) if hook.exc_value is not None else None
        if hook.exc_type is not SystemExit:
            logging.getLogger(_ROOM).error("the thread %s failed", name, exc_info=shown)

    def ignore(hook: sys.UnraisableHookArgs) -> None:
        shown = (hook.exc_type, hook.exc_value, hook.exc_traceback) if hook.exc_value is not None else None
        told = hook.err_msg or "an exception was ignored in"
        logging.getLogger(_ROOM).error("%s %s", told, text_of(hook.object), exc_info=shown)

    warnings.showwarning = show
    threading.excepthook = fail
    sys.unraisablehook = ignore


def keep_streams() -> None:
    """Take the places of standard streams that user code has closed.

    What is opened next would get their numbers, a file of results for one, and the log would be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                if number == 2 and _setup.is_spare_there():  # standard error
                    os.dup2(_setup.spare, number)
                else:
                    os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def release(*, is_last: bool = False) -> None:
    """The run is over: logging is what it was before.

    Args:
        is_last: Whether the process ends, too. What it still says goes where the run has said it, unless logging
            belonged to another program.
    """
    _setup.drop_spare()
    before, _setup.handler = _setup.before, None
    if before is None or (is_last and not before.handlers):
        return
    root = logging.getLogger()
    root.handlers[:] = before.handlers
    root.setLevel(before.level)
    for name, kind in before.kinds.items():
        logging.getLogger(name).__class__ = kind
    if before.hooks is not None:
        warnings.showwarning, threading.excepthook, sys.unraisablehook = before.hooks
    _setup.before = None


class _Relay(Handler):
    """Hands records to the process that writes the log; one that user code forks writes its own.

    Its lines would get between the halves of what this process sends at that moment.
    """

    def __init__(self, send: Callable[[logging.LogRecord], None], formatter: logging.Formatter | None) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(formatter)
        self.ours = formatter
        self._send = send
        self._process = os.getpid()

    def emit(self, record: logging.LogRecord) -> None:
        if os.getpid() != self._process:
            super().emit(record)
            return
        try:
            self._send(portable(record))
            self.last = record
        except Exception:  # noqa: BLE001 - as `emit` of the standard library
            self.handleError(record)


def hand_over(send: Callable[[logging.LogRecord], None], level: int, style: Literal["text", "json"] = "text") -> None:
    """Let another process write the log of this one, from the given level on.

    Args:
        send: Hands it a record.
        level: The lowest level.
        style: How it writes.
    """
    configure(style=style)
    name_processes()
    relay = _Relay(send, logging.getLogger().handlers[0].formatter)
    logging.getLogger().handlers[:] = [relay]
    logging.getLogger().setLevel(level)
    _setup.handler = relay
    if _setup.before is not None:
        _catch_the_rest(_setup.before)


def take_over(record: logging.LogRecord) -> None:
    """Write what another process has handed over."""
    with _told_anyway(record):
        logging.getLogger(record.name).handle(record)


def is_json() -> bool:
    """Whether this process logs JSON."""
    return _setup.handler is not None and isinstance(_setup.handler.formatter, JsonFormatter)


def is_terminal(stream: Any) -> bool:
    """Whether a standard stream is a terminal that can be written to; user code may have closed it, or replaced it."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def set_level(*, verbose: bool) -> None:
    logging.getLogger().setLevel(logging.DEBUG if verbose else logging.INFO)
