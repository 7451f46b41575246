"""Logging: text or JSON, coloured where it is wanted, without what addresses hide."""

from __future__ import annotations

import io
import itertools
import json
import logging
import logging.config
import os
import re
import subprocess
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pytest

from arkworker.runtime import log_lines, logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _same_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    loggers = [logger for logger in root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    disabled = [logger.disabled for logger in loggers]
    yield
    for handler in root.handlers:
        if isinstance(handler, logging.FileHandler):
            handler.close()
    logs.release()
    log_lines.forget()
    for logger, was_disabled in zip(loggers, disabled, strict=True):
        logger.disabled = was_disabled
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(message: str, *args: Any, level: int = logging.WARNING, **how: Any) -> str:
    stream = io.StringIO()
    logs.configure(stream=stream, **how)
    logging.getLogger("some.library").log(level, message, *args)
    return stream.getvalue()


def test_text() -> None:
    """Time in UTC, level, logger, message."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d WARNING some\.library: a 1\n", logged("a %d", 1))


def test_json() -> None:
    """One object a line, whatever is in the message."""
    line = logged("a\nb %s", "é", style="json")

    data = json.loads(line)
    assert (line.count("\n"), sorted(data)) == (1, ["level", "logger", "message", "time"])
    assert (data["level"], data["logger"], data["message"]) == ("WARNING", "some.library", "a\nb é")


def test_traceback_in_json() -> None:
    """In a field of its own."""
    stream = io.StringIO()
    logs.configure(stream=stream, style="json")
    try:
        int("https://storage.test/x?signature=canary")
    except ValueError:
        logging.getLogger("x").exception("failed")

    data = json.loads(stream.getvalue())
    assert ("https://storage.test/x?…" in data["traceback"], "canary" in stream.getvalue()) == (True, False)


@pytest.mark.parametrize("style", ["text", "json"])
def test_queries_are_masked(style: str) -> None:
    """A presigned address carries its signature there."""
    line = logged("GET https://storage.test/x?signature=canary and http://y.test/?a=canary", style=style)

    assert ("canary" in line, "https://storage.test/x?…" in line) == (False, True)


@pytest.mark.parametrize(("is_colourful", "expected"), [(True, True), (False, False)])
def test_colour(*, is_colourful: bool, expected: bool) -> None:
    """As the environment says."""
    assert ("\033[33m" in logged("a", is_colourful=is_colourful)) == expected


@pytest.mark.parametrize(("verbose", "expected"), [(True, True), (False, False)])
def test_level(*, verbose: bool, expected: bool) -> None:
    """DEBUG where it is asked for."""
    assert bool(logged("a", level=logging.DEBUG, verbose=verbose)) == expected


def test_all_loggers_go_there_once() -> None:
    """Handlers that were there before are gone."""
    logging.getLogger().addHandler(logging.StreamHandler(io.StringIO()))

    assert logged("a").count("\n") == 1
    assert len(logging.getLogger().handlers) == 1


REPLACED = {
    "by nothing": {},
    "by a file": {
        "handlers": {"h": {"class": "logging.FileHandler", "filename": "/dev/null"}},
        "root": {"handlers": ["h"]},
    },
    "by nothing that is shown": {"root": {"level": "CRITICAL"}},
}


@pytest.mark.parametrize("configuration", REPLACED.values(), ids=REPLACED)
def test_logging_that_user_code_configured(configuration: dict[str, Any]) -> None:
    """Failures reach standard error all the same, at once."""
    stream = io.StringIO()
    logs.configure(stream=stream)

    logging.config.dictConfig({"version": 1, **configuration})
    logging.getLogger("arkworker.elements").error("told")

    assert [line.split(": ")[-1] for line in stream.getvalue().splitlines()] == ["told"]


def test_logging_that_user_code_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings and errors of arkworker are told; what others say is theirs to silence."""
    stream = io.StringIO()
    logs.configure(stream=stream)
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    logging.getLogger("arkworker.elements").error("told")
    logging.getLogger("some.library").error("silenced")

    assert [line.split(": ")[-1] for line in stream.getvalue().splitlines()] == ["told"]


def test_handler_of_user_code_on_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has told is not told twice."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    logs.configure()
    logging.config.dictConfig(
        {
            "version": 1,
            "handlers": {"h": {"class": "logging.StreamHandler"}},
            "root": {"level": "INFO", "handlers": ["h"]},
        }
    )

    logging.getLogger("arkworker.elements").error("told")

    assert stream.getvalue() == "told\n"


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


class Strange:
    """What JSON knows nothing of."""

    def __repr__(self) -> str:
        return "strange"


def test_extra_in_json() -> None:
    """Beside the message, in whatever type; no number that JSON does not have, and no signature of an address."""
    stream = io.StringIO()
    logs.configure(stream=stream, style="json")
    extra = {
        "loss": float("nan"),
        "items": (1, None, {"k": 2.5}),
        "thing": Strange(),
        "url": 'https://a.test/?sig=canary"',
        "level": "mine",
    }

    logging.getLogger("x").warning("m", extra=extra)

    (line,) = lines_of(stream)
    assert {name: line[name] for name in extra} == {
        "loss": "nan",
        "items": [1, None, {"k": 2.5}],
        "thing": "strange",
        "url": 'https://a.test/?…"',
        "level": "WARNING",
    }


class Unshowable:
    """User code that raises when it is shown."""

    def __repr__(self) -> str:
        raise SystemExit(1)

    def items(self) -> Any:
        raise ValueError


LOOP: dict[str, Any] = {"x": 1}
LOOP["loop"] = [LOOP]
WIDE: list[Any] = [1]
for _ in range(40):
    WIDE = [WIDE] * 10


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Unshowable(), "<Unshowable that cannot be shown>"),
        ({"k": Unshowable()}, {"k": "<Unshowable that cannot be shown>"}),
        ({Unshowable(): 1}, {"<Unshowable that cannot be shown>": 1}),
        (LOOP, {"x": 1, "loop": ["…"]}),
        (b"\xff", "b'\\xff'"),
        (10**5000, hex(10**5000)),
        (np.array([1.5, 2]), "[1.5 2. ]"),
        (np.float32("inf"), "inf"),
        (itertools.count(), "count(0)"),
        ({"https://a.test/?sig=canary": 1}, {"https://a.test/?…": 1}),
    ],
    ids=["raises", "value", "key", "loop", "bytes", "digits", "array", "infinite", "iterator", "signed key"],
)
def test_exotic_extra_in_json(given: Any, expected: Any) -> None:
    """It is shown as far as it can be, and named else."""
    stream = io.StringIO()
    logs.configure(stream=stream, style="json")

    logging.getLogger("x").warning("m", extra={"given": given})

    assert [line["given"] for line in lines_of(stream)] == [expected]


