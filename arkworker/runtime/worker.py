"""What a worker is: three hooks around one immutable context."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar, Generic, get_args, get_origin

from pydantic import BaseModel

from arkworker.configuration import UserConfiguration
from arkworker.declaration.metadata import Declaration
from arkworker.errors import DeclarationError
from arkworker.runtime.context import C, WorkerContext
from arkworker.settings.catalogue import WorkerOptions, flag_name
from arkworker.settings.platform import flag_of, platform_fields

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from sqlalchemy.orm import Session

    from arkworker.runtime.handover import Handover

#: Flags that belong to the verbs.
VERB_FLAGS = frozenset({"-h", "--help", "--json", "--all", "--offline"})


class Worker(Generic[C]):
    """Base of a worker whose configuration is `C`; its docstring is its description.

    Raises:
        DeclarationError: When the class is created: `C` is no `UserConfiguration`, an extra flag is taken already.
    """

    #: Whether `run` gets a session of the cache; without it, SQLAlchemy is not even imported.
    uses_cache: ClassVar[bool] = False
    #: Whether the flags that choose elements are its own; `ElementsWorker` and `DatasetWorker` say so.
    processes_elements: ClassVar[bool] = False
    #: A frozen pydantic model of extra flags: the field `batch_name` is `--batch-name` and `context.arguments.batch_name`.
    arguments: ClassVar[type[BaseModel] | None] = None
    #: The model of the configuration, taken from `Worker[…]`; None for a free mapping.
    configuration: ClassVar[type[UserConfiguration] | None] = None
    #: What Arkindex knows of the worker besides its options.
    declaration: ClassVar[Declaration] = Declaration()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in cls.__dict__.get("__orig_bases__", ()):
            origin = get_origin(base)
            if isinstance(origin, type) and issubclass(origin, Worker) and get_args(base):
                cls.configuration = configuration_of(get_args(base)[0], cls.__qualname__)
        check_arguments(cls.arguments, cls.__qualname__)

    def setup(self, context: WorkerContext[C]) -> None:
        """Prepare what `run` needs, such as a model, once."""

    def run(self, context: WorkerContext[C], cache: Session) -> None:
        """Do the work. The cache is committed after it, rolled back when it raises."""
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


def configuration_of(argument: Any, owner: str) -> type[UserConfiguration] | None:
    """The configuration model that a type argument names; None for a free mapping.

    Raises:
        DeclarationError: It names something else.
    """
    if isinstance(argument, type) and issubclass(argument, UserConfiguration):
        return argument
    origin = get_origin(argument) or argument
    if argument is Any or not isinstance(origin, type) or issubclass(origin, dict) or origin.__name__ == "Mapping":
        return None
    raise DeclarationError(f"{owner}: the configuration {argument!r} is not derived from UserConfiguration")


def options_of(worker: Worker[Any] | type[Worker[Any]], target: str) -> WorkerOptions:
    """What the settings need to know of a worker."""
    return WorkerOptions(target, worker.configuration, worker.arguments, worker.processes_elements)


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
    taken = VERB_FLAGS.union(*(flag.names for flag in flags))
    for name in model.model_fields:
        if flag_name(name) in taken:
            raise DeclarationError(f"{owner}.arguments: {flag_name(name)} is a flag of arkworker; rename {name}")
