"""What a worker can ask for beside its elements and results: models, artifacts, images, datasets, exports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkworker.errors import ArkworkerError, ConfigurationError, Problem, ReadOnlyError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping
    from uuid import UUID

    from arkworker.arkindex.artifacts import Artifact
    from arkworker.arkindex.client import Client
    from arkworker.arkindex.datasets import Dataset, DatasetSet
    from arkworker.arkindex.models import ModelVersion
    from arkworker.elements import Element
    from arkworker.elements.records import Image
    from arkworker.frozen import FrozenDict


class ContextServices:
    """The methods of `WorkerContext` that hand over to services; the values are those of the context."""

    if TYPE_CHECKING:
        is_read_only: bool
        task_id: str | None
        work_dir: Path
        model_details: FrozenDict

        @property
        def api(self) -> Client: ...

        @property
        def corpus_id(self) -> str: ...

        def bind_element(self, element: Element) -> Element: ...

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
        """Make files a version of a model on Arkindex: archived, uploaded in parts, available when this returns.

        A version with the very same archive is used again. What fails, or is interrupted, leaves nothing behind.

        Args:
            files: A directory, whose content is published, or one or several regular files.
            model_id: The model; by default that of the model version that the worker runs with.
            tag: A name for the version; left out, with a warning, when another version has it.
            description: For people, in Markdown.
            configuration: Values for workers that will use this version.
            parent: Id of the version that this one was trained from.

        Raises:
            ConfigurationError: No model is given, and the worker runs with none.
            ReadOnlyError: In read-only mode; says what would be published.
            ArchiveError: The files cannot be archived.
            ApiError: Arkindex or its storage does not take it.
            ArkworkerError: There are no such files, or an argument cannot be sent.
        """
        from arkworker.arkindex.models import publish_model_version

        model_id = model_id or self.model_details.get("id")
        if model_id is None:
            message = "the worker runs with no model whose version this could be"
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

    def upload_artifact(
        self, path: str | os.PathLike[str], name: str | None = None, content_type: str | None = None
    ) -> Artifact:
        """Make a file an artifact of this task at once; files in `work_dir` become artifacts when the task ends.

        Args:
            path: A regular file that nobody writes to any more.
            name: What to call it, without directories; its own name by default.
            content_type: Such as `text/csv`; by default what its name says.

        Raises:
            ReadOnlyError: In read-only mode; nothing was sent.
            ApiError: Arkindex or its storage refuses it, for example because the task has an artifact of that name.
            ArkworkerError: There is no task, the file cannot be read, or the name is none that an artifact can have.
        """
        from arkworker.arkindex.artifacts import upload_artifact

        if self.is_read_only:
            raise ReadOnlyError("this run is read-only: no artifact is uploaded, nothing was sent")
        if self.task_id is None:
            raise ArkworkerError("artifacts belong to a task, and this run has none: PONOS_TASK is not set")
        return upload_artifact(self.api, self.task_id, Path(path), name=name, content_type=content_type)

    def create_iiif_image(self, url: str, width: int | None = None, height: int | None = None) -> Image:
        """The image at an address of a IIIF server, made known to Arkindex; the one it knows already, if it does.

        Args:
            url: The base of the image, without region and size.
            width: In pixels; together with `height`, or Arkindex asks the server.
            height: In pixels.

        Raises:
            UsageError: The address is none, or one of the sizes is missing. Nothing was sent.
            ReadOnlyError: In read-only mode; nothing was sent.
            ApiError: Arkindex refuses it.
        """
        from arkworker.arkindex.images import create_iiif_image

        return create_iiif_image(self.api, url, width=width, height=height)

    def list_dataset_elements(
        self, dataset: DatasetSet | Dataset | str, set_name: str | None = None
    ) -> Iterator[Element]:
        """The elements of a set, or of a whole dataset, page after page as they are read.

        Args:
            dataset: A set, as `process_set` gets it; a dataset, or its id.
            set_name: Of a dataset, the set to read; all of them by default.

        Raises:
            ApiError: They cannot be listed.
        """
        from arkworker.arkindex.datasets import DatasetSet, list_elements

        if isinstance(dataset, DatasetSet):
            dataset, set_name = dataset.dataset, dataset.name
        dataset_id = dataset if isinstance(dataset, str) else dataset.id
        return (self.bind_element(element) for _, element in list_elements(self.api, dataset_id, set_name))

    def download_export(self, destination: str | os.PathLike[str], dataset_id: str | None = None) -> Path:
        """The SQLite export of a dataset, or of the whole corpus: a new one, or one made a short while ago.

        Waits for at most three hours until it is done. In read-only mode, the newest one that is done is taken.

        Args:
            destination: The file to write or replace, whole or not at all.
            dataset_id: The dataset; by default the whole corpus is exported.

        Raises:
            ExportError: There is none, it failed, or it takes too long.
            ApiError: It cannot be had.
            ArkworkerError: The disk refuses it.
        """
        from arkworker.arkindex import exports
        from arkworker.clock import SystemClock

        choose = exports.find_export if self.is_read_only else exports.start_export
        export_id = choose(self.api, self.corpus_id, dataset_id)
        return exports.download_export(
            self.api, SystemClock(), export_id, Path(destination), corpus_id=self.corpus_id, dataset_id=dataset_id
        )