def test_the_size_of_extra_in_json_is_bounded() -> None:
    """Lists that refer to each other would be written without end."""
    stream = io.StringIO()
    logs.configure(stream=stream, style="json")

    logging.getLogger("x").warning("m", extra={"wide": WIDE})

    assert (len(lines_of(stream)), len(stream.getvalue()) < 200_000) == (1, True)


def test_names_of_fields_as_extra_in_json() -> None:
    """What would stand in the place of something else gets a name of its own."""
    stream = io.StringIO()
    logs.configure(stream=stream, style="json")
    log_lines.note(run="r")

    logging.getLogger("x").warning("m", extra={"run": "mine", "time": np.array([1])})

    (line,) = lines_of(stream)
    assert (line["run"], line["extra_run"], line["extra_time"], "extra_level" in line) == ("r", "mine", "[1]", False)


def test_arguments_that_do_not_fit_in_json() -> None:
    """The message is there, and what was wrong, with the place."""
    stream = io.StringIO()
    logs.configure(stream=stream, style="json")
    logging.getLogger("x").warning("%d pages", "many")
    logging.getLogger("x").warning(Unshowable())

    first, second = lines_of(stream)
    assert (first["message"], first["logging_error"].startswith("TypeError: %d format")) == ("%d pages", True)
    assert f"({__file__}:" in first["logging_error"]
    assert second["message"] == "<Unshowable that cannot be shown>"


def test_line_that_cannot_be_written_in_json() -> None:
    """A line says so."""
    stream = io.StringIO()
    logs.configure(stream=stream, style="json")

    logging.getLogger("x").warning("m", exc_info=(ValueError, "no exception", None))  # type: ignore[arg-type]

    (line,) = lines_of(stream)
    assert line["message"].startswith("a line could not be written: ")


def test_record_of_another_process_in_json() -> None:
    """It is made fit to be sent, whatever it holds."""
    stream = io.StringIO()
    logs.configure(stream=stream, style="json")
    record = logging.LogRecord("x", logging.WARNING, "w.py", 3, "%d pages", ("many",), None)
    record.given = Unshowable()
    log_lines.note(phase="setup")
    sent = log_lines.portable(record)
    log_lines.forget()

    logs.take_over(sent)

    (line,) = lines_of(stream)
    assert (line["message"], line["given"]) == ("%d pages", "<Unshowable that cannot be shown>")
    assert line["phase"] == "setup"
    assert line["logging_error"].startswith("TypeError")


