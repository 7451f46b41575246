"""Logging to standard error: text, coloured on a terminal, or one JSON object a line; never with a URL's query.

What arkworker itself has to say of a run reaches standard error whatever user code does to logging: `dictConfig`
disables the loggers that are there, and libraries call it at their first use.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import math
import os
import re
import sys
import threading
import time
import warnings
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TextIO

from pydantic_core import to_jsonable_python

from arkworker.runtime.stopping import Interruption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Literal

# A presigned URL carries its signature there.
_QUERY = re.compile(r"(https?://[^\s?'\"<>]+\?)[^\s'\"<>]+")
_COLOURS = {"WARNING": "\033[33m", "ERROR": "\033[31m", "CRITICAL": "\033[31;1m", "DEBUG": "\033[2m"}
_RESET = "\033[0m"
_ROOM = "arkworker"
#: The loggers of arkworker; their names are those of parts that a user knows.
_PARTS = ("elements", "api", "cache", "publishing", "results", "archives", "images", "secrets")
# Made directly, here and below: the factory of records may be one of user code, that adds to them, or raises.
_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {"message", "asctime", "taskName"}
_OF_PYTHON = "py.warnings"
#: Loggers of the libraries that arkworker itself calls.
_OF_LIBRARIES = ("gnupg", "urllib3.connectionpool")

_element: ContextVar[str | None] = ContextVar("arkworker_element", default=None)


def mask(text: str) -> str:
    return _QUERY.sub(r"\1…", text)


class TextFormatter(logging.Formatter):
    """`2026-01-31 12:30:00 INFO  arkworker.elements: message`; shorter for a person at a terminal."""

    converter = time.gmtime  # type: ignore[assignment]  # as the manual of logging says

    def __init__(self, *, colour: bool, short: bool = False) -> None:
        moment = "%H:%M:%S" if short else "%Y-%m-%d %H:%M:%S"
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", moment)
        self.colour = colour
        self.short = short

    def format(self, record: logging.LogRecord) -> str:
        text = mask(super().format(record))
        colour = _COLOURS.get(record.levelname, "") if self.colour else ""
        return f"{colour}{text}{_RESET}" if colour else text

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - its name
        if not self.short and not _setup.names_processes:
            return super().formatMessage(record)
        whole = record.name
        if self.short:
            record.name = whole.rpartition(".")[2]
        if _setup.names_processes:
            record.name += f"[{record.process}]"
        try:
            return super().formatMessage(record)
        finally:
            record.name = whole


class JsonFormatter(logging.Formatter):
    """One object a line.

    `time` (UTC, ISO 8601, milliseconds), `level`, `logger`, `message`; where known `run`, `phase`, `element` and
    `traceback`; and what was given as `extra`.
    """

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__()
        self.ascii_only = ascii_only

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if _setup.names_processes:
            fields["process"] = record.process
        fields |= _setup.facts
        if (element := _element.get()) is not None:
            fields["element"] = element
        given = vars(record)
        fields |= {name: given[name] for name in given if name not in _STANDARD and name not in fields}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        elif record.exc_text:  # of another process
            fields["traceback"] = record.exc_text
        if record.stack_info:
            fields["stack"] = record.stack_info
        return json.dumps(_as_json(fields), ensure_ascii=self.ascii_only)


def _as_json(value: Any) -> Any:
    """A value as JSON can hold it, masked; what it has no numbers for is text."""
    if isinstance(value, str):
        return mask(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    found = to_jsonable_python(value, fallback=str)
    return _as_json(found) if isinstance(found, dict | list | float) else mask(str(found))


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
            super().handleError(record)


class _Setup:
    """How this process logs.

    Attributes:
        handler: Writes to standard error; None where logging is somebody else's.
        facts: What each JSON line says of the run.
        names_processes: Whether each line says which process it is of, by its id.
    """

    def __init__(self) -> None:
        self.handler: Handler | None = None
        self.facts: dict[str, str] = {}
        self.names_processes = False
        self.hooks: tuple[Any, Any] | None = None
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

    What a run has to say is no business of a collector that is down.
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
    """What handlers and filters of user code raise keeps nobody from reading a record."""
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
    """A logger of arkworker, whose warnings and errors nobody can silence while a run is under way."""

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
        _catch_the_rest()
    else:
        handler.setFormatter(TextFormatter(colour=is_colourful, short=is_terminal))
    handler.ours = handler.formatter
    logging.getLogger().handlers[:] = [handler]
    for name in (_ROOM, *(f"{_ROOM}.{part}" for part in _PARTS), _OF_PYTHON):
        logging.getLogger(name).__class__ = HeardLogger
    for name in _OF_LIBRARIES:
        logging.getLogger(name).__class__ = SafeLogger
    _setup.handler, _setup.facts, _setup.names_processes = handler, {}, False
    _setup.make_spare()
    keep_streams()
    set_level(verbose=verbose)


def _catch_the_rest() -> None:
    """What Python itself writes to standard error becomes lines of the log: warnings, and errors of threads."""
    _setup.hooks = _setup.hooks or (warnings.showwarning, threading.excepthook)

    def show(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any) -> None:
        logging.getLogger(_OF_PYTHON).warning("%s: %s (%s:%d)", category.__name__, message, filename, lineno)

    def fail(hook: threading.ExceptHookArgs) -> None:
        name = hook.thread.name if hook.thread is not None else "unknown"
        shown = (hook.exc_type, hook.exc_value, hook.exc_traceback) if hook.exc_value is not None else None
        if hook.exc_type is not SystemExit:
            logging.getLogger(_ROOM).error("the thread %s failed", name, exc_info=shown)

    warnings.showwarning = show
    threading.excepthook = fail


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


def release() -> None:
    """The run is over: logging is what user code, or a test, makes of it."""
    _setup.drop_spare()
    if _setup.hooks is not None:
        warnings.showwarning, threading.excepthook = _setup.hooks
    _setup.handler, _setup.hooks = None, None


def name_processes() -> None:
    """There are several processes now: each line says which one it is of."""
    _setup.names_processes = True


class _Relay(Handler):
    """Hands records to the process that writes the log."""

    def __init__(self, send: Callable[[logging.LogRecord], None]) -> None:
        super().__init__(sys.stderr)
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._send(self._portable(record))
            self.last = record
        except Exception:  # noqa: BLE001 - as `emit` of the standard library
            self.handleError(record)

    def _portable(self, record: logging.LogRecord) -> logging.LogRecord:
        """The same, with nothing in it that could not be sent."""
        text = record.exc_text or (logging.Formatter().formatException(record.exc_info) if record.exc_info else None)
        plain = {name: value for name, value in vars(record).items() if name in _STANDARD}
        extra = {name: _as_json(value) for name, value in vars(record).items() if name not in _STANDARD}
        if (element := _element.get()) is not None:
            extra["element"] = element
        plain |= {"msg": record.getMessage(), "args": None, "exc_info": None, "exc_text": text}
        portable = logging.LogRecord("", 0, "", 0, "", None, None)
        vars(portable).update(plain | extra)
        return portable


def hand_over(send: Callable[[logging.LogRecord], None], level: int) -> None:
    """Let another process write the log of this one, from the given level on."""
    configure()
    relay = _Relay(send)
    logging.getLogger().handlers[:] = [relay]
    logging.getLogger().setLevel(level)
    _setup.handler = relay


def take_over(record: logging.LogRecord) -> None:
    """Write what another process has handed over."""
    with _told_anyway(record):
        logging.getLogger(record.name).handle(record)


def is_json() -> bool:
    """Whether this process logs JSON."""
    return _setup.handler is not None and isinstance(_setup.handler.formatter, JsonFormatter)


def note(**facts: str) -> None:
    """What each JSON line says from now on, such as the `run` and its `phase`."""
    _setup.facts |= facts


@contextlib.contextmanager
def about(element_id: str) -> Iterator[None]:
    """While the block lasts, JSON lines of this thread name the element."""
    token = _element.set(element_id)
    try:
        yield
    finally:
        _element.reset(token)


def is_on_terminal() -> bool:
    """Whether standard error is a terminal that can be written to; user code may have closed it, or replaced it."""
    return sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()


def set_level(*, verbose: bool) -> None:
    logging.getLogger().setLevel(logging.DEBUG if verbose else logging.INFO)
