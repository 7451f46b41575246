"""The published library and ours publish the same results with the same requests."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.arkindex.client import Client, Connection
from arkworker.arkindex.publishing.corpus import Corpora
from arkworker.arkindex.publishing.publisher import ArkindexPublisher
from arkworker.elements.model import Element
from arkworker.elements.results import (
    Child,
    Classification,
    Embedding,
    Entity,
    Link,
    Metadata,
    On,
    Result,
    Transcription,
    Update,
)
from arkworker.elements.stored import StoredTranscription
from arkworker.emulator import Emulator
from arkworker.options.creates import Creates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from arkworker.emulator.ledger import Call

pytestmark = pytest.mark.compat

# The worker of the published library: what it does on an element follows from the element's name.
WORKER = """
from uuid import UUID
from arkindex_worker.models import Element, Transcription
from arkindex_worker.worker import ElementsWorker, MetaType
from arkindex_worker.worker.transcription import TextOrientation

class Peer(ElementsWorker):
    def process_element(self, element):
        names = {"self": self, "element": element, "other": Element({"id": OTHER}), "Transcription": Transcription}
        names |= {"Element": Element, "IMAGE": IMAGE, "UUID": UUID, "LINE": LINE, "STORED": STORED}
        names |= {"MetaType": MetaType, "TextOrientation": TextOrientation}
        names["square"] = lambda number: [[number, 0], [number, 10], [number + 10, 10]]
        exec(CODES[element.name], names)

Peer().run()
"""


def square(number: int) -> list[list[int]]:
    return [[number, 0], [number, 10], [number + 10, 10]]


def lines(count: int, *results: Result, name: str | None = None) -> list[Child]:
    return [
        Child(type="text_line", name=name, polygon=square(number), confidence=0.5, results=results)
        for number in range(count)
    ]


ENTITIES = [Entity(type="place", offset=0, length=5, confidence=0.5), Entity(type="place", offset=1, length=2)]
OTHER = "00000000-0000-0000-0000-00000000beef"
IMAGE = "the image of the twin"
LINE = "00000000-0000-0000-0000-%012d"
LINES = [Element.model_validate({"id": LINE % 0, "zone": {"polygon": [], "image": {"width": 1000, "height": 1400}}})]
STORED = "the stored text of the twin"

# What the published library is told to do, and the results of ours.
SCENARIOS: dict[str, tuple[str, list[Any]]] = {
    "transcription": (
        "self.create_transcription(element, 'Paris', 0.5, TextOrientation.VerticalLeftToRight)",
        [Transcription(text="Paris", confidence=0.5, orientation="vertical-lr")],
    ),
    "transcriptions": (
        """self.create_transcriptions([dict(element_id=element.id, text=str(n), confidence=0.5,
            orientation=TextOrientation.HorizontalLeftToRight) for n in range(60)])""",
        [Transcription(text=str(number), confidence=0.5) for number in range(60)],
    ),
    "children": (
        """self.create_elements(element, [dict(type='text_line', name='n', polygon=square(n), confidence=0.5)
            for n in range(60)])""",
        lines(60, name="n"),
    ),
    "child without outline": (
        "self.create_sub_element(element, 'text_line', 'n', confidence=0.5)",
        [Child(type="text_line", name="n", confidence=0.5)],
    ),
    "child with an image of its own": (
        "self.create_sub_element(element, 'text_line', 'n', polygon=square(1), image=IMAGE)",
        [Child(type="text_line", name="n", polygon=square(1), image=IMAGE)],
    ),
    "child on the whole of an image": (
        "self.create_sub_element(element, 'text_line', 'n', image=IMAGE)",
        [Child(type="text_line", name="n", image=IMAGE)],
    ),
    "new element type": (
        """self.check_required_types(["stain"], create_missing=True)
self.create_elements(element, [dict(type='stain', name='n', polygon=square(1))])""",
        [Child(type="stain", name="n", polygon=square(1))],
    ),
    "children with transcriptions": (
        """self.create_element_transcriptions(element, 'text_line', [dict(polygon=square(n), text='Paris',
            confidence=1.0, orientation=TextOrientation.HorizontalLeftToRight, element_confidence=0.5)
            for n in range(60)])""",
        lines(60, Transcription(text="Paris", confidence=1.0)),
    ),
    "classification": (
        "self.create_classification(element, 'cat', 0.5, True)",
        [Classification(class_name="cat", confidence=0.5, high_confidence=True)],
    ),
    "classification of low confidence": (
        "self.create_classification(element, 'cat', 0.5)",
        [Classification(class_name="cat", confidence=0.5)],
    ),
    "classifications": (
        "self.create_classifications(element, [dict(ml_class=str(n), confidence=0.5) for n in range(60)])",
        [Classification(class_name=str(number), confidence=0.5) for number in range(60)],
    ),
    "metadata": (
        "self.create_metadata(element, MetaType.Date, 'written', '1871')",
        [Metadata(type="date", name="written", value="1871")],
    ),
    "metadata in bulk": (
        "self.create_metadata_bulk(element, [dict(type=MetaType.Text, name=str(n), value='v') for n in range(60)])",
        [Metadata(type="text", name=str(number), value="v") for number in range(60)],
    ),
    "entity": (
        """self.check_required_entity_types(["place"])
