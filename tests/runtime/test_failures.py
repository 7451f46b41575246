"""What user code raised, as its author is told, and failures of elements, grouped."""

from __future__ import annotations

import json
import logging
import sysconfig
import traceback
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from arkworker.elements.results import Transcription
from arkworker.errors import ResultError
from arkworker.runtime.failures import Failures, WorkerFailedError, described, failures_of_worker, place_of, trace_of

if TYPE_CHECKING:
    from collections.abc import Callable


class MuteError(Exception):
    """One whose message cannot be read."""

    def __str__(self) -> str:
        raise RuntimeError


def raised_by(code: str) -> Exception:
    """What a worker with this code raises."""
    with pytest.raises((ResultError, json.JSONDecodeError)) as caught:
        exec(compile(code, "worker.py", "exec"), {"__name__": "worker", "Transcription": Transcription, "json": json})
    return caught.value


def test_the_place_is_in_code_that_is_not_ours() -> None:
    """Also where the error comes from within arkworker, or from a library that was called."""
    ours = raised_by("\nTranscription(text=7, confidence=1)")
    library = raised_by("json.loads('{')")

    assert place_of(ours) == ("worker.py", 2)
    assert place_of(library) == ("worker.py", 1)
    assert str(WorkerFailedError.of(ours)) == f"the worker failed: {type(ours).__name__} at worker.py:2"


def test_the_place_in_a_worker_that_is_installed() -> None:
    """Nothing but what is installed is there to be named."""
    with pytest.raises(json.JSONDecodeError) as caught:
        exec(compile("json.loads('{')", json.__file__, "exec"), {"__name__": "worker", "json": json})

    place = place_of(caught.value.with_traceback(caught.tb.tb_next))
    assert place is not None
    assert place[0].endswith("decoder.py")


def test_places_are_found_without_asking_where_python_is_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of elements may fail, each some hundred calls deep."""
    error = raised_by("json.loads('{')")
    place_of(error)
    asked: list[str] = []
    monkeypatch.setattr(sysconfig, "get_path", asked.append)

    assert (place_of(error), asked) == (("worker.py", 1), [])


def test_an_error_that_came_through_no_other_code() -> None:
    """It has no place."""
    assert place_of(ValueError("x")) is None
    assert str(WorkerFailedError.of(ValueError("secret"))) == "the worker failed: ValueError"


def test_a_message_that_cannot_be_read() -> None:
    """The class of user code says what it likes; the line is there all the same."""
    assert described(MuteError()) == "MuteError: its message could not be read"
    assert described(ValueError("a\nb")) == "ValueError: a\\nb"


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt])
def test_whatever_user_code_raises_is_its_failure(kind: type[BaseException], caplog: pytest.LogCaptureFixture) -> None:
    """The traceback goes to the log, or with the error to the process that writes it."""
    with pytest.raises(WorkerFailedError) as logged, failures_of_worker(is_logged=True):
        raise kind
    with pytest.raises(WorkerFailedError) as carried, failures_of_worker(is_logged=False):
        raise kind

    assert [record.message for record in caplog.records] == ["The worker failed"]
    assert logged.value.trace is None
    assert carried.value.trace is not None
    assert f"raise kind\n{kind.__name__}" in carried.value.trace


def test_a_traceback_begins_with_user_code() -> None:
    """What leads there is of no use to the author."""
    try:
        with failures_of_worker(is_logged=False):
            raise_in_worker()
    except WorkerFailedError as error:
        cause = error.__cause__
        assert cause is not None
        names = [frame.name for frame in traceback.extract_tb(trace_of(cause))]

    assert names[-1] == "raise_in_worker"


def raise_in_worker() -> None:
    raise ValueError


def caught(action: Callable[[], object]) -> BaseException:
    try:
        action()
    except BaseException as error:  # noqa: BLE001 - the point of it
        return error
    raise AssertionError("it raised nothing")


def user_code(number: int) -> None:
    if number % 5 == 0:
        raise ValueError(f"page {number} of 'volume {number}' is blank: {UUID(int=number)}")
    if number % 5 < 3:
        Path(f"/nowhere/{number}.pt").read_bytes()
    raise RuntimeError("CUDA out of memory")


def reported(failures: Failures, caplog: pytest.LogCaptureFixture) -> list[str]:
    caplog.clear()
    failures.report()
    return [record.getMessage() for record in caplog.records]


def test_three_errors_of_500_elements(caplog: pytest.LogCaptureFixture) -> None:
    """Each distinct error is one line with its number and elements, the most frequent first, and one traceback."""
    failures = Failures()
    with caplog.at_level(logging.ERROR):
        for number in range(500):
            error = caught(lambda number=number: user_code(number))  # type: ignore[misc]
            failures.add(f"element-{number}", error, traced=True)
        tracebacks = [record for record in caplog.records if record.exc_info]

        lines = reported(failures, caplog)

    named = ", ".join(f"element-{number}" for number in (3, 4, 8, 9, 13, 14, 18, 19, 23, 24))
    assert len(tracebacks) == 3
    assert [line.split(":")[:2] for line in lines] == [
        ["failed 200 times", " FileNotFoundError"],
        ["failed 200 times", " RuntimeError"],
        ["failed 100 times", " ValueError"],
    ]
    assert lines[1].endswith(f"({named} and 190 more)"), lines[1]


def test_results_that_are_wrong_in_two_ways(caplog: pytest.LogCaptureFixture) -> None:
    """What is raised inside arkworker is told apart by the line of user code that it was called from."""
    failures = Failures()
    first = caught(lambda: Transcription(text="A", confidence=2))
    second = caught(lambda: Transcription(text="A", confidence=3))
    assert isinstance(first, ResultError)
    with caplog.at_level(logging.ERROR):
        failures.add("one", first, traced=True)
        failures.add("two", second, traced=True)

        assert len(reported(failures, caplog)) == 2


def test_names_in_messages(caplog: pytest.LogCaptureFixture) -> None:
    """Messages that differ in words, without end, are a few groups, not as many as there are elements."""

    def fail(name: str) -> None:
        raise KeyError(f"nothing is known of {name} and {name[::-1]}")

    failures = Failures()
    with caplog.at_level(logging.ERROR):
        for number in range(300):
            name = "".join(chr(97 + int(digit)) for digit in str(number))
            failures.add(name, caught(lambda name=name: fail(name)), traced=True)  # type: ignore[misc]

        lines = reported(failures, caplog)

    assert len(lines) <= 6
    assert sum(1 if "once" in line else int(line.split()[1]) for line in lines) == 300


def test_answers_of_arkindex(caplog: pytest.LogCaptureFixture) -> None:
    """Errors that were raised nowhere in user code are told apart by their messages, but for ids in them."""
    failures = Failures()
    with caplog.at_level(logging.ERROR):
        for number in range(20):
            failures.add(f"{number}", ResultError(f"{UUID(int=number)} is no element"), traced=False)
        failures.add("20", ResultError("its zone is null"), traced=False)

        lines = reported(failures, caplog)

    assert [line.split(": ")[0] for line in lines] == ["failed 20 times", "failed once"]
