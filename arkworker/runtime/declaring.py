"""What the author of a worker must correct, found when the class is created, or when a target is loaded."""

from __future__ import annotations

import collections.abc
import inspect
import sys
from typing import Any, ForwardRef, TypeVar, get_args, get_origin

from pydantic import BaseModel

from arkworker.errors import DeclarationError
from arkworker.options.configuration import UserConfiguration
from arkworker.options.options import bare
from arkworker.settings.catalogue import flag_name
from arkworker.settings.platform import flag_of, platform_fields

#: Flags that belong to the verbs.
VERB_FLAGS = frozenset({"-h", "--help", "--json", "--all", "--offline"})

#: What each hook is called with.
HOOKS = {
    "setup": ("context",),
    "run": ("context", "cache"),
    "process_element": ("element", "context", "cache"),
    "process_set": ("dataset_set", "export", "context", "cache"),
    "teardown": ("context",),
}
#: Those that do the work, of which each kind of worker has one more than `run`.
_WORKING_HOOKS = ("process_set", "process_element", "run")
_MAY_YIELD = frozenset({"process_element"})


def type_argument(cls: type, root: type) -> Any:
    """What a class gives for the type parameter of `root`, through any generic classes between the two.

    It is a type variable where `cls` leaves it open, and None where it says nothing, and inherits.
    """
    for base in cls.__dict__.get("__orig_bases__", ()):
        origin, arguments = get_origin(base), get_args(base)
        if not isinstance(origin, type) or not issubclass(origin, root) or not arguments:
            continue
        if origin is root:
            return arguments[0]
        given = dict(zip(getattr(origin, "__parameters__", ()), arguments, strict=False))
        inherited = next((found for found in (type_argument(part, root) for part in origin.__mro__) if found), None)
        return given.get(inherited, inherited) if isinstance(inherited, TypeVar) else inherited
    return None


def configuration_of(argument: Any, owner: str, module: str) -> type[UserConfiguration] | None:
    """The configuration model that a type argument names; None for a free mapping.

    Args:
        argument: The `C` of `Worker[C]` or `WorkerContext[C]`.
        owner: The class or function, for messages.
        module: Where a quoted name is looked up.

    Raises:
        DeclarationError: It names something else, or nothing.
    """
    kind = _resolved(argument, owner, module)
    if isinstance(kind, TypeVar):
        # A class that leaves its parameter open: its bound is what it knows of it.
        kind = kind.__bound__ if kind.__bound__ is not None else Any
    if isinstance(kind, type) and issubclass(kind, UserConfiguration):
        return kind
    origin = get_origin(kind) or kind
    if kind is Any or (isinstance(origin, type) and issubclass(origin, collections.abc.Mapping)):
        return None
    name = getattr(kind, "__name__", str(kind))
    raise DeclarationError(f"{owner}: the configuration {name} is not derived from UserConfiguration")


def _resolved(argument: Any, owner: str, module: str) -> Any:
    kind = bare(argument)
    if isinstance(kind, ForwardRef):
        kind = kind.__forward_arg__
    if not isinstance(kind, str):
        return kind
    try:
        return eval(kind, vars(sys.modules[module]))  # noqa: S307 - the author's own annotation
    except Exception as error:  # noqa: BLE001 - whatever the expression does
        hint = "define it before, and outside of `if TYPE_CHECKING`"
        raise DeclarationError(f"{owner}: the configuration {kind!r} cannot be found ({error}): {hint}") from None


def check_arguments(model: Any, owner: str) -> None:
    """Refuse extra flags that cannot work.

    Raises:
        DeclarationError: The model is none, can be changed, or has a flag that is taken.
    """
    if model is None:
        return
    if not (isinstance(model, type) and issubclass(model, BaseModel) and model.model_config.get("frozen")):
        raise DeclarationError(f"{owner}.arguments: should be a frozen pydantic model, such as a UserConfiguration")
    flags = filter(None, map(flag_of, platform_fields().values()))
    taken = dict.fromkeys(VERB_FLAGS.union(*(flag.names for flag in flags)), "arkworker")
    for name in model.model_fields:
        flag = flag_name(name)
        if flag in taken:
            whose = "arkworker" if taken[flag] == "arkworker" else f"the option {taken[flag]}"
            raise DeclarationError(f"{owner}.arguments: {flag} is a flag of {whose}; rename {name}")
        taken[flag] = name


def check_hooks(cls: type) -> None:
    """Refuse hooks that would do nothing, or fail, when they are called.

    Raises:
        DeclarationError: One is asynchronous, yields, or takes other arguments.
    """
    for name, parameters in HOOKS.items():
        function = cls.__dict__.get(name)
        if inspect.isfunction(function):
            check_callable(function, f"{cls.__qualname__}.{name}", ("self", *parameters), yields=name in _MAY_YIELD)


def check_callable(function: Any, owner: str, parameters: tuple[str, ...], *, yields: bool = False) -> None:
    """Refuse a function that cannot be called with these arguments, or that does nothing when it is called.

    Raises:
        DeclarationError: It is asynchronous, yields although it should not, or takes other arguments.
    """
    plain = inspect.unwrap(function)
    if inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain):
        raise DeclarationError(f"{owner} is asynchronous, and nobody would await it: call asyncio.run in it")
    if inspect.isgeneratorfunction(plain) and not yields:
        raise DeclarationError(f"{owner} yields, and nobody takes what it yields: it should do its work and return")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some callables have none that can be known
        return
    try:
        signature.bind(*parameters)
    except TypeError:
        shown = f"({', '.join(parameters)})"
        raise DeclarationError(f"{owner}{signature} should take {shown}") from None


def check_is_complete(worker: Any) -> None:
    """Refuse a worker whose author has not said what it does.

    Raises:
        DeclarationError: It lacks the hook that does the work.
    """
    name = next(name for name in _WORKING_HOOKS if hasattr(type(worker), name))
    hook = getattr(type(worker), name, None)
    if getattr(hook, "__module__", "").startswith("arkworker.runtime."):
        parameters = ", ".join(HOOKS[name])
        raise DeclarationError(f"{type(worker).__qualname__} has no {name}({parameters})")