text = Transcription(self.create_transcription(element, "Paris", 0.5))
self.create_transcription_entity(text, self.entity_types["place"], 0, 5, 0.5)""",
        [Transcription(text="Paris", confidence=0.5, entities=ENTITIES[:1])],
    ),
    "entities": (
        """self.check_required_entity_types(["place"])
text = Transcription(self.create_transcription(element, "Paris", 0.5))
kind = self.entity_types["place"]
self.create_transcription_entities(text, [dict(type_id=kind, offset=0, length=5, confidence=0.5),
            dict(type_id=kind, offset=1, length=2)])""",
        [Transcription(text="Paris", confidence=0.5, entities=ENTITIES)],
    ),
    "embedding": ("self.create_embedding(element, [0.5, 1.0])", [Embedding(value=[0.5, 1])]),
    "update": (
        """self.partial_update_element(element, name='x', polygon=square(1), confidence=0.5, rotation_angle=90,
            mirrored=True, type='text_line')""",
        [Update(name="x", polygon=square(1), confidence=0.5, rotation_angle=90, mirrored=True, type="text_line")],
    ),
    "confidence taken away": ("self.partial_update_element(element, confidence=None)", [Update(confidence=None)]),
    "other image": (
        "self.partial_update_element(element, image=UUID(IMAGE))",
        [Update(image=IMAGE)],
    ),
    "parent": ("self.create_element_parent(parent=other, child=element)", [Link(parents=[OTHER])]),
    "texts on lines that exist": (
        """self.create_transcriptions([dict(element_id=LINE % n, text=str(n), confidence=0.5,
            orientation=TextOrientation.HorizontalLeftToRight) for n in range(100)])""",
        [On(Element(id=LINE % number), Transcription(text=str(number), confidence=0.5)) for number in range(100)],
    ),
    "results on another element": (
        """line = Element({"id": LINE % 0, "zone": {"id": "zone"}})
self.create_classification(line, 'cat', 0.5)
self.create_metadata_bulk(line, [dict(type=MetaType.Text, name=str(n), value='v') for n in range(2)])
self.create_embedding(line, [0.5])
self.create_elements(line, [dict(type='text_line', name='word', polygon=square(1))])
self.create_element_parent(parent=other, child=line)
self.partial_update_element(line, name='x')""",
        [
            On(
                LINES[0],
                [
                    Classification(class_name="cat", confidence=0.5),
                    *(Metadata(type="text", name=name, value="v") for name in "01"),
                    Embedding(value=[0.5]),
                    Child(type="text_line", name="word", polygon=square(1)),
                    Link(parents=[OTHER]),
                    Update(name="x"),
                ],
            )
        ],
    ),
    "entities on a stored transcription": (
        """self.check_required_entity_types(["place"])
