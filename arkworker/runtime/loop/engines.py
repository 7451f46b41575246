"""Engines that run shares of a run elsewhere: any executor of `concurrent.futures`, and ready ones.

| `--executor` | what runs the jobs |
|---|---|
| `module:factory`, `file.py:factory` | what the factory gives: an executor of `concurrent.futures`, or of submitit |
| `dask:tcp://…` | the cluster of Dask with its scheduler there |
| `submitit`, `submitit:slurm?timeout_min=600` | jobs of Slurm, or processes where there is no Slurm |
| `submitit:local` | processes of this machine |
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl, quote

from arkworker.errors import ArkworkerError, ConfigurationError, ExitCode, Problem, TargetError
from arkworker.runtime.failures import described
from arkworker.runtime.loop.threads import cores
from arkworker.storage.exclusive import private_directory
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from arkworker.runtime.loop.share_process import Marks

LOOK = 0.2  # seconds between looks at a job of submitit
FOREVER = 60 * 24 * 365  # minutes
READY = ("dask", "submitit")
OTHERWISE = "write dask:ADDRESS, submitit, submitit:local, or module:function for a function without arguments"


class EngineError(ArkworkerError):
    """The engine is out of reach, or takes no more jobs."""

    exit_code = ExitCode.UNAVAILABLE


@dataclass
class Engine:
    """What runs shares.

    Attributes:
        executor: Takes them.
        make: Makes another one, for when this one broke.
        width: How many it runs at once by default.
        is_queueing: Whether each job waits in a queue of its own: then one share for each is best.
        marks: What the run and its jobs mark for each other.
        folder: For what jobs tell, in the working directory; removed at the end.
    """

    executor: Executor
    make: Callable[[], Executor]
    width: int
    is_queueing: bool
    marks: Marks
    folder: Path

    def submit(self, *call: Any) -> Future[Any]:
        """Run a call.

        Raises:
            EngineError: No executor takes it, not even a new one.
        """
        try:
            return self.executor.submit(*call)
        except Exception:  # noqa: BLE001 - whatever has broken it
            try:
                self.executor = self.make()
                return self.executor.submit(*call)
            except Exception as error:
                raise EngineError(f"the executor takes no more jobs: {described(error)}") from error


@dataclass(frozen=True)
class FileMarks:
    """Files: on the same machine, or where machines share the working directory."""

    folder: Path

    def set(self, name: str) -> None:
        (self.folder / name).touch()

    def is_set(self, name: str) -> bool:
        return (self.folder / name).exists()


@dataclass(frozen=True)
class EventMarks:
    """Events of Dask's scheduler."""

    run: str

    def set(self, name: str) -> None:
        from distributed import Event

        Event(f"{self.run}-{name}").set()

    def is_set(self, name: str) -> bool:
        from distributed import Event, get_client

        return bool(Event(f"{self.run}-{name}", client=get_client()).is_set())


@contextlib.contextmanager
def opened(named: str, work_dir: Path) -> Iterator[Engine]:
    """The engine that a person named.

    Args:
        named: As in the table above.
        work_dir: Where files of the engine go, which jobs can see.

    Raises:
        ConfigurationError: There is none of that name, or it is not installed; or the files have no place.
        EngineError: It is out of reach.
    """
    kind, colon, rest = named.partition(":")
    with _made_folder(work_dir) as folder:
        if kind == "dask":
            engines = _dask(rest, folder)
        elif kind == "submitit":
            engines = _submitit(rest, folder)
        elif colon:
            engines = _of_factory(named, folder)
        else:
            _refuse(f"{printable(named)} is not an executor", did_you_mean(kind, READY) or OTHERWISE)
        with engines as engine:
            yield engine


