"""`WorkerContext`: all that a worker may know of its run, validated before it starts, frozen to the bottom."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path  # noqa: TC003 - the schema of the context evaluates its annotations
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from arkworker.arkindex.client import Connection
from arkworker.errors import ArkworkerError, ConfigurationError, Problem, ResultError
from arkworker.frozen import FrozenDict, FrozenList, freeze
from arkworker.options.creates import Creates
from arkworker.runtime.context_services import ContextServices

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.publishing import Corpora, Publisher
    from arkworker.arkindex.reading.access import ElementAccess
    from arkworker.elements import Element, Source
    from arkworker.settings.origins import Provenance
    from arkworker.settings.sources.payload import Process

C = TypeVar("C", default="Mapping[str, Any]")

#: Names of the published library that have no counterpart here, with what to use.
GONE = {
    "api_client": "use context.api",
    "args": "the flags of arkworker are in the context; extra flags of a worker are context.arguments",
    "create_dataset": "use create_dataset(context.api, …) of arkworker.arkindex.datasets",
    "create_model_version": "use context.publish_model_version(files, …), which makes the version, too",
    "download_latest_export": "use context.download_export(destination)",
    "extras_dir_argument": "use context.find_extras_directory()",
    "list_artifacts": "use list_artifacts(context.api, …) of arkworker.arkindex.artifacts",
    "list_set_elements": "use context.list_dataset_elements(dataset_set)",
    "parser": "declare extra flags with the attribute `arguments` of the worker",
    "process_information": "use context.process, whose parts are attributes: context.process.id",
    "request": "use context.api.request(operation_id, …)",
    "store_activity": "the runner reports the state of each element",
    "support_cache": "declare uses_cache = True on the worker",
    "user_configuration": "use context.config",
    "worker_version_id": "results are signed with context.worker_run_id",
}


@dataclass(frozen=True)
class WorkerContext(ContextServices, Generic[C]):
    """The run of a worker: immutable, comparable, picklable to another process.

    It holds the token of the API, which pickles with it; `repr` shows stars.

    Attributes:
        config: The worker's configuration: an instance of its model, else a frozen mapping.
        arguments: An instance of the worker's model of extra flags; None without one.
        secrets: Secrets that were loaded by name, and those of the platform's secret options.
        is_read_only: Nothing is written on Arkindex: always so in developer mode.
        worker_run_id: Id of the worker run that results are signed with; None in developer mode.
        task_id: Id of the Ponos task; None when not under Ponos.
        task_chunk: Index of the chunk this task works on; None without chunks.
        task_data_dir: Root of the tasks' data.
        work_dir: Directory of this task; files left there become its artifacts.
        process: The process that the worker run belongs to; None in developer mode.
        worker_details: The worker as Arkindex describes it; empty in developer mode.
        model_version_id: Id of the model version to work with.
        model_details: The model, with its `id`.
        model_configuration: The configuration kept with the model version; informative.
        use_cache: Whether the worker has a cache.
        cache_path: Its file; None for a cache in memory, or none.
        connection: How to reach the API.
        secrets_dir: The local secrets directory.
        model_dir: Where the agent put the model's files, if it says so.
        extras_dir: Where a person put extra files, in developer mode.
        origins: Where each value came from, by its path: `context.origins["config.threshold"]`.
    """

    config: C
    arguments: Any
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
    _creates: Creates = field(default_factory=Creates)
    _batch_size: int = 50
    _is_recording: bool = False
    origins: Mapping[str, Provenance] = field(default_factory=FrozenDict, compare=False, repr=False)

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
        """Whether the worker runs without a worker run of Arkindex, at somebody's desk."""
        return self.worker_run_id is None

    @cached_property
    def api(self) -> Client:
        """The client of the Arkindex API; made again in a process that the context was sent to."""
        from arkworker.arkindex.client import Client

        return Client(self.connection, read_only=self.is_read_only)

    @cached_property
    def task_parents(self) -> FrozenList:
        """Ids of the parents of this task, in order, asked for at first use; none when not under Ponos.

        Raises:
            ApiError: The task cannot be retrieved.
        """
        from arkworker.arkindex.parents import retrieve_parents

        return FrozenList(retrieve_parents(self.api, self.task_id) if self.task_id else ())

    def retrieve_element(self, element_id: str | UUID, *, source: Source | None = None) -> Element:
        """An element by its id: from the cache where that is a file and has it, else from Arkindex.

        Its image can be opened, and what belongs to it read, as with the element of `process_element`.

        Args:
            element_id: Its id.
            source: Where to look, and nowhere else: "cache" or "api".

        Raises:
            ApiError, CacheError: It cannot be had.
            ArkworkerError: It is not in the cache, and nobody said where Arkindex is.
            ValueError: There is no such source.
        """
        return self.element_access.retrieve(str(element_id), source)

    def bind_element(self, element: Element) -> Element:
        """The same element as one of this run: one that was made by hand, or that came from another process."""
        return self.element_access.bind(element)

    @cached_property
    def element_access(self) -> ElementAccess:
        """What this run knows of elements; made again in another process, where the cache is not open."""
        from arkworker.arkindex.reading.access import ElementAccess

        return ElementAccess(
            lambda: self.api,
            lambda: vars(self).get("sessions"),  # put there while the cache is open
            is_reachable=self.connection_is_given,
            local_files=self.is_developer_mode,
        )

    def load_secret(self, name: str | os.PathLike[str]) -> Any:
        """The plain content of a secret: from Arkindex, or from the local store, which goes before it.

        Args:
            name: Its name on Arkindex and in the local store, `file:PATH` or `env:NAME`.

        Returns:
            Text; parsed data for a name that ends with `.json`, `.yaml` or `.yml`.

        Raises:
            SecretError: It cannot be loaded; says why.
        """
        from arkworker.arkindex.secrets import load_secret
        from arkworker.storage.secrets import SecretStore

        store = SecretStore(self.secrets_dir, environ=os.environ)
        api = self.api if self.connection_is_given else None
        return load_secret(name, store=store, api=api, environ=os.environ)

    @property
    def connection_is_given(self) -> bool:
        """Whether somebody said how to reach Arkindex; at a desk, nobody may have."""
        return self.connection != Connection()

    def publish(self, element: Element, results: Any) -> None:
        """Publish what was found on an element at once, in the middle of the work; returns once all is accepted.

        `process_element` better returns what it finds: it is then published when all of the element has succeeded, and
        while the next one is worked on. What is published here stays there, whatever happens to the element later.

        Args:
            element: Any element; not only the one that is processed.
            results: As `process_element` returns them: one result, several, or a generator of them.

        Raises:
            ResultError: Something cannot be published; the message names it. Nothing was sent.
            PublicationError: Not all was accepted; it says what was. It is never worth a blind repetition.
        """
        from arkworker.elements import Element
        from arkworker.runtime.publication import collect

        if not isinstance(element, Element):
            raise ResultError(f"results are published on an Element, not on {type(element).__name__}")
        self.publisher.publish(element, collect(results))

    @cached_property
    def publisher(self) -> Publisher:
        """Where `publish` leaves results; a runner puts its own here. Made again in another process."""
        from arkworker.runtime.publication import make_publisher

        return make_publisher(self)

    @cached_property
    def corpora(self) -> Corpora:
        """What is known of the types and classes of corpora; looked up again in another process."""
        from arkworker.arkindex.publishing import Corpora

        return Corpora(self._creates)

    def find_extras_directory(self) -> Path:
        """The directory of the extra files of this run, such as a model.

        Raises:
            ExtrasDirNotFoundError: There is none; says what to set.
        """
        from arkworker.storage.locating import find_extras_directory

        return find_extras_directory(
            task_id=self.task_id,
            model_dir=self.model_dir,
            task_data_dir=self.task_data_dir,
            work_dir=self.work_dir,
            configured=self.extras_dir,
        )

    def find_parents_file_paths(self, filename: str) -> FrozenList:
        """The files of that name that parent tasks left, in the order of the parents; none without a task.

        With a chunk, `name_<chunk>.ext` is looked for beside `name.ext`.
        """
        from arkworker.storage.locating import find_parents_file_paths

        paths = find_parents_file_paths(
            filename, parent_ids=self.task_parents, task_data_dir=self.task_data_dir, chunk=self.task_chunk
        )
        return FrozenList(paths)

    def extract_parent_archives(self, archive_name: str, destination: Path) -> None:
        """Extract the archives of that name that parent tasks left; where paths meet, the later parent wins.

        Raises:
            ArchiveError: One of them is damaged or hostile; the destination is as it was.
        """
        from arkworker.storage.archives import extract_parent_archives

        extract_parent_archives(self.find_parents_file_paths(archive_name), destination)

    def __getattr__(self, name: str) -> Any:
        if name in GONE:
            raise AttributeError(f"context.{name} is gone: {GONE[name]}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getstate__(self) -> dict[str, Any]:
        # The data only: what was made from it is made again where it is needed.
        return {item.name: self.__dict__[item.name] for item in dataclasses.fields(self)}


class CacheStandIn:
    """Stands where a worker without a cache gets its session: says what to do when it is touched."""

    def __getattr__(self, name: str) -> Any:
        raise ArkworkerError("this worker has no cache: set uses_cache = True on its class")

    def __repr__(self) -> str:
        return "<no cache: set uses_cache = True on the worker's class>"


def frozen_dict(values: Mapping[str, Any]) -> FrozenDict:
    frozen = freeze(dict(values))
    assert isinstance(frozen, FrozenDict)  # noqa: S101 - what freeze makes of a dict
    return frozen
