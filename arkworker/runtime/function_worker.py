"""A plain function as a worker."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, get_args

from arkworker.errors import DeclarationError
from arkworker.runtime.worker import Worker, check_arguments, configuration_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from arkworker.configuration import UserConfiguration
    from arkworker.runtime.context import WorkerContext


class FunctionWorker(Worker[Any]):
    """Runs a function `(context, cache)`; its docstring is the description, its attributes those of a worker."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__doc__ = function.__doc__
        self.configuration = _configuration_of_function(function)  # type: ignore[misc]  # of this function alone
        self.uses_cache = bool(getattr(function, "uses_cache", False))  # type: ignore[misc]
        self.arguments = getattr(function, "arguments", None)  # type: ignore[misc]
        check_arguments(self.arguments, function.__qualname__)

    def run(self, context: WorkerContext[Any], cache: Session) -> None:
        self.function(context, cache)


def _configuration_of_function(function: Callable[..., Any]) -> type[UserConfiguration] | None:
    parameters = list(inspect.signature(function).parameters.values())
    if len(parameters) != 2:
        raise DeclarationError(f"{function.__qualname__}: a worker function takes (context, cache)")
    annotation = parameters[0].annotation
    if isinstance(annotation, str):
        # Only this one: the annotation of `cache` may name what is imported for type checkers alone.
        try:
            annotation = eval(annotation, function.__globals__)  # noqa: S307 - the author's own annotation
        except NameError as error:
            raise DeclarationError(f"{function.__qualname__}: the type of its context: {error}") from None
    arguments = get_args(annotation)
    return configuration_of(arguments[0], function.__qualname__) if arguments else None
