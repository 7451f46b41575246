"""A plain function as a worker."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any

import pytest

import arkworker
from arkworker import UserConfiguration
from arkworker.errors import DeclarationError
from arkworker.runtime.target import FunctionWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.orm import Session

    from arkworker import WorkerContext


class Mine(UserConfiguration):
    count: int = 1


if TYPE_CHECKING:

    class Hidden(UserConfiguration):
        """Known to type checkers alone."""


def usual(context: WorkerContext[Mine], cache: Session) -> None:
    """The usual case."""


def bare(context, cache):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - what is tested
    """Nothing is said."""


def plain(context: WorkerContext, cache: object) -> None: ...
def free(context: WorkerContext[Mapping[str, Any]], cache: object) -> None: ...
def anything(context: Any, cache: object) -> None: ...
def quoted(context: "WorkerContext[Mine]", cache: object) -> None: ...  # noqa: UP037 - what is tested
def annotated(context: Annotated[WorkerContext[Mine], "x"], cache: object) -> None: ...
def dotted(context: arkworker.WorkerContext[Mine], cache: object) -> None: ...
def named_otherwise(c: WorkerContext[Mine], /, *more: object) -> None: ...


class Callable_:  # noqa: N801 - beside the type of that name
    """An object that can be called."""

    def __call__(self, context: WorkerContext[Mine], cache: object) -> None: ...

    def method(self, context: WorkerContext[Mine], cache: object) -> None: ...


def three(context: WorkerContext[Mine], cache: object, more: object) -> None: ...


@functools.wraps(usual)
def wrapped(*args: Any, **kwargs: Any) -> None:
    usual(*args, **kwargs)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (usual, Mine),
        (bare, None),
        (plain, None),
        (anything, None),
        (quoted, Mine),
        (annotated, Mine),
        (dotted, Mine),
        (named_otherwise, Mine),
        (wrapped, Mine),
        (functools.partial(three, more=1), Mine),
        (Callable_(), Mine),
        (Callable_().method, Mine),
        (lambda _context, _cache: None, None),
        (print, None),
    ],
)
def test_configuration_is_that_of_the_context(function: Callable[..., Any], expected: Any) -> None:
    """Whatever kind of function it is, and however the annotation is written."""
    assert FunctionWorker(function).configuration is expected


def test_type_of_an_enclosing_function() -> None:
    """A closure may name what surrounds it, where it uses it."""

    class Local(UserConfiguration):
        count: int = 1

    def run(context: WorkerContext[Local], cache: object) -> type[Local]:
        del context, cache
        return Local

    assert FunctionWorker(run).configuration is Local


def hidden(context: WorkerContext[Hidden], cache: object) -> None: ...
def number(context: int, cache: object) -> None: ...
def mapping(context: dict[str, Mine], cache: object) -> None: ...
def wrong(context: WorkerContext[int], cache: object) -> None: ...
def unpaired(context: WorkerContext[Mine]) -> None: ...
def generator(context: WorkerContext[Mine], cache: object) -> Any:  # noqa: ARG001 - what every worker function takes
    yield


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (hidden, "hidden: the type of its context cannot be found .*Hidden.*outside of `if TYPE_CHECKING`"),
        (number, "number: the first parameter is the context: annotate it with WorkerContext"),
        (mapping, "mapping: the first parameter is the context: annotate it with WorkerContext"),
        (free, "free: the type of its context cannot be found"),
        (wrong, "wrong: the configuration int is not derived from UserConfiguration"),
        (unpaired, r"unpaired\(.*\).* should take \(context, cache\)"),
        (generator, "generator yields"),
    ],
)
def test_mistakes_are_said(function: Callable[..., Any], message: str) -> None:
    """With the name of the function, and what to do."""
    with pytest.raises(DeclarationError, match=message):
        FunctionWorker(function)


def test_attributes_are_those_of_a_worker() -> None:
    """A function may use the cache and have flags."""

    def run(context: object, cache: object) -> None:
        """Does it."""
        del context, cache

    run.uses_cache = True  # type: ignore[attr-defined]
    run.arguments = Mine  # type: ignore[attr-defined]
    worker = FunctionWorker(lambda _context, _cache: None)
    marked = FunctionWorker(functools.wraps(run)(lambda _context, _cache: None))

    assert (worker.uses_cache, worker.arguments) == (False, None)
    assert (marked.uses_cache, marked.arguments, marked.__doc__) == (True, Mine, "Does it.")


def test_function_is_called() -> None:
    """With context and cache."""
    called: list[Any] = []

    FunctionWorker(lambda *args: called.append(args)).run("context", "cache")  # type: ignore[arg-type]

    assert called == [("context", "cache")]
