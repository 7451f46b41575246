"""What the author of a worker must correct, found when the class is created, or when a target is loaded."""

from __future__ import annotations

import collections.abc
import inspect
import sys
from typing import TYPE_CHECKING, Any, ForwardRef, TypeVar, get_args, get_origin

from pydantic import BaseModel

from arkworker.errors import DeclarationError
from arkworker.options.configuration import UserConfiguration
from arkworker.options.mistakes import mistakes_in, require_complete
from arkworker.options.options import bare
from arkworker.runtime.migration import FORMER_HOOKS, former_hook
from arkworker.settings.catalogue import flag_name
from arkworker.settings.platform import flag_of, platform_fields
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

#: Flags that belong to the verbs.
VERB_FLAGS = frozenset({"-h", "--help", "--json", "--all", "--changed", "--offline"})

#: What each hook is called with.
HOOKS = {
    "setup": ("context",),
    "run": ("context", "cache"),
    "process_element": ("element", "context", "cache"),
    "process_elements": ("elements", "context", "cache"),
    "process_set": ("dataset_set", "export", "context", "cache"),
    "finish": ("context", "cache"),
    "teardown": ("context",),
}
#: Those that do the work; each kind of worker needs one of those that it has.
_WORKING_HOOKS = ("run", "process_element", "process_elements", "process_set")
_MAY_YIELD = frozenset({"process_element", "process_elements"})
#: What to do with a hook that a kind of worker does not have, by the hook.
_ELSEWHERE = {
    "run": "put what comes before the first element in setup, what comes after the last in finish",
    "process_element": "derive it from ElementsWorker",
    "process_elements": "derive it from ElementsWorker",
    "process_set": "derive it from DatasetWorker",
    "finish": "write it at the end of run, or derive the class from ElementsWorker or DatasetWorker",
}
#: What an author assigns; near misses do nothing.
_ATTRIBUTES = ("uses_cache", "creates", "requires", "arguments", "batch_size", "declaration")
#: What a class has under its right name; `configuration` and `processes_elements` are not its author's.
_KNOWN = frozenset({*HOOKS, *_ATTRIBUTES, "configuration", "processes_elements"})
#: Shorter names are near to too much.
_SHORTEST_NEAR = 5
_LONG_NAME = 12
_LIKENESS = 0.92


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


def configuration_of(argument: Any, owner: str, module: str) -> type[BaseModel] | None:
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
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _checked_model(kind, owner)
    origin = get_origin(kind) or kind
    if kind is Any or (isinstance(origin, type) and issubclass(origin, collections.abc.Mapping)):
        return None
    name = getattr(kind, "__name__", str(kind))
    raise DeclarationError(f"{owner}: the configuration {name} is not derived from UserConfiguration")


def _checked_model(model: type[BaseModel], owner: str) -> type[BaseModel]:
    """A model of pydantic that an author has already, if it can be a configuration."""
    require_complete(model)
    reasons = list(mistakes_in(model))
    if reasons:
        raise DeclarationError(f"{owner}: {model.__name__} cannot be the configuration: {'; '.join(reasons)}")
    return model


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
        DeclarationError: It is not a model, can be changed, or has a flag that is taken.
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
    require_complete(model)
    reasons = [] if issubclass(model, UserConfiguration) else list(mistakes_in(model))
    if reasons:
        raise DeclarationError(f"{owner}.arguments: {'; '.join(reasons)}")


def unwritten(hook: F) -> F:
    """Mark a hook of ours that an author has to write, or may write."""
    hook.is_unwritten = True  # type: ignore[attr-defined]  # functions take attributes
    return hook


def is_written(worker: Any, name: str) -> bool:
    """Whether a worker, or a class of them, has a hook of its author's."""
    return hasattr(worker, name) and not getattr(getattr(worker, name), "is_unwritten", False)


def is_set(cls: type, name: str) -> bool:
    """Whether a class of workers has a hook or an attribute of its author's."""
    return is_written(cls, name) if name in HOOKS else name in cls.__dict__


