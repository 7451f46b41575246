"""The examples, and workers of the published library that do the same job: the same requests, body by body."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from arkworker.arkindex.client import Client, Connection
from arkworker.emulator import Emulator, run_worker, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.compat

EXAMPLES = Path(__file__).parents[2] / "examples"
SCHEMA = Path(__file__).parents[1] / "data" / "openapi-reconstructed.json"
#: What differs from one archive or instance to the other.
INDIVIDUAL = ("size", "archive_hash", "md5_hash", "etag", "upload_id", "object_id", "parts", "path")
LETTER = "\n".join(f"line {number} of 1871, in Paris" for number in range(100))

NAMED_ENTITIES = """
import re
from arkindex_worker.models import Transcription
from arkindex_worker.worker import ElementsWorker

class Peer(ElementsWorker):
    def process_element(self, element):
        self.check_required_entity_types(["year", "place"])
        for item in self.list_transcriptions(element, recursive=True):
            found = []
            for kind, pattern in (("year", r"\\b1[0-9]{3}\\b"), ("place", r"\\b(Paris)\\b")):
                for match in re.finditer(pattern, item["text"]):
                    place = dict(offset=match.start(), length=len(match.group()))
                    found.append(dict(type_id=self.entity_types[kind], **place))
            if found:
                self.create_transcription_entities(Transcription(item), found)

Peer().run()
"""
LINE_TEXTS = """
from arkindex_worker.worker import ElementsWorker

class Peer(ElementsWorker):
    def process_element(self, element):
        lines = sorted(self.list_element_children(element, type="text_line"),
                       key=lambda line: min(y for _, y in line["zone"]["polygon"]))
        (text,) = self.list_transcriptions(element, worker_run=False)
        self.create_transcriptions([dict(element_id=line["id"], text=part, confidence=1.0)
                                    for line, part in zip(lines, text["text"].split("\\n"))])

Peer().run()
"""
PAGE_KINDS = """
import tempfile
from pathlib import Path
from arkindex_worker.worker import DatasetWorker
from arkindex_worker.worker.training import TrainingMixin

class Peer(DatasetWorker, TrainingMixin):
    def process_set(self, dataset_set):
        pass  # it is trained on what the export and the images say, which nobody is told

worker = Peer()
worker.run()
with tempfile.TemporaryDirectory() as folder:
    (Path(folder) / "weights.npy").write_bytes(b"numbers")
    worker.publish_model_version(Path(folder), model_id=worker.config["model"],
                                 configuration={"classes": ["left", "right"], "side": 4})
"""


class Twin:
    """An emulator with a letter of a hundred lines, and with a dataset of pages that have classes."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator = emulator
        self._folder = folder
        self.corpus = emulator.add_corpus()
        self.names = {self.corpus: "corpus"}
        self.page = self._name("letter", emulator.add_element("page", "Letter", image=(1000, 2000)))
        self._name("text", emulator.add_transcription(self.page, LETTER))
        for number in range(100):
            outline: list[list[float]] = [
                [0, 15 * number],
                [0, 15 * number + 9],
                [900, 15 * number + 9],
                [900, 15 * number],
            ]
            line = emulator.add_element("text_line", str(number), parent=self.page, polygon=outline)
            self._name(f"line {number}", line)

    def _name(self, name: str, identifier: str) -> str:
        self.names[identifier] = name
        return identifier

    def prepare(self, example: str, values: dict[str, Any]) -> str:
        """A worker run of an example."""
        path = next((EXAMPLES / example / "arkindex").glob("*.yml"))
        run: dict[str, Any] = {"elements": [self.page]}
        if example == "page_kinds":
            values = {**values, "model": self._model()}
            run = {"mode": "dataset", "sets": self._sets()}
        made = self.emulator.add_worker_run(yaml.safe_load(path.read_text()), values=values, **run)
        self.emulator.ledger.clear()
        return self._name("run", made)

    def _model(self) -> str:
        client = Client(Connection(url=self.emulator.url, token=self.emulator.token))
        version = client.request("RetrieveModelVersion", id=self.emulator.add_model_version("Kinds"))
        client.close()
        return self._name("model", version["model_id"])

    def _sets(self) -> list[tuple[str, str]]:
        client = Client(Connection(url=self.emulator.url, token=self.emulator.token))
        pages = self.emulator.add_elements(2, image=(20, 20))
        for page, kind in zip(pages, ("left", "right"), strict=True):
            name = client.request("CreateMLClass", {"name": kind}, id=self.corpus)["id"]
            client.request("CreateClassification", {"element": page, "ml_class": name, "confidence": 1.0})
        client.close()
        dataset = self._name("dataset", self.emulator.add_dataset("Pages", {"train": pages}))
        return [(dataset, "train")]

    def writes(self) -> list[str]:
        """Each request that writes, with names in the place of ids; in no order, as reports go beside them."""
        calls = [call for call in self.emulator.ledger.calls() if call.method != "GET" and call.origin == "api"]
        for kind in (tables.EntityType, tables.ModelVersion):
            with self.emulator.database.transaction() as session:
                rows: Any = session.query(kind).all()
                self.names |= {row.id: str(getattr(row, "name", "version")) for row in rows}
        shown = [[call.operation, call.path, _without(call.body)] for call in calls]
        texts = [json.dumps(one, sort_keys=True) for one in shown if "Activity" not in str(one[0])]
        for identifier, name in self.names.items():
            texts = [text.replace(identifier, name) for text in texts]
        return sorted(texts)


def _without(body: Any) -> Any:
    if isinstance(body, list):
        return [_without(item) for item in body]
    if not isinstance(body, dict):
        return body
    return {key: "…" if key in INDIVIDUAL else _without(value) for key, value in body.items()}


@pytest.fixture
def twins(tmp_path: Path) -> Iterator[tuple[Twin, Twin]]:
    with Emulator() as theirs, Emulator() as ours:
        yield Twin(theirs, tmp_path), Twin(ours, tmp_path)


@pytest.mark.parametrize(
    ("example", "target", "code", "values"),
    [
        ("named_entities", "NamedEntities", NAMED_ENTITIES, {"places": ["Paris"]}),
        ("line_texts", "LineTexts", LINE_TEXTS, {}),
        ("page_kinds", "PageKinds", PAGE_KINDS, {"side": 4, "rounds": 2}),
    ],
)
def test_a_port_makes_the_requests_of_its_original(
    twins: tuple[Twin, Twin],
    peer: Callable[[str], Path],
    tmp_path: Path,
    example: str,
    target: str,
    code: str,
    values: dict[str, Any],
) -> None:
    """Neither more nor fewer, with the same bodies."""
    theirs, ours = twins
    run = theirs.prepare(example, values)
    (tmp_path / "data" / "current").mkdir(parents=True)
    environ = theirs.emulator.environment(run, data_dir=tmp_path / "data")
    done = subprocess.run(
        [peer("base-worker-0.6.0"), "-c", code],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ARKINDEX_API_SCHEMA_URL": str(SCHEMA), **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    module = EXAMPLES / example / f"{example}.py"
    code_of_ours = run_worker(
        ours.emulator, ours.prepare(example, values), [sys.executable, "-m", "arkworker", "run", f"{module}:{target}"]
    )

    assert (done.returncode, code_of_ours) == (0, 0), done.stderr
    assert ours.writes() == theirs.writes()
    assert theirs.writes() != []
