"""The published library and ours publish model versions, datasets, artifacts and exports with the same requests."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.arkindex import datasets, tasks
from arkworker.arkindex.client import Client, Connection
from arkworker.arkindex.models import publish_model_version
from arkworker.emulator import Emulator, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from arkworker.emulator.ledger import Call

pytestmark = pytest.mark.compat

PARENT = "0a0a0a0a-0000-4000-8000-000000000001"
# What differs from one archive, or one instance, to the other; the digest of a part is also its ETag.
INDIVIDUAL = ("size", "archive_hash", "md5_hash", "etag", "upload_id", "object_id")

WORKER = """
import sys
from pathlib import Path
from uuid import UUID
from arkindex_worker.models import Dataset, DatasetSet, Element
from arkindex_worker.worker import ElementsWorker
from arkindex_worker.worker.task import TaskMixin
from arkindex_worker.worker.training import TrainingMixin

class Peer(ElementsWorker, TrainingMixin):
    pass

worker = Peer()
sys.argv = sys.argv[:1]
worker.args = worker.parser.parse_args([])
worker.configure()
exec(CODE, {"self": worker, **globals()})
"""


class Desk:
    """An emulator with what both libraries find in it."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.corpus = emulator.add_corpus()
        self.elements = emulator.add_elements(2, image=(100, 100))
        self.run = emulator.add_worker_run(elements=self.elements[:1])
        self.client = Client(Connection(url=emulator.url, token=emulator.token))
        version = emulator.add_model_version("Model", tag="taken", archive=b"")
        self.model = self.client.request("RetrieveModelVersion", id=version)["model_id"]
        self.names = {
            self.corpus: "corpus",
            self.run: "run",
            self.model: "model",
            self.task: "task",
            self.elements[0]: "first",
            self.elements[1]: "second",
        }
        emulator.ledger.clear()

    @property
    def task(self) -> str:
        return str(self.emulator.tasks(self.run)[0].id)

    def run_peer(self, python: Path, code: str, home: Path) -> subprocess.CompletedProcess[str]:
        environ = self.emulator.environment(self.run, data_dir=home)
        (home / "current").mkdir(exist_ok=True)
        return subprocess.run(
            [python, "-c", f"CODE = {code!r}\n{WORKER}"],
            env={"PATH": os.environ["PATH"], "HOME": str(home), **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def writes(self) -> list[Any]:
        """Each request that writes: operation, path and body; of one to the storage, the headers that are signed."""
        return [self._shown(call) for call in self.emulator.ledger.calls() if call.method != "GET"]

    def _shown(self, call: Call) -> Any:
        if call.operation == "PutFile":
            headers = {name: "" for name in ("content-md5", "content-type") if name in call.headers}
            return ["PutFile", headers | {name: call.headers[name] for name in headers if name == "content-type"}]
        text = json.dumps([call.operation, call.path, _without(call.body, INDIVIDUAL)], sort_keys=True)
        for identifier, name in self.names.items():
            text = text.replace(identifier, name)
        return json.loads(text)


def _without(body: Any, keys: tuple[str, ...]) -> Any:
    if isinstance(body, list):
        return [_without(item, keys) for item in body]
    if not isinstance(body, dict):
        return body
    return {key: type(value).__name__ if key in keys else _without(value, keys) for key, value in body.items()}


@pytest.fixture
def desks() -> Iterator[tuple[Desk, Desk]]:
    with Emulator() as theirs, Emulator() as ours:
        pair = (Desk(theirs), Desk(ours))
        yield pair
        for desk in pair:
            desk.client.close()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Eleven MiB that nothing makes smaller, hence three parts."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights.bin").write_bytes(os.urandom(11 << 20))
    return model


@pytest.mark.parametrize("tag", ["fine", "taken"])
def test_a_model_version_is_published_with_the_same_requests(
    tag: str, desks: tuple[Desk, Desk], model: Path, peer: Callable[[str], Path], tmp_path: Path
) -> None:
    """Also where the tag is another version's; three parts, each with its digest and without a type."""
    theirs, ours = desks
    values: dict[str, Any] = {"tag": tag, "description": "d", "configuration": {"a": [1]}, "parent": PARENT}

    done = theirs.run_peer(
        peer("base-worker-0.6.0"),
        f"self.publish_model_version(Path({str(model)!r}), {theirs.model!r}, **{values!r})",
        tmp_path,
    )
    publish_model_version(ours.client, model, model_id=ours.model, work_dir=tmp_path / "work", **values)

    assert done.returncode == 0, done.stderr
    assert ours.writes() == theirs.writes()
    sizes = [[int(c.headers["content-length"]) for c in desk.emulator.ledger.calls("PutFile")] for desk in desks]
    assert ([len(each) for each in sizes], len(ours.writes())) == ([3, 3], 9 + (tag == "taken"))
    assert sizes[0][:2] == sizes[1][:2] == [5 << 20] * 2


def test_nothing_but_the_files_gives_the_same_requests(
    desks: tuple[Desk, Desk], model: Path, peer: Callable[[str], Path], tmp_path: Path
) -> None:
    """What is not given is not sent, but for the configuration, which is empty."""
    theirs, ours = desks

    done = theirs.run_peer(
        peer("base-worker-0.6.0"), f"self.publish_model_version(Path({str(model)!r}), {theirs.model!r})", tmp_path
    )
    publish_model_version(ours.client, model, model_id=ours.model, work_dir=tmp_path / "work")

    assert done.returncode == 0, done.stderr
    assert ours.writes() == theirs.writes()


def test_a_storage_that_refuses_is_left_with_the_same_requests(
    desks: tuple[Desk, Desk], model: Path, peer: Callable[[str], Path], tmp_path: Path
) -> None:
    """The upload is aborted; ours then removes the version, too, so that its tag is free."""
    theirs, ours = desks
    for desk in desks:
        desk.emulator.faults.add("PutFile", Fault.answer(403), skip=1)

    done = theirs.run_peer(
        peer("base-worker-0.6.0"), f"self.publish_model_version(Path({str(model)!r}), {theirs.model!r})", tmp_path
    )
    with pytest.raises(Exception, match="status 403"):
        publish_model_version(ours.client, model, model_id=ours.model, work_dir=tmp_path / "work")

    assert done.returncode != 0
    *same, last = ours.writes()
    assert (same, last[0]) == (theirs.writes(), "DestroyModelVersion")


def test_datasets_are_made_with_the_same_requests(
    desks: tuple[Desk, Desk], peer: Callable[[str], Path], tmp_path: Path
) -> None:
    """Created, filled, emptied."""
    theirs, ours = desks
    code = f"""made = self.create_dataset("Lines", "All of them", ["train", "test"], unique_elements=False)
chosen = DatasetSet(id="", name="train", dataset=Dataset(**made))
for identifier in {theirs.elements!r}:
    self.create_dataset_element(chosen, Element(id=identifier))
self.destroy_dataset_element(chosen, Element(id={theirs.elements[1]!r}))"""

    done = theirs.run_peer(peer("base-worker-0.6.0"), code, tmp_path)
    made = datasets.create_dataset(
        ours.client, ours.corpus, "Lines", "All of them", ["train", "test"], unique_elements=False
    )
    for element in ours.elements:
        datasets.add_element(ours.client, made.id, "train", element)
    datasets.remove_element(ours.client, made.id, "train", ours.elements[1])

    assert done.returncode == 0, done.stderr
    theirs.names[theirs.emulator.ledger.calls("CreateDatasetElement")[0].path.split("/")[4]] = "dataset"
    ours.names[made.id] = "dataset"
    assert ours.writes() == theirs.writes()


def test_exports_and_artifacts_take_the_same_requests(
    desks: tuple[Desk, Desk], peer: Callable[[str], Path], tmp_path: Path
) -> None:
    """The second export is the first one again."""
    theirs, ours = desks
    (tmp_path / "current").mkdir()
    (tmp_path / "current" / "a.json").write_text("[]")
    code = """print(self.start_export() == self.start_export())
self.upload_artifact(self.work_dir / "a.json")"""

    done = theirs.run_peer(peer("base-worker-0.6.0"), code, tmp_path)
    started = {datasets.start_export(ours.client, ours.corpus) for _ in range(2)}
    tasks.upload_artifact(ours.client, ours.task, tmp_path / "current" / "a.json")

    assert (done.returncode, done.stdout, len(started)) == (0, "True\n", 1), done.stderr
    assert ours.writes() == theirs.writes()