@pytest.mark.parametrize("style", ["text", "json"])
def test_process_that_is_forked_from_one_that_hands_over(
    style: Literal["text", "json"], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It writes for itself, in the same style: what it hands over would get between the lines of the other."""
    sent: list[logging.LogRecord] = []
    logs.hand_over(sent.append, logging.INFO, style)
    logging.getLogger("x").info("of the run")
    monkeypatch.setattr(os, "getpid", lambda: -1)

    logging.getLogger("x").info("of a child")

    line = capsys.readouterr().err
    assert [record.getMessage() for record in sent] == ["of the run"]
    assert (json.loads(line)["message"] if style == "json" else line.rstrip().partition(": ")[2]) == "of a child"


def test_run_and_element_in_json() -> None:
    """Where they are known, with milliseconds."""
    stream = io.StringIO()
    logs.configure(stream=stream, style="json")
    log_lines.note(run="r", phase="run")
    with log_lines.about("e"):
        logging.getLogger("x").warning("m")
    logging.getLogger("x").warning("m")

    inside, outside = lines_of(stream)
    assert [inside.get(name) for name in ("run", "phase", "element")] == ["r", "run", "e"]
    assert "element" not in outside
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", inside["time"])


def test_process_in_json() -> None:
    """Where there are several, each line has the id of its own, once."""
    stream = io.StringIO()
    logs.configure(stream=stream, style="json")
    log_lines.name_processes()
    logging.getLogger("x").warning("m")

    (line,) = lines_of(stream)
    assert {name: value for name, value in line.items() if "process" in name} == {"process": os.getpid()}


class Dying:
    def __del__(self) -> None: ...


class Ignored(NamedTuple):
    """What the hook gets."""

    exc_type: type[BaseException]
    exc_value: BaseException
    exc_traceback: None
    err_msg: str | None
    object: Any


def test_warnings_and_threads_in_json() -> None:
    """What Python itself would write to standard error are lines, too; until the run is over."""
    hooks = warnings.showwarning, threading.excepthook, sys.unraisablehook
    stream = io.StringIO()
    logs.configure(stream=stream, style="json")
    thread = threading.Thread(target=int, args=("x",), name="mine")
    thread.start()
    thread.join()
    warnings.showwarning(UserWarning("odd"), UserWarning, "w.py", 3)
    given: Any = Ignored(ValueError, ValueError("in the end"), None, None, Dying.__del__)
    sys.unraisablehook(given)
    logs.release()

    failed, odd, ignored = lines_of(stream)
    assert (failed["message"], "ValueError" in failed["traceback"]) == ("the thread mine failed", True)
    assert (odd["message"], odd["logger"]) == ("UserWarning: odd (w.py:3)", "py.warnings")
    assert ignored["message"].startswith("an exception was ignored in <function Dying.__del__")
    assert "in the end" in ignored["traceback"]
    assert (warnings.showwarning, threading.excepthook, sys.unraisablehook) == hooks


def test_json_outside_utf8() -> None:
    """Escapes of JSON, not those of Python."""
    content = io.BytesIO()
    stream = io.TextIOWrapper(content, encoding="ascii", errors="backslashreplace", write_through=True)
    logs.configure(stream=stream, style="json")

    logging.getLogger("x").warning("été")

    assert json.loads(content.getvalue())["message"] == "été"


def test_stream_that_user_code_closed(capfd: pytest.CaptureFixture[str]) -> None:
    """The file behind it is still there."""
    stream = io.StringIO()
    logs.configure(stream=stream)
    stream.close()

    logging.getLogger("arkworker").error("told")

    assert capfd.readouterr().err.endswith("told\n")


CLOSED = """
import logging, os, sys
from arkworker.runtime import log_lines, logs
logs.configure()
os.close(2)
logs.keep_streams()
number = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
logging.getLogger("arkworker.elements").warning("told")
os.closerange(0, 64)
logs.keep_streams()
sys.exit(number if os.open(sys.argv[1], os.O_RDONLY) > 2 else 1)
"""


def test_descriptors_that_user_code_closed(tmp_path: Path) -> None:
    """Their numbers go to no other file; what is logged still reaches standard error."""
    done = subprocess.run(
        [sys.executable, "-c", CLOSED, str(tmp_path / "f")], capture_output=True, text=True, check=False
    )

    assert done.returncode > 2
    assert done.stderr.endswith("WARNING arkworker.elements: told\n")
    assert (tmp_path / "f").read_bytes() == b""


def fail(*_: Any, **__: Any) -> Any:
    """User code that is called while something is logged."""
    raise FAILURES[-1]


FAILURES: list[BaseException] = [RuntimeError("the collector is down")]


def _add_handler(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", fail)
    logger.root.handlers.insert(place, handler)


def _break_formatter(_: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    formatter = logging.Formatter()
    monkeypatch.setattr(formatter, "format", fail)
    logging.getLogger().handlers[0].setFormatter(formatter)


BREAKS: dict[str, Callable[[logging.Logger, pytest.MonkeyPatch], None]] = {
    "handler before ours": lambda logger, patch: _add_handler(logger, patch, 0),
    "handler after ours": lambda logger, patch: _add_handler(logger, patch, 1),
    "formatter": _break_formatter,
    "filter": lambda logger, patch: patch.setattr(logger, "filters", [fail]),
    "filter of our handler": lambda *_: logging.getLogger().handlers[0].addFilter(fail),
    "record factory": lambda _, patch: patch.setattr(logging, "_logRecordFactory", fail),
}


@pytest.mark.parametrize("error", [RuntimeError("down"), SystemExit(0)], ids=["exception", "exit"])
@pytest.mark.parametrize("break_logging", BREAKS.values(), ids=BREAKS)
@pytest.mark.parametrize("name", ["arkworker.elements", "urllib3.connectionpool"])
def test_logging_of_user_code_that_raises(
    name: str,
    break_logging: Callable[[logging.Logger, pytest.MonkeyPatch], None],
    error: BaseException,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a run has to say is told once all the same, and does not fail."""
    monkeypatch.setattr(sys.modules[__name__], "FAILURES", [error])
    stream = io.StringIO()
    logs.configure(stream=stream)
    logger = logging.getLogger(name)
    break_logging(logger, monkeypatch)

    logger.warning("told %d", 1)

    assert [line.partition(" WARNING ")[2] for line in stream.getvalue().splitlines()] == [f"{name}: told 1"]


def test_record_of_another_process() -> None:
    """A handler of user code that raises does not fail who takes it over."""
    stream = io.StringIO()
    logs.configure(stream=stream)
    with pytest.MonkeyPatch.context() as patch:
        _add_handler(logging.getLogger("some.library"), patch, 0)
        logs.take_over(logging.LogRecord("some.library", logging.INFO, "", 0, "told", None, None))

    assert stream.getvalue().endswith("INFO    some.library: told\n")


def test_names_on_a_terminal() -> None:
    """No paths of modules, and the time of the day."""
    assert re.fullmatch(r"\d\d:\d\d:\d\d WARNING library: a\n", logged("a", is_terminal=True))


@pytest.mark.parametrize("style", ["text", "json"])
def test_logging_is_given_back(style: Any) -> None:
    """A program that has runs in it logs as before, once they are over."""

    def state() -> Any:
        names = ("arkworker", "arkworker.elements", "py.warnings", "urllib3.connectionpool")
        kinds = [type(logging.getLogger(name)) for name in names]
        hooks = warnings.showwarning, threading.excepthook, sys.unraisablehook
        return logging.getLogger().level, list(logging.getLogger().handlers), kinds, hooks

    before = state()
    for _ in range(2):
        logs.configure(stream=io.StringIO(), style=style, verbose=True)
        logs.configure(stream=io.StringIO(), style=style)
        assert state() != before
        logs.release(is_last=True)
        assert state() == before


def test_logging_of_a_process_that_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said at its very end goes where the run has said it."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    stream = io.StringIO()
    logs.configure(stream=stream, style="json")
    logs.release(is_last=True)

    logging.getLogger("x").warning("late")
    warnings.showwarning(UserWarning("odd"), UserWarning, "w.py", 3)
    assert [line["message"] for line in lines_of(stream)] == ["late", "UserWarning: odd (w.py:3)"]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("style", ["text", "json"])
def test_log_of_a_forked_process(monkeypatch: pytest.MonkeyPatch, style: Any) -> None:
    """Where another process writes the log, it writes its own: a thread that it lacks may hold the way there."""
    reader, writer = os.pipe()
    sent: list[logging.LogRecord] = []
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        logs.hand_over(sent.append, logging.INFO, style)
        pid = os.fork()
        if pid == 0:
            logging.getLogger("x").warning("m")
            os._exit(len(sent))
    with os.fdopen(reader, encoding="utf-8") as written:
        line = written.read()

    assert os.waitpid(pid, 0)[1] == 0
    assert (f"[{pid}]: m\n" in line) if style == "text" else (json.loads(line)["process"] == pid)