kind = self.entity_types["place"]
self.create_transcription_entities(Transcription({"id": STORED}), [
    dict(type_id=kind, offset=0, length=5, confidence=0.5), dict(type_id=kind, offset=1, length=2)])""",
        [On(StoredTranscription(id=STORED, text="Paris"), ENTITIES)],
    ),
    "children that exist": ("self.create_element_children(element, [other])", [Link(children=[OTHER])]),
}


OPERATIONS = {
    *("CreateElement", "CreateElements", "CreateElementParent", "CreateElementChildren", "PartialUpdateElement"),
    *("CreateTranscription", "CreateTranscriptions", "CreateElementTranscriptions"),
    *("CreateTranscriptionEntity", "CreateTranscriptionEntities", "CreateEntityType"),
    *("CreateClassification", "CreateClassifications", "CreateMLClass"),
    *("CreateMetaData", "CreateMetaDataBulk", "CreateEmbedding", "CreateElementType"),
}


class Twin:
    """An emulator with a page for each scenario, whose requests can be compared with those of another one."""

    def __init__(self, emulator: Emulator, pages: Sequence[str]) -> None:
        self.emulator = emulator
        self.corpus = emulator.add_corpus()
        self.pages = {name: emulator.add_element("page", name, image=(1000, 1400)) for name in pages}
        emulator.add_element("paragraph", "Other", id=OTHER)
        for number in range(100):
            emulator.add_element("text_line", "Line", image=(1000, 1400), id=LINE % number)
        self.stored = emulator.add_transcription(LINE % 1, "Paris")
        self.image = emulator.add_image((1000, 1400))
        self.run = emulator.add_worker_run(elements=list(self.pages.values()))

    @property
    def client(self) -> Client:
        return Client(Connection(url=self.emulator.url, token=self.emulator.token))

    def publications(self) -> list[str]:
        """Operation, path and body of each request that publishes, with names in the place of ids."""
        calls = [call for call in self.emulator.ledger.calls() if call.method != "GET" and call.origin == "api"]
        ids = self._ids()
        return sorted(_named(call, ids) for call in calls if "Activity" not in str(call.operation))

    def _ids(self) -> dict[str, str]:
        client = self.client
        ids = {"corpus": self.corpus, "run": self.run, "image": self.image, "stored": self.stored}
        for name, page in self.pages.items():
            texts = list(client.paginate("ListTranscriptions", id=page))
            ids |= {name: page, **{f"text {number} of {name}": text["id"] for number, text in enumerate(texts)}}
        for operation in ("ListCorpusMLClasses", "ListCorpusEntityTypes"):
            ids |= {f"{operation} {item['name']}": item["id"] for item in client.paginate(operation, id=self.corpus)}
        client.close()
        return ids


def _named(call: Call, ids: Mapping[str, str]) -> str:
    text = json.dumps([call.operation, call.path, call.body], sort_keys=True)
    for name, identifier in ids.items():
        text = text.replace(identifier, name)
    return text


def _on(twin: Twin, result: Any) -> Any:
    """A result that wants an image of its own, or a stored text, with those of the twin."""
    if isinstance(result, On) and result.target.id == STORED:
        return On(StoredTranscription(id=twin.stored, text="Paris"), result.results)
    return result.model_copy(update={"image": twin.image}) if getattr(result, "image", None) else result


def publish_with_peer(python: Path, twin: Twin, codes: Mapping[str, str], home: Path) -> None:
    values = {"CODES": dict(codes), "OTHER": OTHER, "IMAGE": twin.image, "LINE": LINE, "STORED": twin.stored}
    names = "; ".join(f"{name} = {value!r}" for name, value in values.items())
    done = subprocess.run(
        [python, "-c", f"{names}\n{WORKER}"],
        env={"PATH": os.environ["PATH"], "HOME": str(home), **twin.emulator.environment(twin.run)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "error" not in twin.emulator.activity_states(twin.run).values(), done.stderr
    assert done.returncode == 0, done.stderr


def publish_with_ours(twin: Twin, results: Mapping[str, list[Any]]) -> None:
    client = twin.client
    corpora = Corpora(Creates(element_types=("stain",)))
    publisher = ArkindexPublisher(client, worker_run_id=twin.run, corpus_id=twin.corpus, corpora=corpora)
    for name, page in twin.pages.items():
        found = [_on(twin, result) for result in results[name]]
        publisher.publish(Element.from_api(client.request("RetrieveElement", id=page)), found)
    client.close()


def test_the_same_results_are_published_with_the_same_requests(peer: Callable[[str], Path], tmp_path: Path) -> None:
    """Each operation that a helper sends has the same path and the same body, and comes as often."""
    codes = {name: code for name, (code, _) in SCENARIOS.items()}
    results = {name: found for name, (_, found) in SCENARIOS.items()}
    with Emulator() as theirs, Emulator() as ours:
        published, own = Twin(theirs, list(SCENARIOS)), Twin(ours, list(SCENARIOS))

        publish_with_peer(peer("base-worker-0.6.0"), published, codes, tmp_path)
        publish_with_ours(own, results)

        expected, found = published.publications(), own.publications()
    assert found == expected
    assert {json.loads(text)[0] for text in found} == OPERATIONS


def test_many_results_take_no_more_requests_than_with_the_published_library(
    peer: Callable[[str], Path], tmp_path: Path
) -> None:
    """300 lines with transcriptions, by the helper that needs fewest, and the entities of each."""
    code = """self.check_required_entity_types(["place"])
made = self.create_element_transcriptions(element, "text_line",
    [dict(polygon=square(n), text="Paris", confidence=1.0) for n in range(300)])
for item in made:
    self.create_transcription_entities(Transcription(item),
        [dict(type_id=self.entity_types["place"], offset=n, length=2) for n in range(2)])"""
    entities = [Entity(type="place", offset=number, length=2) for number in range(2)]
    results = lines(300, Transcription(text="Paris", confidence=1.0, entities=entities))
    with Emulator() as theirs, Emulator() as ours:
        published, own = Twin(theirs, ["page"]), Twin(ours, ["page"])

        publish_with_peer(peer("base-worker-0.6.0"), published, {"page": code}, tmp_path)
        publish_with_ours(own, {"page": results})

        expected, found = len(published.publications()), len(own.publications())
    assert (found, expected) == (307, 307)
