"""What user code raised, as its author is told."""

from __future__ import annotations

import json
import traceback

import pytest

from arkworker.elements.results import Transcription
from arkworker.errors import ResultError
from arkworker.runtime.user_errors import WorkerFailedError, described, failures_of_worker, place_of, trace_of


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
    """Also where the error comes from within arkworker; a library that was called is named."""
    ours = raised_by("\nTranscription(text=7, confidence=1)")
    library = place_of(raised_by("json.loads('{')"))

    assert place_of(ours) == ("worker.py", 2)
    assert library is not None
    assert library[0].endswith("decoder.py")
    assert str(WorkerFailedError.of(ours)) == f"the worker failed: {type(ours).__name__} at worker.py:2"


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
