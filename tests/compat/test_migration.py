"""Rows of the guide to migration that other tests here do not run: the left side and the right side give the same."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from arkworker import Worker, WorkerContext
from arkworker.arkindex import datasets, tasks
from arkworker.arkindex.datasets import Dataset, DatasetSet
from arkworker.emulator import Emulator
from arkworker.storage.archives import create, extract
from arkworker.transport.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from arkworker.testing import MakeContext

pytestmark = pytest.mark.compat

#: The left side; prints what it gives, by the name of the row.
THEIRS = """
import json, sys, tempfile
from pathlib import Path
from uuid import UUID
from arkindex_worker.models import Dataset, DatasetSet, Element
from arkindex_worker.utils import create_tar_zst_archive, extract_tar_zst_archive
from arkindex_worker.worker import ElementsWorker
from arkindex_worker.worker.dataset import DatasetMixin
from arkindex_worker.worker.task import TaskMixin
from arkindex_worker.worker.training import TrainingMixin

class Peer(ElementsWorker, DatasetMixin, TaskMixin, TrainingMixin):
    pass

self = Peer()
sys.argv = sys.argv[:1]
self.args = self.parser.parse_args([])
self.configure()
page = Element(self.retrieve_element(PAGE))
found = {"page": [page.id, page.name]}
found["children"] = [item["id"] for item in self.list_element_children(page, folder=False, with_classes=True)]
found["parents"] = [item["id"] for item in self.list_element_parents(page)]
found["embeddings"] = [item["value"] for item in self.list_embeddings(page)]
found["class"] = self.retrieve_ml_class(self.get_ml_class_id("letter"))
self.list_corpus_types()
self.create_element_type("volume", "Volume", True)
self.create_element_type("volume", "Other", False)
self.list_corpus_types()
found["type"] = [self.corpus_types["volume"][name] for name in ("display_name", "folder")]
dataset_set = DatasetSet(name="train", dataset=Dataset(id=DATASET))
found["set"] = [element.id for element in self.list_set_elements(dataset_set)]
(artifact,) = self.list_artifacts(UUID(PARENT_TASK))
found["artifact"] = [artifact.path, self.download_artifact(UUID(PARENT_TASK), artifact).read().decode()]
found["exports"] = [item["id"] for item in self.list_exports()]
found["latest"] = self.download_latest_export().read_text()
found["export"] = self.get_export(found["exports"][0]).read_text()
self.create_model_version(MODEL, 1, "a" * 32, tag="first", description="words")
self.update_model_version(1, "a" * 32, tag="second", description="words", configuration={"a": 1})
found["version"] = [self.model_version[name] for name in ("tag", "description", "configuration")]
with tempfile.TemporaryDirectory() as folder:
    source, target = Path(folder) / "source", Path(folder) / "target"
    source.mkdir()
    target.mkdir()
    (source / "a.txt").write_text("a")
    _, archive, *_ = create_tar_zst_archive(source, Path(folder) / "a.tar.zst")
    extract_tar_zst_archive(Path(folder) / "a.tar.zst", target)
    found["archive"] = [path.name for path in target.rglob("*.txt")]
Path(OUTPUT).write_text(json.dumps(found))
"""


class Nothing(Worker):
    """Does nothing."""

    def run(self, context: WorkerContext[Any], cache: Any) -> None:
        """Nothing."""


@dataclasses.dataclass
class Place:
    """An emulator with something for each row, and a context in it."""

    emulator: Emulator
    context: WorkerContext[Any]
    run: str
    names: dict[str, str]


@pytest.fixture
def place(make_context: MakeContext) -> Iterator[Place]:
    with Emulator() as emulator:
        corpus = emulator.add_corpus()
        (book, page) = emulator.add_elements(2, image=(100, 100))
        line = emulator.add_element("text_line", "Line", parent=page)
        parent = emulator.add_task()
        emulator.add_artifact(parent, "a.txt", b"left there")
        run = emulator.add_worker_run(elements=[page], parents=[parent])
        context = make_context(
            Nothing,
            worker_run_id=run,
            corpus_id=corpus,
            connection=Connection(url=emulator.url, token=emulator.token),
        )
        context = dataclasses.replace(context)  # without what stands for Arkindex in tests
        api = context.api
        api.request("CreateElementChildren", {"children": [page]}, id=book)
        api.request("CreateEmbedding", {"value": [0.5, 1.0], "worker_run_id": run}, id=page)
        api.request("CreateMLClass", {"name": "letter"}, id=corpus)
        dataset = emulator.add_dataset("Pages", {"train": [page], "test": [line]})
        emulator.add_export(b"old")
        emulator.add_export(b"new")
        version = api.request("RetrieveModelVersion", id=emulator.add_model_version("Model"))
        names = {"PAGE": page, "DATASET": dataset, "PARENT_TASK": parent, "MODEL": version["model_id"]}
        yield Place(emulator, context, run, names)
        api.close()


def ours(place: Place, folder: Path) -> dict[str, Any]:
    """The right side."""
    context, names = place.context, place.names
    page = context.retrieve_element(names["PAGE"])
    first, _ = (context.create_element_type("volume", name, folder=name == "Volume") for name in ("Volume", "Other"))
    (item,) = tasks.list_artifacts(context.api, names["PARENT_TASK"])
    left = tasks.download_artifact(context.api, names["PARENT_TASK"], item.path, folder / "a.txt")
    text = left.read_text()
    listed = [export.id for export in datasets.list_exports(context.api, context.corpus_id)]
    latest = context.download_export(folder / "latest.sqlite", start=False)
    version = context.publish_model_version(left, model_id=names["MODEL"], tag="ours", description="words")
    version = context.update_model_version(version.id, tag="second one", configuration={"a": 1})
    (folder / "source").mkdir()
    left.rename(folder / "source" / "a.txt")
    create(folder / "source", folder / "a.tar.zst")
    extract(folder / "a.tar.zst", folder / "target")
    train = DatasetSet(name="train", dataset=Dataset(id=names["DATASET"]))
    return {
        "page": [page.id, page.name],
        "children": [child.id for child in page.children(folder=False, with_classes=True)],
        "parents": [parent.id for parent in page.parents()],
        "embeddings": [list(embedding.value) for embedding in page.embeddings()],
        "class": next(iter(context.corpus_classes)),
        "type": [first.display_name, first.folder],
        "set": [element.id for element in context.list_dataset_elements(train)],
        "artifact": [item.path, text],
        "exports": listed,
        "latest": latest.read_text(),
        "export": latest.read_text(),
        "version": ["second", version.description, dict(version.configuration)],
        "archive": [path.name for path in (folder / "target").rglob("*.txt")],
    }


def test_both_sides_of_a_row_give_the_same(place: Place, peer: Callable[[str], Path], tmp_path: Path) -> None:
    """What is read, made and changed, row by row."""
    output = tmp_path / "found.json"
    values = "\n".join(f"{name} = {value!r}" for name, value in {**place.names, "OUTPUT": str(output)}.items())
    (tmp_path / "data" / "current").mkdir(parents=True)
    done = subprocess.run(
        [peer("base-worker-0.6.0"), "-c", f"{values}\n{THEIRS}"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            **place.emulator.environment(place.run, data_dir=tmp_path / "data"),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert output.exists(), done.stderr

    assert ours(place, tmp_path) == json.loads(output.read_text())
