"""A plain function as a worker."""

from __future__ import annotations

import functools
import inspect
import types
from typing import TYPE_CHECKING, Any, get_args, get_origin

from arkworker.errors import DeclarationError
from arkworker.options.creates import Creates
from arkworker.options.options import bare
from arkworker.runtime.context import WorkerContext
from arkworker.runtime.declaring import HOOKS, check_arguments, check_callable, configuration_of
from arkworker.runtime.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel
    from sqlalchemy.orm import Session


class FunctionWorker(Worker[Any]):
    """Runs a function `(context, cache)`; its docstring is the description, its attributes those of a worker."""

    def __init__(self, function: Callable[..., Any]) -> None:
        name = getattr(function, "__qualname__", type(function).__qualname__)
        check_callable(function, name, HOOKS["run"])
        self.function = function
        self.__doc__ = function.__doc__
        self.configuration = _configuration_of_function(function, name)  # type: ignore[misc]  # of this function alone
        self.uses_cache = bool(getattr(function, "uses_cache", False))
        self.arguments = getattr(function, "arguments", None)
        self.creates = Creates.of(getattr(function, "creates", ()), name)
        check_arguments(self.arguments, name)

    def run(self, context: WorkerContext[Any], cache: Session) -> None:
        self.function(context, cache)


def _configuration_of_function(function: Callable[..., Any], name: str) -> type[BaseModel] | None:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    annotation = next(iter(parameters)).annotation
    if annotation is inspect.Parameter.empty:
        return None
    kind, plain = annotation, _plain(function)
    while isinstance(kind, str):  # quoted, by the author, by the import of annotations, or by both
        kind = _evaluated(kind, plain, name)
    kind = bare(kind)
    if kind in (Any, object, WorkerContext):
        return None
    if get_origin(kind) is not WorkerContext:
        raise DeclarationError(f"{name}: the first parameter is the context: annotate it with WorkerContext[…]")
    return configuration_of(get_args(kind)[0], name, plain.__module__)


def _plain(function: Any) -> types.FunctionType:
    """The function below wrappers, whose names its annotations use."""
    while True:
        function = inspect.unwrap(function)
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, types.MethodType):
            function = function.__func__
        elif isinstance(function, types.FunctionType):
            return function
        else:
            function = type(function).__call__


def _evaluated(annotation: str, function: types.FunctionType, name: str) -> Any:
    """Only this annotation: that of `cache` may name what is imported for type checkers alone."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
    enclosing = {variable: cell.cell_contents for variable, cell in cells if _is_filled(cell)}
    # The context's own type is often imported for type checkers alone, too.
    names = {"WorkerContext": WorkerContext} | function.__globals__ | enclosing
    try:
        return eval(annotation, names)  # noqa: S307 - the author's own annotation
    except Exception as error:  # noqa: BLE001 - whatever the expression does
        hint = "define it at the top of the module, outside of `if TYPE_CHECKING`"
        raise DeclarationError(f"{name}: the type of its context cannot be found ({error}): {hint}") from None


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - it raises where there is nothing in it yet
    except ValueError:
        return False
    return True