@contextlib.contextmanager
def _made_folder(work_dir: Path) -> Iterator[Path]:
    """A folder that only this user can read: what is submitted may lie there, the token included.

    Those that commands left which were killed on this machine are removed; of another machine, nobody knows whether its
    command lives: locks may not reach so far.
    """
    mark = f"of-{quote(socket.gethostname(), safe='')}"
    with contextlib.ExitStack() as stack:
        try:
            made = private_directory(work_dir, ".arkworker-shares-", must_stay=lambda path: not (path / mark).exists())
            folder = stack.enter_context(made)
            try:
                (folder / mark).touch()
            except OSError:
                folder.rmdir()  # without its mark, it would stay
                raise
        except OSError as error:
            place, hint = printable(str(work_dir)), "set PONOS_DATA to one that can"
            _refuse(f"the working directory {place} cannot be written: {error.strerror}", hint)
        yield folder


@contextlib.contextmanager
def _dask(address: str, folder: Path) -> Iterator[Engine]:
    try:
        from distributed import Client
    except ModuleNotFoundError:
        _refuse("Dask is not installed", "pip install 'arkworker[dask]'")
    if not address:
        _refuse("the address of the Dask scheduler is missing", "write dask:tcp://HOST:8786")
    try:
        client = Client(address)
    except Exception as error:  # noqa: BLE001 - whatever Dask raises, it cannot be reached
        raise EngineError(f"no Dask scheduler answers at {printable(address)}: {described(error)}") from None
    with client:

        def make() -> Executor:
            made: Executor = client.get_executor(pure=False)
            return made

        width = sum(client.nthreads().values())
        yield Engine(make(), make, max(1, width), False, EventMarks(f"arkworker-{secrets.token_hex(8)}"), folder)


@contextlib.contextmanager
def _submitit(rest: str, folder: Path) -> Iterator[Engine]:
    try:
        from submitit import AutoExecutor
    except ModuleNotFoundError:
        _refuse("submitit is not installed", "pip install 'arkworker[submitit]'")
    cluster, _, query = rest.partition("?")
    values: dict[str, Any] = {"timeout_min": FOREVER} if cluster == "local" else {}
    values |= {name: int(value) if value.isdecimal() else value for name, value in parse_qsl(query)}

    def make() -> Executor:
        engine = AutoExecutor(folder=folder / "submitit", cluster=cluster or None)
        engine.update_parameters(**values)
        return _Submitting(engine)

    try:
        executor = make()
    except Exception as error:  # noqa: BLE001 - of submitit: an unknown cluster or parameter
        message = f"submitit does not accept {printable(rest)!r}: {described(error)}"
        _refuse(message, "write submitit, or submitit:local")
    yield Engine(executor, make, cores(), True, FileMarks(folder), folder)


@contextlib.contextmanager
def _of_factory(named: str, folder: Path) -> Iterator[Engine]:
    from arkworker.runtime.target import load_object

    try:
        factory = load_object(named)
    except TargetError as error:
        _refuse(str(error), did_you_mean(named.partition(":")[0], READY) or OTHERWISE)

    def make() -> Executor:
        made = factory()
        if isinstance(made, Executor):
            return made
        if not callable(getattr(made, "submit", None)):
            raise TypeError(f"it returned a {type(made).__name__}, which is not an executor")
        return _Submitting(made)

    try:
        executor = make()
    except Exception as error:  # noqa: BLE001 - whatever a person's factory raises
        message = f"{printable(named)} did not return an executor: {described(error)}"
        _refuse(message, "return an executor of concurrent.futures")
    engine = Engine(executor, make, cores(), False, FileMarks(folder), folder)
    try:
        yield engine
    finally:
        engine.executor.shutdown(wait=False, cancel_futures=True)


class _Submitting(Executor):
    """An executor of submitit as one of `concurrent.futures`."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        job = self._engine.submit(fn, *args, **kwargs)
        future: Future[Any] = Future()
        threading.Thread(target=self._follow, args=(job, future), name=f"job {job.job_id}", daemon=True).start()
        return future

    @staticmethod
    def _follow(job: Any, future: Future[Any]) -> None:
        try:
            while not job.done():
                time.sleep(LOOK)
            result = job.result()
        except Exception as error:  # noqa: BLE001 - as any executor
            future.set_exception(error)
        else:
            future.set_result(result)


def _refuse(message: str, hint: str) -> NoReturn:
    raise ConfigurationError([Problem("executor", "command line", "--executor", message, hint)]) from None
