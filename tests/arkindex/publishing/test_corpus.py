"""Element types, classes and entity types of a corpus."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from arkworker.arkindex.publishing.corpus import Corpus
from arkworker.arkindex.publishing.plan import Needs, Ref
from arkworker.emulator import Fault
from arkworker.errors import ApiContentError, ApiResponseError, ResultError
from arkworker.options.creates import Creates

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.arkindex.publishing.conftest import Site

CLASSES: Needs = {"class": {"cat": "results.0.class_name"}}
STAINS = Creates(element_types=("stain",))
TYPES: Needs = {"element type": {"stain": "results.0.type"}}


def test_names_are_looked_up_once(site: Site) -> None:
    """Also what was created is known from then on."""
    corpus = Corpus(site.corpus)

    first = corpus.resolve(site.client, CLASSES)
    second = corpus.resolve(site.client, CLASSES)

    assert first == second == {Ref("class", "cat"): site.get("ListCorpusMLClasses", id=site.corpus)[0]["id"]}
    assert [call.operation for call in site.emulator.ledger.calls()[:-1]] == ["ListCorpusMLClasses", "CreateMLClass"]


def test_many_threads_create_a_name_once(site: Site) -> None:
    """The publisher works in several."""
    corpus = Corpus(site.corpus)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: corpus.resolve(site.client, CLASSES), range(16)))

    assert len({tuple(ids.items()) for ids in found}) == 1
    assert site.calls() == {"CreateMLClass": 1}


@pytest.mark.parametrize(
    "needs", [CLASSES, TYPES, {"entity type": {"place": "results.0.entities.0.type"}}], ids=["class", "type", "en"]
)
def test_what_another_process_created_meanwhile_is_found(site: Site, needs: Needs) -> None:
    """Its creation is refused with 400; the corpus is looked at again."""
    slow, fast = (Corpus(site.corpus, STAINS) for _ in range(2))
    for kind in ("element type", "class", "entity type"):
        slow.ids(site.client, kind)
    ids = fast.resolve(site.client, needs)

    assert slow.resolve(site.client, needs) == ids


def test_an_element_type_is_created_only_where_the_worker_says_so(site: Site) -> None:
    """Otherwise it is most often a slip of the pen."""
    with pytest.raises(ResultError) as caught:
        Corpus(site.corpus).resolve(site.client, TYPES)
    Corpus(site.corpus, STAINS).resolve(site.client, TYPES)

    assert str(caught.value) == (
        "results.0.type: the corpus has no element type 'stain'; create it, or name it in `creates` of the worker"
    )
    assert "stain" in [item["slug"] for item in site.client.request("RetrieveCorpus", id=site.corpus)["types"]]


def test_a_name_that_appears_while_the_nearest_is_looked_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other threads create names at any moment."""
    corpus = Corpus(site.corpus, STAINS)

    def slow(name: str, known: Iterable[str]) -> str:
        for number, _ in enumerate(known):
            if not number:
                corpus.resolve(site.client, TYPES)
        return f"did you mean something else than {name}?"

    monkeypatch.setattr("arkworker.arkindex.publishing.corpus.did_you_mean", slow)
    with pytest.raises(ResultError, match="something else than blot"):
        corpus.resolve(site.client, {"element type": {"blot": "results.0.type"}})


def test_the_nearest_element_type_is_named(site: Site) -> None:
    """As for every unknown name."""
    with pytest.raises(ResultError, match="did you mean text_line"):
        Corpus(site.corpus).resolve(site.client, {"element type": {"textline": "results.0.type"}})


@pytest.mark.parametrize("status", [400, 403])
def test_a_closed_corpus_is_told_with_the_place(site: Site, status: int) -> None:
    """The message leads to the field of the result."""
    site.emulator.faults.add("CreateMLClass", Fault.answer(status))

    with pytest.raises(
        ResultError, match=r"results.0.class_name: the corpus has no class 'cat', and refuses to create"
    ):
        Corpus(site.corpus).resolve(site.client, CLASSES)


def test_nothing_is_created_beside_what_may_not_be(site: Site) -> None:
    """A class that is refused leaves no element type behind."""
    corpus = Corpus(site.corpus, Creates(element_types=("stain",), classes=()))
    both: Needs = {"element type": {"stain": "results.0.type"}, "class": {"cat": "results.1.class_name"}}

    with pytest.raises(ResultError, match="no class 'cat'; create it, or name it in `creates`"):
        corpus.resolve(site.client, both)

    assert site.calls() == {}


def test_a_creation_whose_answer_was_lost_is_looked_for(site: Site) -> None:
    """To create it again is refused, and so it is known to be there."""
    site.emulator.faults.add("CreateMLClass", Fault.reset(acted=True), times=1)

    found = Corpus(site.corpus).resolve(site.client, CLASSES)

    assert list(found) == [Ref("class", "cat")]
    assert [item["name"] for item in site.get("ListCorpusMLClasses", id=site.corpus)] == ["cat"]


def test_a_failing_server_is_no_closed_corpus(site: Site) -> None:
    """Its error stays what it is."""
    site.emulator.faults.add("CreateMLClass", Fault.answer(500))

    with pytest.raises(ApiResponseError):
        Corpus(site.corpus).resolve(site.client, CLASSES)


def test_an_answer_of_another_shape_is_no_corpus(site: Site) -> None:
    """The error names the operation."""
    headers = {"content-type": "application/json"}
    site.emulator.faults.add("RetrieveCorpus", Fault.answer(200, b'{"types": [{"id": 1}]}', headers=headers))

    with pytest.raises(ApiContentError, match="RetrieveCorpus"):
        Corpus(site.corpus).resolve(site.client, TYPES)
