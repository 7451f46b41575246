"""What a worker may know of its run: plain values, validated before it starts, frozen to the bottom."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple

from typing_extensions import TypeVar

from arkworker.errors import ConfigurationError, Problem
from arkworker.frozen import FrozenDict
from arkworker.options.creates import Creates

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from arkworker.arkindex.client import Connection
    from arkworker.arkindex.payload import Process
    from arkworker.settings.provenance import Origin

C = TypeVar("C", default="Mapping[str, Any]")
A = TypeVar("A", default=Any)


class RunnerData(NamedTuple):
    """What the runner needs of a run, and authors do not.

    Attributes:
        creates: What publishing may create.
        batch_size: How many results of a kind one request holds at most.
        results: The file that results are recorded in, to be published later; None where they are published.
        max_image_pixels: The largest image that is opened; 0 lifts the limit, None leaves that of Pillow.
    """

    creates: Creates = Creates()
    batch_size: int = 50
    results: str | None = None
    max_image_pixels: int | None = None


@dataclass(frozen=True, init=False, repr=False, eq=False)  # `WorkerContext` has them
class ContextData(Generic[C, A]):
    """The data of a run: immutable, comparable, picklable to another process.

    It holds the token of the API, which is pickled with it; `repr` masks it.
    Each value is described where authors meet it, at `WorkerContext`.
    """

    config: C
    arguments: A
    secrets: FrozenDict
    is_read_only: bool
    worker_run_id: str | None
    task_id: str | None
    task_chunk: str | None
    task_data_dir: Path
    work_dir: Path
    process: Process | None
    worker_details: FrozenDict
    model_version_id: str | None
    model_details: FrozenDict
    model_configuration: FrozenDict
    use_cache: bool
    cache_path: Path | None
    connection: Connection
    secrets_dir: Path
    model_dir: Path | None
    extras_dir: Path | None
    _corpus_id: str | None
    _runner: RunnerData = field(default_factory=RunnerData)
    origins: Mapping[str, Origin] = field(default_factory=FrozenDict, compare=False, repr=False)

    @property
    def corpus_id(self) -> str:
        """Id of the corpus (project) that the worker works on.

        Raises:
            ConfigurationError: None is set.
        """
        if self._corpus_id is None:
            raise ConfigurationError(
                [Problem("corpus_id", "environment", "ARKINDEX_CORPUS_ID", "no corpus is set", "set this variable")]
            )
        return self._corpus_id

    @property
    def is_developer_mode(self) -> bool:
        """Whether the worker runs without a worker run of Arkindex."""
        return self.worker_run_id is None

    def __getstate__(self) -> dict[str, Any]:
        # The data only: what was made from it is made again where it is needed.
        return {item.name: self.__dict__[item.name] for item in dataclasses.fields(self)}
