"""From TARGET, `module:name` or `path/to/file.py:name`, to a worker."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkworker.errors import DeclarationError, TargetError
from arkworker.runtime.function_worker import FunctionWorker
from arkworker.runtime.worker import Worker
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from types import ModuleType


def load_target(target: str) -> Worker[Any]:
    """Import a worker and make one.

    Raises:
        TargetError: There is no such module or name, the import fails, or it is no worker; the cause is chained.
    """
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise TargetError(f"TARGET {printable(target)!r} should be module:name or path/to/file.py:name")
    module = _load_file(place) if place.endswith(".py") else _load_module(place)
    return as_worker(_find(module, name, target), target)


def as_worker(found: Any, target: str) -> Worker[Any]:
    """A worker class, a worker, or a plain function, as a worker.

    Raises:
        TargetError: It is none of them.
    """
    try:
        if isinstance(found, type) and issubclass(found, Worker):
            return found()
        if isinstance(found, Worker):
            return found
        if callable(found) and not isinstance(found, type) and hasattr(found, "__globals__"):
            return FunctionWorker(found)
    except DeclarationError as error:
        raise TargetError(f"{printable(target)}: {error}") from None
    except Exception as error:
        message = f"{printable(target)} cannot be made without arguments: {_shown(error)}"
        raise TargetError(message) from error
    raise TargetError(f"{printable(target)} is no worker: derive it from Worker, or write a function (context, cache)")


def _load_module(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # what `python -m` does, for console commands
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise TargetError(f"there is no module {printable(name)}") from None
        raise _import_failed(name, error) from error
    except (Exception, SystemExit) as error:
        raise _import_failed(name, error) from error


def _load_file(place: str) -> ModuleType:
    path = Path(place)
    if not path.is_file():
        raise TargetError(f"there is no file {printable(place)}")
    name = path.stem
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # for the modules beside it, and for child processes
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path.resolve()):
        return loaded
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise TargetError(f"{printable(place)} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    # Under its own name, else its classes do not pickle; a module of the standard library keeps its place.
    sys.modules.setdefault(name, module)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        if sys.modules.get(name) is module:
            del sys.modules[name]
        raise _import_failed(place, error) from error
    return module


def _import_failed(place: str, error: BaseException) -> TargetError:
    return TargetError(f"{printable(place)} cannot be imported: {_shown(error)}")


def _shown(error: BaseException) -> str:
    if isinstance(error, DeclarationError):
        return printable(str(error), 500)
    return f"{type(error).__name__}: {printable(str(error))}"


def _find(module: ModuleType, name: str, target: str) -> Any:
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            workers = [key for key, value in vars(module).items() if _is_candidate(value)]
            hint = did_you_mean(part, workers) or (f"it has {', '.join(sorted(workers)[:5])}" if workers else "")
            message = f"{printable(target)}: there is no {printable(part)} in it" + (f"; {hint}" if hint else "")
            raise TargetError(message) from None
    return found


def _is_candidate(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Worker) and value.__module__ != Worker.__module__
