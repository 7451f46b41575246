"""What a worker can ask its context for, in a worker run on an emulated Arkindex and at a desk without one."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import select

from arkworker.arkindex.client import Connection
from arkworker.arkindex.datasets import Dataset, DatasetSet, ExportError
from arkworker.emulator import Emulator, Fault
from arkworker.emulator.tables import ModelVersion
from arkworker.errors import ArkworkerError, ConfigurationError, ReadOnlyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from arkworker import WorkerContext
    from arkworker.testing.contexts import MakeContext

ROOT = Path(__file__).parents[2]


def work(context: WorkerContext[dict[str, Any]], cache: object) -> None:
    """Does nothing."""


@pytest.fixture
def corpus(emulator: Emulator) -> str:
    return emulator.add_corpus()


@pytest.fixture
def run(emulator: Emulator, corpus: str) -> str:  # noqa: ARG001 - a worker run needs one
    return emulator.add_worker_run(elements=[])


@pytest.fixture
def context(
    emulator: Emulator, corpus: str, run: str, make_context: MakeContext, tmp_path: Path
) -> Iterator[WorkerContext[dict[str, Any]]]:
    """Of a worker run."""
    made = make_context(
        work,
        worker_run_id=run,
        corpus_id=corpus,
        task_id=emulator.tasks(run)[0].id,
        work_dir=tmp_path / "work",
        connection=Connection(url=emulator.url, token=emulator.token),
    )
    made = dataclasses.replace(made)  # without what stands for Arkindex in tests
    yield made
    made.api.close()


@pytest.fixture
def desk(
    context: WorkerContext[dict[str, Any]], make_context: MakeContext, corpus: str
) -> Iterator[WorkerContext[Any]]:
    """The same, read-only."""
    made = make_context(work, corpus_id=corpus, connection=context.connection)
    made = dataclasses.replace(made)
    yield made
    made.api.close()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.bin"
    path.write_bytes(b"weights")
    return path


def test_a_model_version_is_published(emulator: Emulator, context: WorkerContext[Any], weights: Path) -> None:
    """Of the model that is given."""
    model = context.api.request("RetrieveModelVersion", id=emulator.add_model_version("Model"))["model_id"]

    version = context.publish_model_version(weights, model_id=model, tag="fine")

    assert (version.model_id, version.state, version.tag) == (model, "available", "fine")
    assert list(context.work_dir.iterdir()) == []
    assert pickle.loads(pickle.dumps(version)) == version


def test_a_model_version_is_of_the_model_that_the_worker_runs_with(
    emulator: Emulator, context: WorkerContext[Any], make_context: MakeContext, weights: Path, tmp_path: Path
) -> None:
    """Unless another one is given."""
    model = context.api.request("RetrieveModelVersion", id=emulator.add_model_version("Model"))["model_id"]
    tuned = make_context(
        work,
        worker_run_id="r",
        connection=context.connection,
        model_details={"id": model},
        work_dir=tmp_path / "work",
    )
    tuned = dataclasses.replace(tuned)

    assert tuned.publish_model_version(weights).model_id == model
    tuned.api.close()


def test_a_version_of_no_model_is_refused(context: WorkerContext[Any], weights: Path) -> None:
    """It says what to pass."""
    with pytest.raises(ConfigurationError) as caught:
        context.publish_model_version(weights)

    problem = caught.value.problems[0]
    assert (problem.path, problem.hint) == ("model_id", "pass model_id")


def test_an_artifact_is_uploaded(context: WorkerContext[Any], weights: Path) -> None:
    """Under any name and type."""
    from arkworker.arkindex.tasks import Artifact, list_artifacts

    context.upload_artifact(str(weights))
    context.upload_artifact(weights, "labels.txt", "text/plain")

    assert list_artifacts(context.api, str(context.task_id)) == [
        Artifact("labels.txt", 7, "text/plain"),
        Artifact("weights.bin", 7, "application/octet-stream"),
    ]


def test_without_a_task_there_are_no_artifacts(make_context: MakeContext, weights: Path) -> None:
    """It says what is missing."""
    with pytest.raises(ArkworkerError, match="PONOS_TASK is not set"):
        make_context(work, worker_run_id="r").upload_artifact(weights)


def test_an_image_is_made_known(context: WorkerContext[Any]) -> None:
    """And known from then on."""
    url = f"https://iiif.example.org/{context.task_id}.jpg"

    first, second = (context.create_iiif_image(url, 10, 20) for _ in range(2))

    assert (first.id, first.width, first.height) == (second.id, 10, 20)


def test_elements_of_datasets_are_listed(emulator: Emulator, context: WorkerContext[Any], corpus: str) -> None:
    """Of a set, of a dataset, of one by its id; bound to the run, so that their images open."""
    first, second = emulator.add_elements(2, corpus=corpus, image=(30, 20))
    dataset_id = emulator.add_dataset("Pages", {"train": [first], "test": [second]}, corpus=corpus)
    dataset = Dataset(id=dataset_id)

    found = {
        "set": context.list_dataset_elements(DatasetSet(name="test", dataset=dataset)),
        "dataset": context.list_dataset_elements(dataset),
        "id": context.list_dataset_elements(UUID(dataset_id), "train"),
    }

    ids = {name: [element.id for element in elements] for name, elements in found.items()}
    assert ids == {"set": [second], "dataset": [first, second], "id": [first]}
    assert next(context.list_dataset_elements(dataset)).open_image().size == (30, 20)


def test_elements_of_a_corpus_are_listed(emulator: Emulator, context: WorkerContext[Any], corpus: str) -> None:
    """Those that are asked for; bound to the run, so that their images open."""
    pages = emulator.add_elements(2, corpus=corpus, image=(30, 20))
    line = emulator.add_element("text_line", "1", parent=pages[0])

    assert [element.id for element in context.list_elements()] == [*pages, line]
    assert [element.id for element in context.list_elements(corpus, top_level=True)] == list(pages)
    (found,) = context.list_elements(type="text_line")
    assert (found.id, next(context.list_elements()).open_image().size) == (line, (30, 20))
    with pytest.raises(ValueError, match="recursive and source do not apply"):
        context.list_elements(recursive=True)
    with pytest.raises(TypeError, match=r"WorkerContext\.list_elements\(\) got .* 'typ'; did you mean type\?"):
        context.list_elements(typ="page")  # type: ignore[call-arg]


def test_what_comes_with_elements_of_a_list_is_not_asked_for_again(
    emulator: Emulator, context: WorkerContext[Any], corpus: str
) -> None:
    """Classes and metadata, where they were wanted."""
    (page,) = emulator.add_elements(1, corpus=corpus)
    context.api.request("CreateMetaData", {"type": "text", "name": "n", "value": "v"}, id=page)
    kind = context.api.request("CreateMLClass", {"name": "letter"}, id=corpus)["id"]
    context.api.request("CreateClassification", {"element": page, "ml_class": kind, "confidence": 1.0})
    emulator.ledger.clear()

    (element,) = context.list_elements(with_classes=True, with_metadata=True)

    assert [item.class_name for item in element.classifications()] == ["letter"]
    assert [item.value for item in element.metadata()] == ["v"]
    assert [call.operation for call in emulator.ledger.calls()] == ["ListElements"]


def test_the_names_of_the_corpus_are_maps(context: WorkerContext[Any], corpus: str) -> None:
    """Types with what they are, classes and entity types with their ids."""
    kind = context.api.request("CreateMLClass", {"name": "letter"}, id=corpus)["id"]
    place = context.api.request("CreateEntityType", {"name": "place", "corpus": corpus})["id"]

    assert {slug: item.folder for slug, item in context.corpus_types.items()} == dict.fromkeys(
        ("page", "paragraph", "text_line"), False
    )
    assert (context.corpus_classes, context.corpus_entity_types) == ({"letter": kind}, {"place": place})


def test_a_type_of_folders_is_created_once(context: WorkerContext[Any]) -> None:
    """The one that is there is taken, whatever it is called; results may name it."""
    first, second = (context.create_element_type("volume", name, folder=True) for name in ("Volume", "Other"))

    assert (first.display_name, first.folder, second) == ("Volume", True, first)
    assert context.corpus_types["volume"] == first


def test_a_model_version_is_changed(emulator: Emulator, context: WorkerContext[Any]) -> None:
    """What is left out stays."""
    version = emulator.add_model_version("Model")
    context.update_model_version(version, tag="first", description="words")

    changed = context.update_model_version(version, tag="second", configuration={"a": 1})

    assert (changed.tag, changed.description, changed.configuration) == ("second", "words", {"a": 1})
    with pytest.raises(UsageError, match="nothing to change"):
        context.update_model_version(version)


def test_an_export_is_downloaded(emulator: Emulator, context: WorkerContext[Any], corpus: str, tmp_path: Path) -> None:
    """Of the corpus or of a dataset."""
    dataset = emulator.add_dataset("Pages", {"train": []}, corpus=corpus)

    paths = [context.download_export(tmp_path / "a"), context.download_export(str(tmp_path / "b"), UUID(dataset))]

    assert [path.read_bytes()[:15] for path in paths] == [b"SQLite format 3"] * 2
    assert [call.body for call in emulator.ledger.calls("StartExport")] == [{}, {"dataset_id": dataset}]


def test_the_newest_export_is_downloaded_without_another(
    emulator: Emulator, context: WorkerContext[Any], corpus: str, tmp_path: Path
) -> None:
    """As the published library does for the latest one."""
    emulator.add_export(b"old", corpus=corpus)
    emulator.add_export(b"new", corpus=corpus)

    path = context.download_export(tmp_path / "export.sqlite", start=False)

    assert (path.read_bytes(), emulator.ledger.calls("StartExport")) == (b"new", [])


def test_nothing_is_sent_at_a_desk(emulator: Emulator, desk: WorkerContext[Any], weights: Path, tmp_path: Path) -> None:
    """Each says that the run is read-only; an export is looked for, not started."""
    before = emulator.ledger.count
    for write in (
        lambda: desk.publish_model_version(weights, model_id="m"),
        lambda: desk.upload_artifact(weights),
        lambda: desk.create_iiif_image("https://iiif.example.org/x.jpg"),
    ):
        with pytest.raises(ReadOnlyError, match="read-only"):
            write()
    assert emulator.ledger.count == before

    with pytest.raises(ExportError, match="has no export"):
        desk.download_export(tmp_path / "x")
    assert emulator.ledger.calls("StartExport") == []


def test_what_would_be_published_is_looked_at_at_a_desk(desk: WorkerContext[Any], tmp_path: Path) -> None:
    """So that a mistake shows there."""
    with pytest.raises(ArkworkerError, match="nowhere cannot be published"):
        desk.publish_model_version(tmp_path / "nowhere", model_id="m")
    with pytest.raises(UsageError, match="configuration should be a mapping"):
        desk.publish_model_version(tmp_path, model_id="m", configuration=[1])  # type: ignore[arg-type] # the mistake


WORKER = """
import os, sys
from pathlib import Path
from arkworker import Worker
from arkworker.arkindex.models import archive

