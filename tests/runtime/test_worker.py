"""What a worker over elements makes of its hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from arkworker import Element, ElementsWorker, ResultError, Transcription

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from arkworker.runtime.handover import ElementCode

ONE, TWO = (Transcription(text=text, confidence=1) for text in ("one", "two"))
CONTEXT: Any = object()
ELEMENTS: Any = ("a", "b")


def code_of(worker: ElementsWorker[Any]) -> ElementCode:
    return worker._code(CONTEXT)


class Single(ElementsWorker):
    def process_element(self, element: Element, context: Any, cache: Any) -> Transcription:
        assert (context, cache) == (CONTEXT, "cache")
        return ONE if element == ELEMENTS[0] else TWO


class Batch(ElementsWorker):
    batch_size = 2

    def process_elements(self, elements: Sequence[Element], context: Any, cache: Any) -> Iterator[Any]:
        assert (context, cache) == (CONTEXT, "cache")
        yield from ([ONE], None) if len(elements) > 1 else (iter((TWO,)),)


class Both(Batch):
    def process_element(self, *_: Any) -> list[Transcription]:
        return [ONE, TWO]


def test_one_at_a_time() -> None:
    """What is found comes as a tuple."""
    code = code_of(Single())

    assert (code.process(ELEMENTS[1], "cache"), code.process_batch) == ((TWO,), None)


def test_several_at_once() -> None:
    """As many tuples as elements, from whatever is returned; one that is tried by itself is a sequence of one."""
    code = code_of(Batch())

    assert code.process_batch is not None
    assert (code.batch_size, code.process_batch(ELEMENTS, "cache")) == (2, [(ONE,), ()])
    assert code.process(ELEMENTS[0], "cache") == (TWO,)


def test_one_that_is_tried_by_itself() -> None:
    """With the hook for one, where the worker has it."""
    assert code_of(Both()).process(ELEMENTS[0], "cache") == (ONE, TWO)


def test_nothing_at_all() -> None:
    """None, for all elements of a batch."""

    class W(ElementsWorker):
        def process_elements(self, elements: Any, context: Any, cache: Any) -> None: ...

    code = code_of(W())

    assert code.process_batch is not None
    assert code.process_batch(ELEMENTS, "cache") == [(), ()]


def test_another_number_of_results() -> None:
    """Nobody could tell which belong to which."""

    class W(ElementsWorker):
        def process_elements(self, *_: Any) -> list[Transcription]:
            return [ONE]

    code = code_of(W())

    assert code.process_batch is not None
    with pytest.raises(ResultError, match="one item for each element, in order: 2, not 1"):
        code.process_batch(ELEMENTS, "cache")


def test_batch_size_from_setup() -> None:
    """What was assigned on the worker counts."""
    worker = Batch()
    worker.batch_size = 7

    assert code_of(worker).batch_size == 7


def test_finish() -> None:
    """With the context given."""
    seen = []

    class W(Single):
        def finish(self, context: Any, cache: Any) -> None:
            seen.append((context, cache))

    finish = W()._finish(CONTEXT)

    assert finish is not None
    finish("cache")
    assert seen == [(CONTEXT, "cache")]
