"""Failures of elements, grouped."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from arkworker.elements.results import Transcription
from arkworker.errors import ResultError
from arkworker.runtime.loop.failures import Failures

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


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
