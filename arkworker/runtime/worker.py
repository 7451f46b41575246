"""What a worker is: three hooks around one immutable context."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from arkworker.declaration.metadata import Declaration
from arkworker.options.creates import Creates
from arkworker.runtime.context import C, WorkerContext
from arkworker.runtime.declaring import check_arguments, check_hooks, configuration_of, type_argument
from arkworker.settings.catalogue import WorkerOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import NoReturn

    from pydantic import BaseModel
    from sqlalchemy.orm import Session

    from arkworker.options.configuration import UserConfiguration
    from arkworker.runtime.handover import Handover


class Worker(Generic[C]):
    """Base of a worker whose configuration is `C`; its docstring is its description.

    Raises:
        DeclarationError: When the class is created: `C` is no `UserConfiguration`, an extra flag is taken already,
            `creates` holds no names, a hook is asynchronous or takes other arguments.
    """

    #: Whether `run` gets a session of the cache; without it, SQLAlchemy is not even imported.
    uses_cache: ClassVar[bool] = False
    #: Whether the flags that choose elements are its own; `ElementsWorker` and `DatasetWorker` say so.
    processes_elements: ClassVar[bool] = False
    #: What publishing results may create where a corpus lacks it: slugs of element types, or a `Creates`.
    creates: ClassVar[Creates | Collection[str]] = ()
    #: A frozen model of extra flags: its field `batch_name` is `--batch-name` and `context.arguments.batch_name`.
    arguments: ClassVar[type[BaseModel] | None] = None
    #: The model of the configuration, taken from `Worker[…]`; None for a free mapping.
    configuration: ClassVar[type[UserConfiguration] | None] = None
    #: What Arkindex knows of the worker besides its options.
    declaration: ClassVar[Declaration] = Declaration()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        argument = type_argument(cls, Worker)
        if argument is not None:
            cls.configuration = configuration_of(argument, cls.__qualname__, cls.__module__)
        check_arguments(cls.arguments, cls.__qualname__)
        Creates.of(cls.creates, cls.__qualname__)
        check_hooks(cls)

    def setup(self, context: WorkerContext[C]) -> None:
        """Prepare what `run` needs, such as a model, once."""

    def run(self, context: WorkerContext[C], cache: Session) -> None:
        """Do the work. The cache is committed after it, rolled back when it raises.

        The first SIGTERM or SIGINT interrupts it at once, wherever it is, with an exception that `except Exception`
        does not catch; `finally` blocks and `teardown` run, and the process answers 128 and the signal's number. A
        second signal ends the process. (A worker over elements has a grace time for the current one.)
        """
        raise NotImplementedError(f"{type(self).__qualname__} has no run(context, cache)")

    def teardown(self, context: WorkerContext[C]) -> None:
        """Release what `setup` took. Runs once, however the run ended; what it raises is logged and changes nothing."""

    def _perform(self, handover: Handover) -> None:
        """Run, in the way of this kind of worker; called by the lifecycle between `setup` and `teardown`.

        Raises:
            ArkworkerError: What ended it; its class decides the exit code.
        """
        with handover.sessions() as cache, handover.stopping.interruptible():
            self.run(handover.context, cache)

    @classmethod
    def main(cls, argv: Sequence[str] | None = None) -> NoReturn:
        """Run this worker as a console command, with the flags of `python -m arkworker run`."""
        from arkworker.cli import run_worker

        run_worker(cls, sys.argv[1:] if argv is None else argv)


def options_of(worker: Worker[Any] | type[Worker[Any]], target: str) -> WorkerOptions:
    """What the settings need to know of a worker."""
    creates = Creates.of(worker.creates, target)
    return WorkerOptions(target, worker.configuration, worker.arguments, worker.processes_elements, creates)
