"""What a line of the log says: text, coloured on a terminal, or one JSON object; never a URL's query.

Each JSON line names the run, its phase and the element that it is about, where they are known.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import re
import time
from collections.abc import Iterator
from contextvars import ContextVar
from itertools import islice
from typing import Any

from pydantic_core import to_jsonable_python

from arkworker.runtime.stopping import Interruption

# A presigned URL carries its signature there.
_QUERY = re.compile(r"(https?://[^\s?'\"<>]+\?)[^\s'\"<>]+")
_COLOURS = {"WARNING": "\033[33m", "ERROR": "\033[31m", "CRITICAL": "\033[31;1m", "DEBUG": "\033[2m"}
_RESET = "\033[0m"
_MOST_VALUES = 10_000  # of all that one line is given
_DEEPEST = 20  # levels of them
_MOST_BITS = 1024  # of a number, which readers may keep in 64
# Made directly: the factory of records may be one of user code, that adds to them, or raises.
_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {"message", "asctime", "taskName"}

_element: ContextVar[str | None] = ContextVar("arkworker_element", default=None)


class _Said:
    """What the lines of this process say beside their messages.

    Attributes:
        facts: Of the run; in JSON.
        names_processes: Whether each line says which process it is of, by its id.
    """

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}
        self.names_processes = False


_said = _Said()


def forget() -> None:
    """Begin anew: lines say nothing of a run."""
    _said.facts, _said.names_processes = {}, False


def note(**facts: str) -> None:
    """What each JSON line says from now on, such as the `run` and its `phase`."""
    _said.facts |= facts


@contextlib.contextmanager
def about(element_id: str) -> Iterator[None]:
    """While the block lasts, JSON lines of this thread name the element."""
    token = _element.set(element_id)
    try:
        yield
    finally:
        _element.reset(token)


def name_processes() -> None:
    """There are several processes now: each line says which one it is of."""
    _said.names_processes = True


def portable(record: logging.LogRecord) -> logging.LogRecord:
    """The same record, as another process can write it: with what is known here, and nothing that could not be sent."""
    text = record.exc_text or (logging.Formatter().formatException(record.exc_info) if record.exc_info else None)
    message, extra = message_of(record)
    plain = {name: value for name, value in vars(record).items() if name in _STANDARD}
    extra |= {name: _Shown().value(value) for name, value in vars(record).items() if name not in _STANDARD}
    if (element := _element.get()) is not None:
        extra["element"] = element
    plain |= {"msg": message, "args": None, "exc_info": None, "exc_text": text}
    made = logging.LogRecord("", 0, "", 0, "", None, None)
    vars(made).update(plain | _said.facts | extra)
    return made


def mask(text: str) -> str:
    """The text, with `…` in place of the query of each web address in it."""
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
        if not self.short and not _said.names_processes:
            return super().formatMessage(record)
        whole = record.name
        if self.short:
            record.name = whole.rpartition(".")[2]
        if _said.names_processes:
            record.name += f"[{record.process}]"
        try:
            return super().formatMessage(record)
        finally:
            record.name = whole


class JsonFormatter(logging.Formatter):
    """One object a line.

    `time` (UTC, ISO 8601, milliseconds), `level`, `logger`, `message`; where known `run`, `phase`, `element` and
    `traceback`; and what was given as `extra`.

    python-json-logger would be less code of ours, but writes `NaN`, which is not JSON, shows the signatures of
    addresses in `extra`, and takes some milliseconds to import.
    """

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__()
        self.ascii_only = ascii_only

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        message, fault = message_of(record)
        fields: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": message,
        }
        if _said.names_processes:
            fields["process"] = record.process
        fields |= _said.facts
        if (element := _element.get()) is not None:
            fields["element"] = element
        trace = self.formatException(record.exc_info) if record.exc_info else record.exc_text  # of another process
        fields |= {"traceback": trace} if trace else {}
        fields |= ({"stack": record.stack_info} if record.stack_info else {}) | fault
        for name, value in vars(record).items():
            if name in _STANDARD:
                continue
            if name not in fields:
                fields[name] = value
            elif not (type(value) is str and fields[name] == value):
                fields[f"extra_{name}"] = value
        return json.dumps(_Shown().value(fields), ensure_ascii=self.ascii_only)


class _Shown:
    """Makes JSON of what a line of the log is given, masked, and within bounds: it may have any size and form.

    What cannot be shown, since its own methods raise, is named instead: a line is never lost.
    """

    def __init__(self) -> None:
        self._left = _MOST_VALUES
        self._above: list[int] = []  # ids of what holds the present value

    def value(self, value: Any) -> Any:
        """The value as JSON can hold it; what it has no numbers for is text."""
        self._left -= 1
        if self._left < 0 or len(self._above) > _DEEPEST or id(value) in self._above:
            return "…"
        self._above.append(id(value))
        try:
            return self._plain(value)
        except Interruption:
            raise
        except BaseException:  # noqa: BLE001 - of user code, whatever it raises
            return text_of(value)
        finally:
            self._above.pop()

    def _plain(self, value: Any) -> Any:  # noqa: PLR0911 - one for each kind of value
        if isinstance(value, str):
            return mask(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return int(value) if value.bit_length() <= _MOST_BITS else hex(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else str(value)
        if isinstance(value, dict):
            return {text_of(key): self.value(item) for key, item in islice(value.items(), _MOST_VALUES)}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value[:_MOST_VALUES]]
        if isinstance(value, Iterator):  # it is not ours to take from
            return text_of(value)
        found = to_jsonable_python(value, fallback=text_of)
        return mask(found) if isinstance(found, str) else self.value(found)


def text_of(value: Any) -> str:
    """A value as text, masked; its type, where its own code raises."""
    try:
        return mask(str(value))
    except Interruption:
        raise
    except BaseException:  # noqa: BLE001 - of user code, whatever it raises
        return f"<{type(value).__name__} that cannot be shown>"


def message_of(record: logging.LogRecord) -> tuple[str, dict[str, str]]:
    """The message; where its arguments do not fit, the message without them, and what to tell of that."""
    try:
        return record.getMessage(), {}
    except Interruption:
        raise
    except BaseException as error:  # noqa: BLE001 - of user code, whatever it raises
        told = f"{type(error).__name__}: {text_of(error)} ({record.pathname}:{record.lineno})"
        return text_of(record.msg), {"logging_error": told}
