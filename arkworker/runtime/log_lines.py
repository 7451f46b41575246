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
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

if TYPE_CHECKING:
    from collections.abc import Iterator

# A presigned URL carries its signature there.
_QUERY = re.compile(r"(https?://[^\s?'\"<>]+\?)[^\s'\"<>]+")
_COLOURS = {"WARNING": "\033[33m", "ERROR": "\033[31m", "CRITICAL": "\033[31;1m", "DEBUG": "\033[2m"}
_RESET = "\033[0m"
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
    """The same record, with nothing in it that could not be sent to another process."""
    text = record.exc_text or (logging.Formatter().formatException(record.exc_info) if record.exc_info else None)
    plain = {name: value for name, value in vars(record).items() if name in _STANDARD}
    extra = {name: _as_json(value) for name, value in vars(record).items() if name not in _STANDARD}
    if (element := _element.get()) is not None:
        extra["element"] = element
    plain |= {"msg": record.getMessage(), "args": None, "exc_info": None, "exc_text": text}
    made = logging.LogRecord("", 0, "", 0, "", None, None)
    vars(made).update(plain | extra)
    return made


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
        fields: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if _said.names_processes:
            fields["process"] = record.process
        fields |= _said.facts
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
