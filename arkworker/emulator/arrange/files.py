"""What has files: artifacts, models, datasets' exports."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete

from arkworker.emulator.arrange.base import Arrangement, corpus_id, find
from arkworker.emulator.resources import artifacts, exports, models
from arkworker.emulator.tables import (
    Artifact,
    Dataset,
    DatasetElement,
    DatasetSet,
    Export,
    Model,
    ModelVersion,
    Task,
    new_id,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class FileArrangement(Arrangement):
    """The part of the `Emulator` that stores files."""

    def add_artifact(
        self, task: str, path: str, content: bytes | Path, *, content_type: str = "application/octet-stream"
    ) -> str:
        """A file that a task left behind, in the place of an earlier one with this path; its id."""
        with self.database.transaction() as session:
            find(session, Task, task)
            session.execute(delete(Artifact).filter_by(task_id=task, path=path))
            row = Artifact(id=new_id(), task_id=task, path=path, size=_size(content), content_type=content_type)
            session.add(row)
            self._store(artifacts.key(row), content)
            return row.id

    def add_model_version(
        self,
        name: str = "Model",
        configuration: Mapping[str, Any] | None = None,
        *,
        tag: str | None = None,
        archive: bytes | Path | None = None,
    ) -> str:
        """A version of a new model, available when there is an archive; its id."""
        with self.database.transaction() as session:
            model = Model(id=new_id(), name=name)
            session.add(model)
            session.flush()
            row = ModelVersion(id=new_id(), model_id=model.id, tag=tag, configuration=dict(configuration or {}))
            if archive is not None:
                self._store(models.key(row), archive)
                content = self.site.storage.path(models.key(row)).read_bytes()
                row.state, row.size = "available", len(content)
                row.archive_hash = hashlib.md5(content, usedforsecurity=False).hexdigest()
            session.add(row)
            return row.id

    def add_dataset(
        self, name: str, sets: Mapping[str, Sequence[str]], *, corpus: str | None = None, description: str = ""
    ) -> str:
        """A dataset with the elements of each of its sets; its id."""
        with self.database.transaction() as session:
            owner = corpus_id(session, corpus)
            rows = [DatasetSet(id=new_id(), name=item) for item in sets]
            row = Dataset(id=new_id(), corpus_id=owner, name=name, description=description, sets=rows)
            session.add(row)
            session.flush()
            for item, elements in zip(rows, sets.values(), strict=True):
                session.add_all(DatasetElement(set_id=item.id, element_id=element) for element in elements)
            return row.id

    def add_export(
        self,
        content: bytes | Path = b"",
        *,
        state: str = "done",
        dataset: str | None = None,
        corpus: str | None = None,
    ) -> str:
        """An export of the corpus or of a dataset, with this file, in this state; its id."""
        with self.database.transaction() as session:
            row = Export(id=new_id(), corpus_id=corpus_id(session, corpus), dataset_id=dataset, state=state)
            session.add(row)
            self._store(exports.key(row), content)
            return row.id

    def _store(self, key: str, content: bytes | Path) -> None:
        target = self.site.storage.path(key)
        if isinstance(content, Path):
            shutil.copyfile(content, target)
        else:
            target.write_bytes(content)


def _size(content: bytes | Path) -> int:
    return content.stat().st_size if isinstance(content, Path) else len(content)