def check_hooks(cls: type, called: tuple[str, ...]) -> None:
    """Refuse hooks that would do nothing, or fail, when they are called.

    Args:
        cls: A class of workers.
        called: The hooks that this kind of worker has.

    Raises:
        DeclarationError: One is asynchronous, yields, takes other arguments, is misspelt, or is never called.
    """
    if (former := former_hook(cls)) is not None:
        raise DeclarationError(f"{cls.__qualname__}.{former} is never called: {FORMER_HOOKS[former]}")
    for name, parameters in HOOKS.items():
        if name not in called and is_written(cls, name):
            raise DeclarationError(f"{cls.__qualname__}.{name} is never called: {_ELSEWHERE[name]}")
        function = cls.__dict__.get(name)
        if inspect.isfunction(function):
            check_callable(function, f"{cls.__qualname__}.{name}", ("self", *parameters), yields=name in _MAY_YIELD)
    for name, value in cls.__dict__.items():
        if name.startswith("_") or name in _KNOWN:
            continue
        is_hook = callable(value) or isinstance(value, (staticmethod, classmethod))
        known = called if is_hook and not isinstance(value, type) else () if is_hook else _ATTRIBUTES
        meant = max(known, key=lambda meant: _likeness(name, meant), default="")
        if _is_near(name, meant) and not is_set(cls, meant):
            what = "is never called" if is_hook else "has no effect"
            raise DeclarationError(f"{cls.__qualname__}.{name} {what}: did you mean {meant}?")


def _is_near(name: str, meant: str) -> bool:
    """Whether a name is a slip of the pen: `proces_element`, `set_up`, `setUp`, `tearDown`."""
    typed, known = (text.replace("_", "").lower() for text in (name, meant))
    if name == meant:
        return False
    return typed == known or (len(known) >= _SHORTEST_NEAR and _is_one_slip(typed, known))


def _likeness(typed: str, known: str) -> float:
    from difflib import SequenceMatcher

    return SequenceMatcher(None, typed, known).ratio()


def _is_one_slip(typed: str, known: str) -> bool:
    """Whether one letter is missing, too many, another, or in the place of its neighbour; two or so of a long name."""
    if len(known) >= _LONG_NAME:
        return _likeness(typed, known) >= _LIKENESS
    longest = max(len(typed), len(known))
    start = next((i for i in range(longest) if typed[i : i + 1] != known[i : i + 1]), longest)
    end = next((i for i in range(1, longest - start + 1) if typed[-i:][:1] != known[-i:][:1]), longest - start + 1)
    other, right = typed[start : len(typed) - end + 1], known[start : len(known) - end + 1]
    return max(len(other), len(right)) <= 1 or (len(right) == 2 and other == right[::-1])


def check_callable(function: Any, owner: str, parameters: tuple[str, ...], *, yields: bool = False) -> None:
    """Refuse a function that cannot be called with these arguments, or that does nothing when it is called.

    Raises:
        DeclarationError: It is asynchronous, yields although it should not, or takes other arguments.
    """
    plain = inspect.unwrap(function)
    if inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain):
        raise DeclarationError(f"{owner} is asynchronous, but arkworker does not await it: call asyncio.run in it")
    if inspect.isgeneratorfunction(plain) and not yields:
        raise DeclarationError(f"{owner} yields, but what it yields would be lost: it should do its work and return")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some callables have none that can be known
        return
    try:
        signature.bind(*parameters)
    except TypeError:
        shown = f"({', '.join(parameters)})"
        raise DeclarationError(f"{owner}{printable(str(signature), 120)} should take {shown}") from None


def check_is_complete(worker: Any, called: tuple[str, ...]) -> None:
    """Refuse a worker whose author has not said what it does.

    Raises:
        DeclarationError: It lacks the hook that does the work.
    """
    names = [name for name in _WORKING_HOOKS if name in called]
    if not any(is_written(worker, name) for name in names):
        raise DeclarationError(f"{type(worker).__qualname__} has no {names[0]}({', '.join(HOOKS[names[0]])})")
