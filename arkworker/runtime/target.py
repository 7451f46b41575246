"""From TARGET, `module:name` or `path/to/file.py:name`, to a worker."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
import types
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from arkworker.errors import DeclarationError, TargetError
from arkworker.options.creates import Creates, Requires
from arkworker.options.options import bare
from arkworker.runtime.context import WorkerContext
from arkworker.runtime.declaring import HOOKS, check_arguments, check_callable, check_is_complete, configuration_of
from arkworker.runtime.failures import place_of
from arkworker.runtime.stopping import Interruption
from arkworker.runtime.worker import Worker
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from pydantic import BaseModel
    from sqlalchemy.orm import Session

    from arkworker.declaration.content import WorkerContent


_NO_WORKER = "is not a worker: derive it from Worker, or write a function (context, cache)"


def load_target(target: str) -> Worker[Any]:
    """Import a worker and make one.

    Raises:
        TargetError: There is no such module or name, the import fails, or it is not a worker; the cause is chained.
    """
    return as_worker(load_object(target), target)


def _like(target: str) -> str:
    """A TARGET that a text without a colon may stand for: the last class or function of a file; a name in a module."""
    if not target.endswith(".py"):
        module, dot, name = target.rpartition(".")
        return f"{module}:{name}" if dot and module.replace(".", "").isidentifier() and name.isidentifier() else ""
    import ast  # only where something is wrong

    try:
        nodes = ast.parse(Path(target).read_bytes()).body
    except (OSError, ValueError, SyntaxError):
        return ""
    names = [node.name for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    return f"{target}:{names[-1]}" if names else ""


def load_object(target: str) -> Any:
    """What a module or a file has under a name.

    Raises:
        TargetError: There is no such module or name, or the import fails; the cause is chained.
    """
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        like = _like(target)
        message = f"TARGET {printable(target)!r} should be module:name or path/to/file.py:name"
        raise TargetError(f"{message}, such as {printable(like)}" if like else message)
    module = _load_file(place) if place.endswith(".py") else _load_module(place)
    return _find(module, name, target)


def as_worker(found: Any, target: str) -> Worker[Any]:
    """A worker class, a worker, or a plain function, as a worker.

    Raises:
        TargetError: It is neither.
    """
    try:
        worker = found() if isinstance(found, type) and issubclass(found, Worker) else found
        if isinstance(worker, Worker):
            check_is_complete(worker, worker._hooks)  # noqa: SLF001 - of use to no author
            return worker
        if callable(found) and not isinstance(found, type):
            return FunctionWorker(found)
    except DeclarationError as error:
        raise TargetError(f"{printable(target)}: {error}") from None
    except Interruption:
        raise
    except BaseException as error:
        raise TargetError(f"{printable(target)} cannot be constructed without arguments: {_shown(error)}") from error
    raise TargetError(f"{printable(target)} {_NO_WORKER}")


def declared_content(worker: Worker[Any]) -> WorkerContent:
    """What the declaration file of a worker says.

    Raises:
        ConfigurationError: With every option that Arkindex has no words for.
        DeclarationError: What the author says of the worker is not a `Declaration`.
    """
    from arkworker.declaration.export import console_command, export
    from arkworker.declaration.metadata import Declaration

    function = getattr(worker, "function", None)
    declaration = getattr(function, "declaration", worker.declaration)
    if not isinstance(declaration, Declaration):
        raise DeclarationError(f"{type(worker).__name__}.declaration: write it like declaration = Declaration(…)")
    return export(
        worker.configuration,
        declaration,
        name=type(worker).__name__ if function is None else function.__name__,
        description=inspect.cleandoc(worker.__doc__ or ""),
        command=console_command(type(worker)) if function is None else None,
    )


def _load_module(name: str) -> ModuleType:
    if name.startswith("."):
        raise TargetError(f"there is no module {printable(name)}: a module is named from the top of its package")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # what `python -m` does, for console commands
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            is_file = _is_file(Path(f"{name}.py"))
            hint = f"; a file is named with its suffix: {printable(name)}.py" if is_file else ""
            raise TargetError(f"there is no module {printable(name)}{hint}") from None
        raise _import_failed(name, error) from error
    except Interruption:
        raise
    except BaseException as error:
        raise _import_failed(name, error) from error


def _load_file(place: str) -> ModuleType:
    path = Path(place)
    if not _is_file(path):
        raise TargetError(f"there is no file {printable(place)}")
    path = path.resolve()
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # for the modules beside it, and for child processes
    name = path.stem
    if name in sys.modules:
        if getattr(sys.modules[name], "__file__", None) == str(path):
            return sys.modules[name]
        # Another module has its name and keeps it; in a process of its own, classes of this one do not unpickle.
        name = f"{name}_{zlib.crc32(os.fsencode(path)):08x}"
    return _execute(path, name, place)


def _execute(path: Path, name: str, place: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{printable(place)} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # annotations are looked up there, and classes when they are unpickled
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Interruption):
            raise
        raise _import_failed(place, error) from error
    return module


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # such as a name that is too long
        return False


def _import_failed(place: str, error: BaseException) -> TargetError:
    hint = ""
    if isinstance(error, ImportError) and "no known parent package" in str(error):
        hint = "; name a module of a package as package.module:name"
    if isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] == "arkindex_worker":
        hint = "; it is written for arkindex-base-worker: the guide Migration says what to write instead"
    return TargetError(f"{printable(place)} cannot be imported: {_shown(error)}{hint}")


def _shown(error: BaseException) -> str:
    """What happened, on one line, and where: the last place in a file of the author's."""
    if isinstance(error, SyntaxError):
        place = f" ({printable(f'{error.filename}:{error.lineno}')})" if error.filename else ""
        return f"{type(error).__name__}: {printable(str(error.msg))}{place}"
    text = printable(str(error), 500) if isinstance(error, DeclarationError) else _described(error)
    found = place_of(error)
    return f"{text} ({printable(f'{found[0]}:{found[1]}')})" if found else text


def _described(error: BaseException) -> str:
    # Not str(error): the method is user code, too.
    return printable("".join(traceback.format_exception_only(error)).strip())


def _find(module: ModuleType, name: str, target: str) -> Any:
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            workers = sorted(key for key, value in vars(module).items() if _is_candidate(value))
            hint = did_you_mean(part, workers) or (f"it has {', '.join(workers[:5])}" if workers else "")
            message = f"{printable(target)}: there is no {printable(part)} in it" + (f"; {hint}" if hint else "")
            raise TargetError(message) from None
        except Exception as error:
            raise TargetError(f"{printable(target)} cannot be looked up: {_shown(error)}") from error
    return found


def _is_candidate(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Worker) and not value.__module__.startswith("arkworker.")


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
        self.requires = Requires.of(getattr(function, "requires", ()), name)
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
