"""What has files: artifacts, models, datasets' exports."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete

from arkworker.emulator.arrange.corpora import Arrangement, corpus_id
from arkworker.emulator.export_file import write_export
from arkworker.emulator.resources.datasets import export_key
from arkworker.emulator.resources.models import archive_key
from arkworker.emulator.resources.processes import artifact_key
from arkworker.emulator.tables import (
    Artifact,
    Dataset,
    DatasetElement,
    DatasetSet,
    Export,
    Model,
    ModelVersion,
    Task,
    WorkerRun,
    new_id,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class FileArrangement(Arrangement):
    """The part of the `Emulator` that stores files."""

    def add_artifact(
        self, task: str, path: str, content: bytes | Path, *, content_type: str = "application/octet-stream"
    ) -> str:
        """Add a file that a task left, replacing an earlier one with this path; returns its id."""
        with self.database.transaction() as session:
            session.look_up(Task, task)
            session.execute(delete(Artifact).filter_by(task_id=task, path=path))
            row = session.keep(Artifact(task_id=task, path=path, size=_size(content), content_type=content_type))
            self._store(artifact_key(row), content)
            return row.id

    def add_model_version(  # noqa: PLR0913 - keywords, each with a default
        self,
        name: str = "Model",
        configuration: Mapping[str, Any] | None = None,
        *,
        tag: str | None = None,
        archive: bytes | Path | None = None,
        files: Path | None = None,
        id: str | None = None,  # noqa: A002 - as everywhere in Arkindex
        model_id: str | None = None,
    ) -> str:
        """Add a version of a new model, available when it has files; returns its id.

        Args:
            name: The name of the model.
            configuration: Values that the version has for options.
            tag: The tag of the version.
            archive: The archive of the files, as it was uploaded.
            files: Or the folder that has them, which workers find as it is.
            id: The id of the version.
            model_id: The id of the model.
        """
        with self.database.transaction() as session:
            model = session.keep(Model(id=model_id or new_id(), name=name))
            values = dict(configuration or {})
            row = ModelVersion(id=id or new_id(), model_id=model.id, tag=tag, configuration=values)
            if files is not None:
                row.state, row.files = "available", files.resolve()
            if archive is not None:
                self._store(archive_key(row), archive)
                content = self.site.storage.path(archive_key(row)).read_bytes()
                row.state, row.size = "available", len(content)
                row.archive_hash = hashlib.md5(content, usedforsecurity=False).hexdigest()
            return session.keep(row).id

    def model_archive(self, worker_run: str | None) -> Path | None:
        """The archive of the model of a worker run, where it has one that was uploaded."""
        with self.database.transaction() as session:
            run = session.find(WorkerRun, worker_run)
            version = None if run is None else run.model_version
            if version is None or version.files is not None or version.state != "available":
                return None
            path = self.site.storage.path(archive_key(version))
            return path if path.exists() else None

    def model_of(self, version: str) -> str:
        """The id of the model that a version belongs to.

        Raises:
            LookupError: There is no such version.
        """
        with self.database.transaction() as session:
            return session.look_up(ModelVersion, version).model_id

    def add_dataset(
        self,
        name: str,
        sets: Mapping[str, Sequence[str]],
        *,
        corpus: str | None = None,
        description: str = "",
        id: str | None = None,  # noqa: A002 - as everywhere in Arkindex
    ) -> str:
        """Add a dataset with the elements of each of its sets; returns its id."""
        with self.database.transaction() as session:
            owner = corpus_id(session, corpus)
            rows = [DatasetSet(name=item) for item in sets]
            row = Dataset(id=id or new_id(), corpus_id=owner, name=name, description=description, sets=rows)
            session.keep(row)
            for item, elements in zip(rows, sets.values(), strict=True):
                session.add_all(DatasetElement(set_id=item.id, element_id=element) for element in elements)
            return row.id

    def add_export(
        self,
        content: bytes | Path | None = b"",
        *,
        state: str = "done",
        dataset: str | None = None,
        corpus: str | None = None,
        id: str | None = None,  # noqa: A002 - as everywhere in Arkindex
    ) -> str:
        """An export of the corpus or of a dataset, in this state, with this file, or of what is there now; its id."""
        with self.database.transaction() as session:
            row = Export(id=id or new_id(), corpus_id=corpus_id(session, corpus), dataset_id=dataset, state=state)
            session.keep(row)
            if content is None:
                write_export(session, row, self.site.storage.path(export_key(row)), self.site)
            else:
                self._store(export_key(row), content)
            return row.id

    def _store(self, key: str, content: bytes | Path) -> None:
        target = self.site.storage.path(key)
        if isinstance(content, Path):
            shutil.copyfile(content, target)
        else:
            target.write_bytes(content)


def _size(content: bytes | Path) -> int:
    return content.stat().st_size if isinstance(content, Path) else len(content)
