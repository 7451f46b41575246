"""What a worker is: hooks around one immutable context; over elements, which most are, and over sets of datasets."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from arkworker.declaration.metadata import Declaration
from arkworker.errors import DeclarationError, ResultError
from arkworker.options.creates import Creates, Requires
from arkworker.runtime.context import WorkerContext
from arkworker.runtime.context_data import C
from arkworker.runtime.declaring import (
    check_arguments,
    check_hooks,
    configuration_of,
    is_written,
    type_argument,
    unwritten,
)
from arkworker.runtime.handover import ElementCode
from arkworker.runtime.migration import lacks
from arkworker.settings.catalogue import WorkerOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from pydantic import BaseModel
    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
    from sqlalchemy.orm import Session

    from arkworker.arkindex.datasets import DatasetSet
    from arkworker.elements.model import Element
    from arkworker.elements.results import Result
    from arkworker.runtime.handover import Handover


class Worker(Generic[C]):
    """Base of a worker whose configuration is `C`; its docstring is its description.

    Attributes:
        uses_cache: Whether `run` gets a session of the cache; without it, SQLAlchemy is not even imported.
        creates: What publishing results may create where a corpus lacks it: slugs of element types, or a `Creates`. May
            be assigned in `setup`, by what the model says; what is missing is created before the first element.
        requires: What must be in the corpus and is never created: slugs of element types, or a `Requires`. Checked
            before the first element; may be assigned in `setup`, too.
        arguments: A frozen model of extra flags: its field `batch_name` is `--batch-name` and
            `context.arguments.batch_name`.
        configuration: The model of the configuration, taken from `Worker[…]`; None for a free mapping.
        declaration: What Arkindex knows of the worker besides its options.
        processes_elements: Whether the worker has the flags that choose elements; `ElementsWorker` and `DatasetWorker`
            say so.

    Raises:
        DeclarationError: When the class is created: `C` is not a `UserConfiguration`, an extra flag is already taken,
            `creates` or `requires` holds something other than names, a hook is asynchronous, takes other arguments, is
            misspelt or is one that this kind of worker does not have.
    """

    uses_cache: bool = False
    processes_elements: ClassVar[bool] = False
    creates: Creates | Collection[str] = ()
    requires: Requires | Collection[str] = ()
    arguments: type[BaseModel] | None = None
    configuration: ClassVar[type[BaseModel] | None] = None
    declaration: ClassVar[Declaration] = Declaration()
    #: The hooks that this kind of worker has; of use to no author.
    _hooks: ClassVar[tuple[str, ...]] = ("setup", "run", "teardown")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        argument = type_argument(cls, Worker)
        if argument is not None:
            cls.configuration = configuration_of(argument, cls.__qualname__, cls.__module__)
        check_arguments(cls.arguments, cls.__qualname__)
        Creates.of(cls.creates, cls.__qualname__)
        Requires.of(cls.requires, cls.__qualname__)
        check_hooks(cls, cls._hooks)

    @unwritten
    def setup(self, context: WorkerContext[C]) -> None:
        """Prepare what `run` needs, such as a model, once."""

    @unwritten
    def run(self, context: WorkerContext[C], cache: Session) -> None:
        """Do the work. The cache is committed after it, rolled back when it raises.

        The first signal that would end the process, such as SIGTERM, SIGINT or SIGHUP, interrupts it at once, wherever
        it is, with an exception that `except Exception` does not catch; `finally` blocks and `teardown` run, and the
        exit code is 128 plus the signal's number. A second signal ends the process. (A worker over elements has a
        grace time for the current one.)
        """
        raise NotImplementedError(f"{type(self).__qualname__} has no run(context, cache)")

    @unwritten
    def teardown(self, context: WorkerContext[C]) -> None:
        """Release what `setup` took. Runs once, however the run ended; an exception from it is only logged."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - for those who override it
        sources: tuple[PydanticBaseSettingsSource, ...],
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where values come from, strongest first; override it to insert a source of your own.

        Args:
            settings_cls: The model of all settings: the options are in its field `config`, extra flags in `arguments`.
            sources: The command line, the environment, the env file, the configuration file, and the layers of a
                worker run: its own values, the model version, the declared defaults, the worker version. All eight are
                there, empty where there is nothing to read.

        Returns:
            The sources with any others inserted, of pydantic-settings or your own. `explain` shows the `name` of a
            source, or that of its class, and what its method `locate(path)` says, if it has one.
        """
        return sources

    if not TYPE_CHECKING:  # a type checker should complain

        def __getattr__(self, name: str) -> Any:
            is_public = not name.startswith("_")
            is_there = hasattr(WorkerContext, name) or name in WorkerContext.__dataclass_fields__
            return lacks(self, name, of_worker=True, is_on_context=is_public and is_there)

    def _check_work(self, handover: Handover) -> None:
        """Refuse what there is nothing to work on for, before `setup`, which may take minutes to load a model."""

    def _perform(self, handover: Handover) -> None:
        """Run, in the way of this kind of worker; called by the lifecycle between `setup` and `teardown`.

        Raises:
            ArkworkerError: What ended it; its class decides the exit code.
        """
        with handover.sessions() as cache, handover.stopping.interruptible():
            self.run(handover.context, cache)

    @classmethod
    def main(cls, argv: Sequence[str] | None = None) -> None:
        """Run this worker as a console command, with the flags of `python -m arkworker run`; ends the process.

        The same as `arkworker.command(cls, argv)`.
        """
        # The door, by its name: a worker does not know the command line.
        import_module("arkworker").command(cls, argv)


class ElementsWorker(Worker[C]):
    """Base of a worker that processes elements, whose configuration is `C`.

    Elements are named with `--element`, `--elements-list` or `--set`; otherwise the process gives them, and
    in developer mode the cache's initial elements are taken.

    Attributes:
        batch_size: How many elements `process_elements` takes at once; may be assigned in `setup`, from an option or
            the memory of a GPU.
    """

    processes_elements: ClassVar[bool] = True
    batch_size: int = 1
    _hooks: ClassVar[tuple[str, ...]] = ("setup", "process_element", "process_elements", "finish", "teardown")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _check_batches(cls, cls.__qualname__)

    @unwritten
    def process_element(
        self, element: Element, context: WorkerContext[C], cache: Session
    ) -> Result | Iterable[Result] | None:
        """Work on one element.

        What was found is published after this has succeeded, while the next element is worked on; the element is
        `processed` when all of it was accepted. Whatever this raises ends the element in error, and nothing of it is
        published; the run goes on. `SystemExit` and `KeyboardInterrupt` end the run, too. The cache is committed after
        success, rolled back after failure.

        Args:
            element: The element; its image is opened with `element.open_image()`.
            context: The run.
            cache: A session of the cache, for this element alone.

        Returns:
            What was found, as one of the results (`Transcription`, `Child`, …), several, or a generator of them;
            None for nothing.
        """
        raise NotImplementedError(f"{type(self).__qualname__} has no process_element(element, context, cache)")

    @unwritten
    def process_elements(
        self, elements: Sequence[Element], context: WorkerContext[C], cache: Session
    ) -> Iterable[Result | Iterable[Result] | None] | None:
        """Work on several elements at once, as suits a GPU: at most `batch_size`, fewer at the end.

        When this raises, each element is tried once by itself: with `process_element` where the worker has one, else
        with this hook and a sequence of one. An element that fails alone ends in error; the others are not lost.

        Args:
            elements: The elements, in order.
            context: The run.
            cache: A session of the cache, for these elements.

        Returns:
            For each element, in the same order, what `process_element` would return; None for nothing at all.
        """
        raise NotImplementedError(f"{type(self).__qualname__} has no process_elements(elements, context, cache)")

    @unwritten
    def finish(self, context: WorkerContext[C], cache: Session) -> None:
        """Do what comes after the last element, once: a report, or publishing a trained model.

        It is not called when the run was ended early, by a signal or because Arkindex is out of reach. When it raises,
        the run has failed. In a run of several processes it is called in the one that was started, where `setup` was
        not called and no element was seen.

        Args:
            context: The run.
            cache: A session of the cache, committed after success.
        """

    def _check_work(self, handover: Handover) -> None:
        from arkworker.runtime.loop.assignment import choice_of

        choice_of(handover).check_work()

    def _perform(self, handover: Handover) -> None:
        from arkworker.runtime.loop.run import process_elements

        process_elements(self._code(handover.context), handover, self._finish(handover.context))

    def _code(self, context: WorkerContext[C]) -> ElementCode:
        """The hooks with the context given, once `setup` has run.

        Raises:
            DeclarationError: `batch_size` cannot be.
        """
        _check_batches(self, type(self).__qualname__)

        def batch(elements: Sequence[Element], cache: Any) -> list[tuple[Any, ...]]:
            return _each(self.process_elements(elements, context, cache), len(elements))

        from arkworker.elements.results import collect

        def single(element: Element, cache: Any) -> tuple[Any, ...]:
            if is_written(self, "process_element"):
                return collect(self.process_element(element, context, cache))
            return batch((element,), cache)[0]

        takes_batches = is_written(self, "process_elements")
        return ElementCode(single, batch if takes_batches else None, self.batch_size)

    def _finish(self, context: WorkerContext[C]) -> Callable[[Any], None] | None:
        """The hook with the context given; None where it is not written."""
        return partial(self.finish, context) if is_written(self, "finish") else None


def _check_batches(worker: ElementsWorker[Any] | type[ElementsWorker[Any]], owner: str) -> None:
    size: Any = worker.batch_size
    if isinstance(size, property):  # asked of the worker, once it is set up
        return
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise DeclarationError(f"{owner}.batch_size should be a whole number from 1, such as 16")
    if size > 1 and not is_written(worker, "process_elements"):
        raise DeclarationError(f"{owner}.batch_size is {size}: write process_elements(elements, context, cache), too")


def _each(returned: Any, number: int) -> list[tuple[Any, ...]]:
    """What `process_elements` returned or yields, for each element. Runs the rest of generators: this is user code.

    Raises:
        ResultError: It is not one item for each element.
    """
    from arkworker.elements.results import collect

    if returned is None:
        return [()] * number
    found = [collect(item) for item in collect(returned)]
    if len(found) != number:
        message = "process_elements should return one item for each element, in order"
        raise ResultError(f"{message}: {number}, not {len(found)}")
    return found


class DatasetWorker(Worker[C]):
    """Base of a worker that processes sets of datasets, whose configuration is `C`.

    Sets are named with `--set`; otherwise they are those of the process.
    """

    processes_elements: ClassVar[bool] = True
    _hooks: ClassVar[tuple[str, ...]] = ("setup", "process_set", "finish", "teardown")

    @unwritten
    def process_set(self, dataset_set: DatasetSet, export: Path, context: WorkerContext[C], cache: Session) -> None:
        """Work on one set.

        If this raises, the set counts as failed, and the run goes on. The cache is committed after success,
        rolled back after failure.

        Args:
            dataset_set: The set; `dataset_set.name`, `dataset_set.dataset.id`.
            export: The SQLite export of its dataset, downloaded; it is gone when the run ends.
            context: The run.
            cache: A session of the cache, for this set alone.
        """
        raise NotImplementedError(f"{type(self).__qualname__} has no process_set(dataset_set, export, context, cache)")

    @unwritten
    def finish(self, context: WorkerContext[C], cache: Session) -> None:
        """Do what comes after the last set, once, such as publishing the model; see `ElementsWorker.finish`.

        It is also called when sets have failed.
        """

    def _check_work(self, handover: Handover) -> None:
        from arkworker.runtime.loop.sets import check_outside

        check_outside(handover)

    def _perform(self, handover: Handover) -> None:
        from arkworker.runtime.loop.sets import process_sets

        context = handover.context

        def call(dataset_set: DatasetSet, export: Path, cache: Any) -> None:
            self.process_set(dataset_set, export, context, cache)

        def finish(cache: Any) -> None:
            self.finish(context, cache)

        process_sets(call, handover, finish if is_written(self, "finish") else None)


def options_of(worker: Worker[Any] | type[Worker[Any]], target: str) -> WorkerOptions:
    """What the settings need to know of a worker."""
    creates = Creates.of(worker.creates, target)
    requires = Requires.of(worker.requires, target)
    return WorkerOptions(
        target,
        worker.configuration,
        worker.arguments,
        worker.processes_elements,
        issubclass(worker if isinstance(worker, type) else type(worker), DatasetWorker),
        creates,
        requires,
        worker.settings_customise_sources,
    )
