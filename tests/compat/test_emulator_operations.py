"""The published client calls every operation that the emulator's document names."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import requests

from arkworker.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.compat

CALLS = """
import json, sys
from arkindex import ArkindexClient, options_from_env

client = ArkindexClient(**options_from_env())
arguments = json.load(sys.stdin)
paginated, failures = [], {}
for operation, link in client.document.links.items():
    given = arguments.get(operation, {})
    try:
        if link.paginated:
            paginated.append(len(list(client.paginate(operation, **given))))
        elif operation == "DownloadArtifact":
            assert client.request(operation, **given).read() == b"abc"
        elif operation == "DownloadExport":
            url = client.get_url(client.lookup_operation(operation), given)
            assert "Location" in client.session.get(url, allow_redirects=False).headers
        else:
            client.request(operation, **given)
    except Exception as error:
        failures[operation] = repr(error)
print(json.dumps({"operations": list(client.document.links), "paginated": len(paginated), "failures": failures}))
"""


def test_the_published_client_can_call_every_operation(peer: Callable[[str], Path], tmp_path: Path) -> None:
    """Each operation that the document names is called once, with what it needs, and succeeds."""
    with Emulator() as emulator, requests.Session() as session:
        everything = Everything(emulator, session)

        done = subprocess.run(
            [peer("base-worker-0.6.0"), "-c", CALLS],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **emulator.environment(everything.run)},
            input=json.dumps(everything.arguments()),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        called = {call.operation for call in emulator.ledger.calls()}

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["failures"] == {}
    assert answer["paginated"] == 12
    assert set(answer["operations"]) == called - {"GetDocument", "GetFile", "PutFile"}


POLYGON = [[0, 0], [0, 10], [10, 10], [10, 0]]
LINE = {"type": "text_line", "name": "1", "polygon": POLYGON}
METADATA = {"type": "text", "name": "n", "value": "v"}


class Everything:
    """One object of each kind, and what each operation needs to succeed on them."""

    def __init__(self, emulator: Emulator, session: requests.Session) -> None:
        self._emulator = emulator
        self._session = session
        session.headers["Authorization"] = f"Token {emulator.token}"
        self.corpus = emulator.add_corpus()
        self.page, self.other, self.third = (emulator.add_element(image=(1000, 1400)) for _ in range(3))
        self.image = emulator.add_image((10, 10))
        emulator.add_secret("key", "sesame")
        self.model_version = emulator.add_model_version()
        self.dataset = emulator.add_dataset("D", {"train": [self.page]})
        self.parent = emulator.add_task()
        emulator.add_artifact(self.parent, "folder/a.txt", b"abc")
        self.run = emulator.add_worker_run(elements=[self.page], model_version=self.model_version)
        self.task = emulator.tasks(self.run)[0].id

    def arguments(self) -> dict[str, dict[str, Any]]:
        """By operation; `StartWorkerActivity`, which comes first, needs none."""
        runs, elements, results = self._runs(), self._elements(), self._results()
        return {**runs, **elements, **results, **self._datasets(), **self._models(), **self._files()}

    def _send(self, method: str, path: str, **options: Any) -> Any:
        answer = self._session.request(method, f"{self._emulator.url}/api/v1/{path}", timeout=30, **options)
        assert answer.ok, answer.text
        return answer.json()

    def _create(self, path: str, **body: Any) -> str:
        identifier: str = self._send("POST", path, json=body)["id"]
        return identifier

    def _runs(self) -> dict[str, dict[str, Any]]:
        process = self._send("GET", f"process/workers/{self.run}/")["process"]["id"]
        report = {"element_id": self.page, "process_id": process, "state": "processed"}
        return {
            "RetrieveWorkerRun": {"id": self.run},
            "RetrieveWorkerRunConfiguration": {"id": self.run},
            "RetrieveSecret": {"name": "key"},
            "RetrieveTask": {"id": self.task},
            "RetrieveTaskFromAgent": {"id": self.task},
            "UpdateWorkerActivity": {"id": self.run, "body": report},
            "ListProcessElements": {"id": process, "with_image": True},
            "ListProcessSets": {"id": process},
        }

    def _elements(self) -> dict[str, dict[str, Any]]:
        page, corpus = self.page, self.corpus
        kind = {"corpus": corpus, "slug": "stain", "display_name": "Stain", "folder": False}
        return {
            "RetrieveElement": {"id": page},
            "PartialUpdateElement": {"id": page, "body": {"name": "New"}},
            "ListElements": {"corpus": corpus, "worker_run": False, "with_zone": True},
            "ListElementChildren": {"id": page, "recursive": True},
            "ListElementParents": {"id": page},
            "CreateElement": {"body": {"corpus": corpus, "parent": page, "image": None, **LINE}},
            "CreateElements": {"id": page, "body": {"elements": [LINE], "worker_run_id": self.run}},
            "CreateElementParent": {"child": self.other, "parent": page},
            "CreateElementChildren": {"id": page, "body": {"children": [self.third]}},
            "CreateElementType": {"body": kind},
            "RetrieveCorpus": {"id": corpus},
        }

    def _results(self) -> dict[str, dict[str, Any]]:
        page, corpus = self.page, self.corpus
        ml_class = self._create(f"corpus/{corpus}/classes/", name="dog")
        entity_type = self._create("entity/types/", name="person", corpus=corpus)
        text = self._create(f"element/{page}/transcription/", text="Jeanne d'Arc")
        entity = {"type_id": entity_type, "offset": 0, "length": 6}
        signed = {"worker_run_id": self.run}
        classified = {"ml_class": ml_class, "confidence": 0.5}
        annotations = {"element_type": "text_line", "transcriptions": [{"polygon": POLYGON, "text": "x"}]}
        return {
            "CreateTranscription": {"id": page, "body": {"text": "x", "confidence": 0.5, **signed}},
            "CreateTranscriptions": {"body": {"transcriptions": [{"element_id": page, "text": "x"}]}},
            "CreateElementTranscriptions": {"id": page, "body": annotations},
            "ListTranscriptions": {"id": page},
            "CreateClassification": {"body": {"element": page, **classified, **signed}},
            "CreateClassifications": {"body": {"parent": page, "classifications": [classified]}},
            "ListCorpusMLClasses": {"id": corpus},
            "CreateMLClass": {"id": corpus, "body": {"name": "cat"}},
            "CreateMetaData": {"id": page, "body": METADATA},
            "ListElementMetaData": {"id": page, "load_parents": True},
            "CreateMetaDataBulk": {"id": page, "body": {"metadata_list": [METADATA]}},
            "ListCorpusEntityTypes": {"id": corpus},
            "CreateEntityType": {"body": {"name": "place", "corpus": corpus}},
            "CreateTranscriptionEntity": {"id": text, "body": entity},
            "ListTranscriptionEntities": {"id": text},
            "CreateTranscriptionEntities": {"id": text, "body": {"transcription_entities": [{**entity, "offset": 1}]}},
            "CreateEmbedding": {"id": page, "body": {"value": [0.5]}},
            "ListEmbeddings": {"id": page},
        }

    def _datasets(self) -> dict[str, dict[str, Any]]:
        dataset, corpus = self.dataset, self.corpus
        export = self._emulator.add_export(b"SQLite", dataset=dataset)
        return {
            "ListExports": {"id": corpus, "dataset_id": dataset},
            "StartExport": {"id": corpus, "body": {}},
            "DownloadExport": {"id": export},
            "CreateDataset": {"id": corpus, "body": {"name": "E", "description": "e", "set_names": ["a"]}},
            "RetrieveDataset": {"id": dataset},
            "PartialUpdateDataset": {"id": dataset, "body": {"state": "complete"}},
            "RetrieveDatasetSet": {"dataset": dataset, "set": "train"},
            "ListDatasetElements": {"id": dataset, "set": "train"},
            "CreateDatasetElement": {"id": dataset, "body": {"set": "train", "element_id": self.other}},
            "DestroyDatasetElement": {"dataset": dataset, "element": self.page, "set": "train"},
        }

    def _models(self) -> dict[str, dict[str, Any]]:
        version = self.model_version
        doomed = self._emulator.add_model_version()
        model = self._send("GET", f"modelversion/{version}/")["model_id"]
        ids = {"object_type": "model_version", "object_id": self._create(f"model/{model}/versions/")}
        done, aborted = ({**ids, **self._send("POST", "multipart/", json=ids)} for _ in range(2))
        return {
            "CreateModelVersion": {"id": model, "body": {"tag": "t"}},
            "RetrieveModelVersion": {"id": version},
            "UpdateModelVersion": {"id": version, "body": {"description": "d"}},
            "PartialUpdateModelVersion": {"id": version, "body": {"tag": "u"}},
            "DestroyModelVersion": {"id": doomed},
            "CreateMultipartUpload": {"body": ids},
            "CreateMultipartUploadPart": {"body": {**done, "part_number": 2, "md5_hash": "x"}},
            "CompleteMultipartUpload": {"body": {**done, "parts": [self._part(done)]}},
            "AbortMultipartUpload": {"body": aborted},
        }

    def _part(self, upload: dict[str, Any]) -> dict[str, Any]:
        part = {"part_number": 1, "md5_hash": hashlib.md5(b"abc", usedforsecurity=False).hexdigest()}
        url = self._send("POST", "multipart/part/", json={**upload, **part})["url"]
        return {**part, "etag": requests.put(url, data=b"abc", timeout=30).headers["Etag"]}

    def _files(self) -> dict[str, dict[str, Any]]:
        return {
            "ListArtifacts": {"id": self.parent},
            "CreateArtifact": {"id": self.task, "body": {"path": "b", "content_type": "text/plain", "size": 1}},
            "DownloadArtifact": {"id": self.parent, "path": "folder/a.txt"},
            "CreateImage": {"body": {"hash": "0" * 32}},
            "RetrieveImage": {"id": self.image},
            "PartialUpdateImage": {"id": self.image, "body": {"status": "checked"}},
            "CreateIIIFURL": {"body": {"url": "https://images.example.org/1", "width": 10, "height": 10}},
        }
