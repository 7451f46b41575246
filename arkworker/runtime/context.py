"""`WorkerContext`: what a worker may know of its run, and what it may ask Arkindex and its disk for."""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

from typing_extensions import TypeVar

from arkworker.errors import ArkworkerError, ConfigurationError, Problem, ReadOnlyError, ResultError
from arkworker.frozen import FrozenDict, FrozenList
from arkworker.runtime.context_data import A, C, ContextData
from arkworker.runtime.migration import lacks
from arkworker.runtime.services import Services

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping
    from uuid import UUID

    from arkworker.arkindex.client import Client
    from arkworker.arkindex.datasets import Dataset, DatasetSet
    from arkworker.arkindex.models import ModelVersion
    from arkworker.arkindex.publishing.corpus import Corpus, CorpusType
    from arkworker.arkindex.tasks import Artifact
    from arkworker.elements.model import Element
    from arkworker.elements.query import ElementFilters, Source
    from arkworker.elements.records import Image
    from arkworker.elements.results import Created, ResultModel

R = TypeVar("R", bound="ResultModel")


@dataclass(frozen=True)
class WorkerContext(ContextData[C, A]):
    """The run of a worker: immutable, comparable, picklable to another process.

    It holds the token of the API, which is pickled with it; `repr` masks it.

    Attributes:
        config: The worker's configuration: an instance of its model, else a frozen mapping.
        arguments: An instance of the worker's model of extra flags; None without one. A type checker knows its fields
            where hooks take a `WorkerContext[Configuration, Arguments]`.
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
        extras_dir: The directory of extra files, in developer mode.
        origins: Where each value came from, by its path: `context.origins["config.threshold"]`.
    """

    built: InitVar[Services | None] = None

    def __post_init__(self, built: Services | None) -> None:
        if built is not None:
            object.__setattr__(self, "services", built)

    @cached_property
    def services(self) -> Services:
        """What is made from this data: handed over by the runner that built it, else made at first use."""
        return Services(self)

    @property
    def api(self) -> Client:
        """The client of the Arkindex API; made again in a process that the context was sent to."""
        return self.services.api

    @cached_property
    def task_parents(self) -> FrozenList:
        """Ids of the parents of this task, in order, retrieved at first use; none when not under Ponos.

        Raises:
            ApiError: The task cannot be retrieved.
        """
        from arkworker.arkindex.tasks import retrieve_parents

        return FrozenList(retrieve_parents(self.api, self.task_id) if self.task_id else ())

    def retrieve_element(self, element_id: str | UUID, *, source: Source | None = None) -> Element:
        """An element by its id: from the cache where that is a file and has it, else from Arkindex.

        Its image can be opened, and what belongs to it read, as with the element of `process_element`.

        Args:
            element_id: Its id.
            source: Where to look, and nowhere else: "cache" or "api".

        Raises:
            ApiError, CacheError: It cannot be retrieved.
            ArkworkerError: It is not in the cache, and the address of Arkindex is not set.
            ValueError: The source does not exist.
        """
        return self.services.element_access.retrieve(str(element_id), source)

    def list_elements(
        self, corpus_id: str | UUID | None = None, *, top_level: bool | None = None, **filters: Unpack[ElementFilters]
    ) -> Iterator[Element]:
        """The elements of a corpus, from Arkindex, page after page as they are read.

        Args:
            corpus_id: The corpus; by default, that of the run.
            top_level: True for only those that have no parent.
            filters: As those of `element.children`; `recursive` and `source` do not apply here.

        Raises:
            ConfigurationError: No corpus is given, and the run has none.
            ApiError: They cannot be listed. With the item concerned.
            ValueError, TypeError: An argument is invalid.
        """
        from arkworker.elements.query import ElementFilters, Query, require_known

        known = ("corpus_id", "top_level", *ElementFilters.__annotations__)
        require_known("WorkerContext.list_elements", filters, known)
        if {"recursive", "source"} & filters.keys():
            raise ValueError("recursive and source do not apply to the elements of a corpus")
        corpus = str(corpus_id or self.corpus_id)
        return self.services.element_access.elements(corpus, Query(**filters), top_level=top_level)

    @property
    def corpus_types(self) -> FrozenDict:
        """The element types of the corpus by their slugs, asked for each time: `corpus_types["page"].folder`.

        Raises:
            ConfigurationError: No corpus is set.
            ApiError: Arkindex does not answer.
        """
        return self._corpus.types(self.api)

    @property
    def corpus_classes(self) -> FrozenDict:
        """The ids of the classes of the corpus by their names, as far as this run knows. Raises as `corpus_types`."""
        return self._corpus.ids(self.api, "class")

    @property
    def corpus_entity_types(self) -> FrozenDict:
        """The ids of the entity types of the corpus by their names. As `corpus_classes`."""
        return self._corpus.ids(self.api, "entity type")

    def create_element_type(self, slug: str, display_name: str | None = None, *, folder: bool = False) -> CorpusType:
        """The element type with that slug in the corpus: the existing one, or a new one.

        A worker that only needs a type to exist names it in `creates`.

        Args:
            slug: Its slug.
            display_name: What people see; by default the slug.
            folder: Whether its elements are folders.

        Raises:
            ConfigurationError: No corpus is set.
            ReadOnlyError: In read-only mode; nothing was sent.
            ApiError: It can be neither found nor created.
        """
        return self._corpus.create_type(self.api, slug, display_name or slug, folder=folder)

    @property
    def _corpus(self) -> Corpus:
        return self.services.corpora.get(self.corpus_id)

    def bind_element(self, element: Element) -> Element:
        """Bind an element to this run: one that was made by hand, or that came from another process."""
        return self.services.element_access.bind(element)

    def load_secret(self, name: str | os.PathLike[str]) -> Any:
        """The plain content of a secret: from Arkindex, or from the local store, which takes precedence.

        Args:
            name: Its name on Arkindex and in the local store, `file:PATH` or `env:NAME`.

        Returns:
            Text; parsed data for a name that ends with `.json`, `.yaml` or `.yml`.

        Raises:
            SecretError: It cannot be loaded; says why.
        """
        return self.services.load_secret(name)

    @property
    def connection_is_given(self) -> bool:
        """Whether the address of Arkindex is set; in developer mode it need not be."""
        return self.services.is_reachable

    @overload
    def publish(self, element: Element, results: R) -> tuple[Created[R], ...]: ...

    @overload
    def publish(self, element: Element, results: Iterable[R] | None) -> tuple[Created[R], ...]: ...

    def publish(self, element: Element, results: Any) -> tuple[Created[Any], ...]:
        """Publish what was found on an element at once, in the middle of the work; returns once all is accepted.

        Prefer to return results from `process_element`: they are then published when all of the element has succeeded,
        and while the next one is worked on. What is published here stays there, whatever happens to the element later.

        Args:
            element: Any element; not only the one that is processed.
            results: As `process_element` returns them: one result, several, or a generator of them.

        Returns:
            What became of each result, in order, with its id: `created.id`, `created.results[0].id`. In a read-only run
            the ids are made up, so that later code takes the same path.

        Raises:
            ResultError: Something cannot be published; the message names it. Nothing was sent.
            PublicationError: Not all was accepted; it says what was. Do not simply repeat the call.
        """
        from arkworker.elements.model import Element
        from arkworker.elements.results import collect

        if not isinstance(element, Element):
            raise ResultError(f"results are published on an Element, not on {type(element).__name__}")
        return self.services.publisher.publish(element, collect(results))

    def publish_model_version(  # noqa: PLR0913 - the names that users of Arkindex know
        self,
        files: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        model_id: str | UUID | None = None,
        tag: str | None = None,
        description: str | None = None,
        configuration: Mapping[str, Any] | None = None,
        parent: str | UUID | None = None,
    ) -> ModelVersion:
        """Publish files as a version of a model on Arkindex: archived, uploaded in parts, available on return.

        An existing version with the same archive is reused. A failure or an interruption leaves nothing behind.

        Args:
            files: A directory, whose content is published, or one or several regular files.
            model_id: The model; by default that of the model version that the worker runs with.
            tag: A name for the version; left out, with a warning, when another version has it.
            description: For people, in Markdown.
            configuration: Values for workers that will use this version.
            parent: Id of the version that this one was trained from.

        Raises:
            ConfigurationError: No model is given, and the worker runs without one.
            ReadOnlyError: In read-only mode; says what would be published.
            ArchiveError: The files cannot be archived.
            ApiError: Arkindex or its storage does not take it.
            ArkworkerError: The files do not exist, or an argument cannot be sent.
        """
        from arkworker.arkindex.models import publish_model_version

        model_id = model_id or self.model_details.get("id")
        if model_id is None:
            message = "the worker runs without a model, and none is named"
            problem = Problem("model_id", "worker", "publish_model_version", message, "pass model_id")
            raise ConfigurationError([problem])
        return publish_model_version(
            self.api,
            files,
            model_id=model_id,
            work_dir=self.work_dir,
            tag=tag,
            description=description,
            configuration=configuration,
            parent=parent,
            read_only=self.is_read_only,
        )

    def update_model_version(
        self,
        version_id: str | UUID,
        *,
        tag: str | None = None,
        description: str | None = None,
        configuration: Mapping[str, Any] | None = None,
        parent: str | UUID | None = None,
    ) -> ModelVersion:
        """Change the description of a model version on Arkindex; its files and whatever is left out stay unchanged.

        Args:
            version_id: The version, such as the `id` of what `publish_model_version` returned.
            tag: Its new name.
            description: For people, in Markdown.
            configuration: Values for workers that use it.
            parent: Id of the version that it was trained from.

        Raises:
            UsageError: There is nothing to change.
            ReadOnlyError: In read-only mode; nothing was sent.
            ApiError: Arkindex refuses it.
        """
        from arkworker.arkindex.models import update_model_version

        return update_model_version(
            self.api, version_id, tag=tag, description=description, configuration=configuration, parent=parent
        )

    def upload_artifact(
        self, path: str | os.PathLike[str], name: str | None = None, content_type: str | None = None
    ) -> Artifact:
        """Upload a file as an artifact of this task at once; files in `work_dir` become artifacts when the task ends.

        Args:
            path: A regular file that is no longer being written.
            name: What to call it, without directories; its own name by default.
            content_type: Such as `text/csv`; by default derived from its name.

        Raises:
            ReadOnlyError: In read-only mode; nothing was sent.
            ApiError: Arkindex or its storage refuses it, for example because the task has an artifact of that name.
            ArkworkerError: There is no task, the file cannot be read, or an artifact cannot have this name.
        """
        from arkworker.arkindex.tasks import upload_artifact

        if self.is_read_only:
            raise ReadOnlyError("this run is read-only: the artifact was not uploaded, nothing was sent")
        if self.task_id is None:
            raise ArkworkerError("artifacts belong to a task, and this run has none: PONOS_TASK is not set")
        return upload_artifact(self.api, self.task_id, path, name=name, content_type=content_type)

    def create_iiif_image(self, url: str, width: int | None = None, height: int | None = None) -> Image:
        """An image of a IIIF server, registered on Arkindex; if Arkindex already knows it, that image.

        Args:
            url: The base of the image, without region and size.
            width: In pixels; together with `height`, or Arkindex asks the server.
            height: In pixels.

        Raises:
            UsageError: The address is not valid, or one of the sizes is missing. Nothing was sent.
            ReadOnlyError: In read-only mode; nothing was sent.
            ApiError: Arkindex refuses it.
        """
        from arkworker.arkindex.images import create_iiif_image

        return create_iiif_image(self.api, url, width=width, height=height)

    def list_dataset_elements(
        self, dataset: DatasetSet | Dataset | str | UUID, set_name: str | None = None
    ) -> Iterator[Element]:
        """The elements of a set, or of a whole dataset, page after page as they are read.

        Args:
            dataset: A set, as `process_set` gets it; a dataset, or its id.
            set_name: Of a dataset, the set to read; all of them by default.

        Raises:
            ApiError: They cannot be listed.
        """
        from arkworker.arkindex.datasets import Dataset, DatasetSet, list_elements

        if isinstance(dataset, DatasetSet):
            dataset, set_name = dataset.dataset, dataset.name
        dataset_id = dataset.id if isinstance(dataset, Dataset) else str(dataset)
        return (self.bind_element(element) for _, element in list_elements(self.api, dataset_id, set_name))

    def download_export(
        self, destination: str | os.PathLike[str], dataset_id: str | UUID | None = None, *, start: bool = True
    ) -> Path:
        """The SQLite export of a dataset, or of the whole corpus: a new one, or one made a short while ago.

        Waits for at most three hours until it is done. In read-only mode, the newest one that is done is taken.

        Args:
            destination: The file to write or replace, whole or not at all.
            dataset_id: The dataset; by default the whole corpus is exported.
            start: False for the newest one that is done, without starting one.

        Raises:
            ExportError: There is none, it failed, or it takes too long.
            ApiError: It cannot be retrieved.
            ArkworkerError: The disk refuses it.
        """
        from arkworker.arkindex import datasets
        from arkworker.clock import SystemClock

        named = None if dataset_id is None else str(dataset_id)
        choose = datasets.start_export if start and not self.is_read_only else datasets.find_export
        export_id = choose(self.api, self.corpus_id, named)
        return datasets.download_export(
            self.api, SystemClock(), export_id, Path(destination), corpus_id=self.corpus_id, dataset_id=named
        )

    def record_metric(self, name: str, value: float, unit: str = "") -> None:
        """Record a number of this run, such as a training loss, in the log and in the file of `--summary`.

        If a name is recorded several times, the log has each value and the summary the last one; with `--jobs`, the
        one of the process that ended last. What a process of your own records is only in the log.

        Args:
            name: What was measured, at most 100 characters.
            value: A number. One that is not finite, such as a loss that diverges, is logged as a warning, and the
                summary has no value of this name until a finite one comes.
            unit: What it is counted in, such as `%`, `s` or `pages`; empty for a bare number.

        Raises:
            ValueError, TypeError: It is not a number, or the name or the unit cannot be shown.
        """
        self.services.metrics.record(name, value, unit)

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

    def find_parents_file_paths(self, filename: str | os.PathLike[str]) -> FrozenList:
        """The files of that name that parent tasks left, in the order of the parents; none without a task.

        With a chunk, `name_<chunk>.ext` is looked for next to `name.ext`.

        Raises:
            ValueError: The name is absolute, empty or has a `..` component.
            ApiError: The parents of the task cannot be retrieved.
        """
        from arkworker.storage.locating import find_parents_file_paths

        paths = find_parents_file_paths(
            filename, parent_ids=self.task_parents, task_data_dir=self.task_data_dir, chunk=self.task_chunk
        )
        return FrozenList(paths)

    def extract_parent_archives(
        self, archive_name: str | os.PathLike[str], destination: str | os.PathLike[str]
    ) -> None:
        """Extract the archives of that name that parent tasks left; where paths collide, the later parent wins.

        Args:
            archive_name: Such as `model.tar.zst`.
            destination: A directory; it and its parents are made when absent.

        Raises:
            ArchiveError: One of them is damaged or hostile; the destination is unchanged.
            ValueError, ApiError: As `find_parents_file_paths`.
        """
        from arkworker.storage.archives import extract_parent_archives

        extract_parent_archives(self.find_parents_file_paths(archive_name), destination)

    if not TYPE_CHECKING:  # a type checker should complain

        def __getattr__(self, name: str) -> Any:
            return lacks(self, name, of_worker=False)
