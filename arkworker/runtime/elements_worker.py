"""Workers over elements, which most are, and over the sets of datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from arkworker.runtime.context import C, WorkerContext
from arkworker.runtime.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy.orm import Session

    from arkworker.arkindex.datasets import DatasetSet
    from arkworker.elements import Element
    from arkworker.elements.results import Result
    from arkworker.runtime.handover import Handover


class ElementsWorker(Worker[C]):
    """Base of a worker that goes from element to element, whose configuration is `C`.

    A person names the elements with `--element`, `--elements-list` or `--set`; otherwise the process says which, and
    in developer mode the cache's initial elements are taken.
    """

    processes_elements: ClassVar[bool] = True

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

    def _perform(self, handover: Handover) -> None:
        from arkworker.runtime.loop import process_elements

        context = handover.context

        def call(element: Element, cache: Any) -> Any:
            return self.process_element(element, context, cache)

        process_elements(call, handover)


class DatasetWorker(Worker[C]):
    """Base of a worker that goes from set to set of datasets, whose configuration is `C`.

    A person names the sets with `--set`; otherwise they are those of the process.
    """

    processes_elements: ClassVar[bool] = True

    def process_set(self, dataset_set: DatasetSet, export: Path, context: WorkerContext[C], cache: Session) -> None:
        """Work on one set.

        Whatever this raises makes the set a failed one, and the run goes on. The cache is committed after success,
        rolled back after failure.

        Args:
            dataset_set: The set; `dataset_set.name`, `dataset_set.dataset.id`.
            export: The SQLite export of its dataset, downloaded; it is gone when the run ends.
            context: The run.
            cache: A session of the cache, for this set alone.
        """
        raise NotImplementedError(f"{type(self).__qualname__} has no process_set(dataset_set, export, context, cache)")

    def _perform(self, handover: Handover) -> None:
        from arkworker.runtime.loop.sets_run import process_sets

        context = handover.context

        def call(dataset_set: DatasetSet, export: Path, cache: Any) -> None:
            self.process_set(dataset_set, export, context, cache)

        process_sets(call, handover)