archive.SMALLEST = archive.MIB  # so that a small archive has several parts

def memory():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

class Training(Worker):
    def run(self, context, cache):
        if os.environ["MODEL_SIZE"] != "0":
            context.publish_model_version(os.environ["SMALL"], model_id=os.environ["MODEL"])
            before = memory()
        context.publish_model_version(os.environ["MODEL_FILES"], model_id=os.environ["MODEL"], tag="t")
        if os.environ["MODEL_SIZE"] != "0":
            print((memory() - before) // 1024)

Training.main()
"""


@pytest.fixture
def start(
    emulator: Emulator, context: WorkerContext[Any], run: str, tmp_path: Path
) -> Callable[..., subprocess.Popen[str]]:
    """Starts a worker in a process of its own, which publishes a model of some MiB."""

    def begin(mebibytes: int, *, measured: bool = False) -> subprocess.Popen[str]:
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "small").mkdir(exist_ok=True)
        (tmp_path / "small" / "x").write_bytes(os.urandom(10 << 20 if measured else 1))
        with (tmp_path / "model" / "weights.bin").open("wb") as file:
            for _ in range(mebibytes):
                file.write(os.urandom(1 << 20))
        model = context.api.request("RetrieveModelVersion", id=emulator.add_model_version("Model"))["model_id"]
        environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environ |= emulator.environment(run, data_dir=tmp_path / "data")
        environ |= {"PYTHONPATH": str(ROOT), "MODEL": model, "MODEL_FILES": str(tmp_path / "model")}
        environ |= {"MODEL_SIZE": str(mebibytes if measured else 0), "SMALL": str(tmp_path / "small")}
        return subprocess.Popen(
            [sys.executable, "-c", WORKER], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return begin


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.parametrize("operation", ["PutFile", "CreateMultipartUploadPart", "CompleteMultipartUpload"])
def test_a_signal_aborts_the_upload(
    operation: str, start: Callable[..., subprocess.Popen[str]], emulator: Emulator, tmp_path: Path
) -> None:
    """Within a moment, whatever is under way; neither the upload nor the version nor the archive is left."""
    skip = 0 if operation.startswith("Complete") else 1
    emulator.faults.add(operation, Fault.delay(120), skip=skip)
    with start(2) as process:
        try:
            wait_for(lambda: len(emulator.ledger.calls(operation)) > skip)
            process.send_signal(signal.SIGTERM)
            begun = time.monotonic()
            _, log = process.communicate(timeout=60)
        finally:
            process.kill()

    assert (process.returncode, time.monotonic() - begun < 60) == (143, True), log
    ended = emulator.ledger.calls()[-2:]
    assert [(call.operation, call.status) for call in ended] == [
        ("AbortMultipartUpload", 204),
        ("DestroyModelVersion", 204),
    ], log
    assert [path.name for path in (tmp_path / "data" / "current").iterdir()] == []


def test_a_signal_ends_the_wait_for_another_attempt(
    start: Callable[..., subprocess.Popen[str]], emulator: Emulator
) -> None:
    """A storage that fails is not waited for any longer."""
    emulator.faults.add("PutFile", Fault.answer(503))
    with start(1) as process:
        try:
            wait_for(lambda: emulator.ledger.calls("PutFile"))
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=60)
        finally:
            process.kill()

    assert process.returncode == 143, log
    assert len(emulator.ledger.calls("PutFile")) <= 2, log
    assert emulator.ledger.calls()[-1].operation == "DestroyModelVersion", log


@pytest.mark.campaign
def test_killed_publications_leave_nothing_that_the_next_one_trips_over(
    start: Callable[..., subprocess.Popen[str]], emulator: Emulator, tmp_path: Path
) -> None:
    """SIGKILL at any moment: what is available is whole, and the next run removes what was left on the disk."""
    emulator.faults.add("*", Fault.delay(0.02))
    dice = random.Random(1)
    for _ in range(50):
        with start(3) as process:
            try:
                time.sleep(dice.uniform(0.3, 1.5))
            finally:
                process.kill()
    with start(3) as process:
        _, log = process.communicate(timeout=60)

    assert process.returncode == 0, log
    assert list((tmp_path / "data" / "current").iterdir()) == []
    with emulator.database.transaction() as session:
        rows = session.scalars(select(ModelVersion).where(ModelVersion.state == "available")).all()
        found = {row.id: row.archive_hash for row in rows}
    for identifier, digest in found.items():
        content = emulator.site.storage.path(f"models/{identifier}").read_bytes()
        assert hashlib.md5(content).hexdigest() == digest
    assert found


def grown_by(process: subprocess.Popen[str]) -> int:
    with process:
        try:
            output, log = process.communicate(timeout=300)
        finally:
            process.kill()
    assert process.returncode == 0, log
    return int(output)


def test_memory_stays_flat(start: Callable[..., subprocess.Popen[str]]) -> None:
    """An archive passes through in pieces: 40 MiB need no more than 10, but for a few buffers."""
    assert grown_by(start(40, measured=True)) < 20


@pytest.mark.campaign
def test_memory_stays_flat_for_long(start: Callable[..., subprocess.Popen[str]]) -> None:
    """Half a gigabyte as well."""
    assert grown_by(start(500, measured=True)) < 40
