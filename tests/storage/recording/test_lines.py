"""The lines of a results file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from jsonschema import Draft202012Validator

from arkworker.elements.model import Element
from arkworker.elements.recorded import RecordedElement
from arkworker.elements.results import (
    Child,
    Classification,
    Embedding,
    Entity,
    Link,
    Metadata,
    On,
    Transcription,
    Update,
)
from arkworker.elements.stored import StoredTranscription
from arkworker.errors import ResultError
from arkworker.storage.recording.lines import (
    MOST_LEVELS,
    Entry,
    Header,
    Part,
    RecordedCreates,
    dump,
    line_schema,
    load_entry,
    load_header,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20).filter(
    lambda text: bool(text.strip())
)
CONFIDENCE = st.floats(0, 1) | st.integers(0, 1)
COORDINATE = st.integers(0, 5000) | st.floats(0, 5000)
POLYGON = st.lists(st.tuples(COORDINATE, COORDINATE), min_size=3, max_size=6, unique=True)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)


SCHEMA = Draft202012Validator(line_schema())


def transcriptions() -> st.SearchStrategy[Transcription]:
    entities = st.lists(st.builds(Entity, type=TEXT, offset=st.just(0), length=st.just(1), confidence=CONFIDENCE))
    return st.builds(
        Transcription,
        text=TEXT,
        confidence=CONFIDENCE,
        orientation=st.sampled_from(["horizontal-lr", "vertical-rl"]),
        entities=entities.map(lambda found: found[:1]),
    )


def updates() -> st.SearchStrategy[Update]:
    """Each field is given or not, and a confidence may be taken away."""
    fields: dict[str, st.SearchStrategy[Any]] = {
        "name": TEXT,
        "polygon": POLYGON,
        "confidence": CONFIDENCE | st.none(),
        "rotation_angle": st.integers(0, 359),
        "mirrored": st.booleans(),
    }
    return st.fixed_dictionaries({}, optional=fields).filter(bool).map(lambda values: Update(**values))


LEAVES = (
    transcriptions()
    | updates()
    | st.builds(Classification, class_name=TEXT, confidence=CONFIDENCE, high_confidence=st.booleans())
    | st.builds(Metadata, type=st.sampled_from(["text", "markdown", "date"]), name=TEXT, value=TEXT)
    | st.builds(Embedding, value=st.lists(NUMBER, min_size=1, max_size=5))
    | st.builds(Link, parents=st.lists(TEXT, min_size=1, max_size=2), children=st.lists(TEXT, max_size=2))
)
RESULTS = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        Child,
        type=TEXT,
        polygon=POLYGON | st.none(),
        name=TEXT | st.none(),
        confidence=CONFIDENCE | st.none(),
        results=st.lists(inner, max_size=3),
    ),
    max_leaves=8,
)
THERE = st.builds(
    On, st.builds(Element, id=st.sampled_from("ab"), type=st.just("line")), st.lists(RESULTS, max_size=2)
) | st.just(On(StoredTranscription(id="t", text="Paris", element_id="a"), Entity(type="place", offset=0, length=5)))
FOUND = RESULTS | THERE


def entry(*results: Any, **values: Any) -> Entry:
    return Entry(element=RecordedElement(id="page"), state="processed", results=results, **values)


@given(st.lists(FOUND, max_size=4), st.lists(FOUND, min_size=1, max_size=2))
def test_what_was_dumped_is_loaded(results: list[Any], published: list[Any]) -> None:
    """Every result comes back equal, with the same changes, from one line of text."""
    part = Part(element=RecordedElement(id="other", corpus_id="c"), results=published)
    made = entry(*results, published=(part,), claimed=True)

    line = dump(made)
    found = load_entry(line)

    assert found == made
    assert [line.count(b"\n"), line.endswith(b"\n")] == [1, True]
    assert [getattr(one, "changes", None) for one in found.results] == [
        getattr(one, "changes", None) for one in results
    ]


@given(st.lists(FOUND, max_size=2))
@settings(max_examples=15)
def test_every_line_is_as_the_schema_says(results: list[Any]) -> None:
    """Whoever reads the file with other tools can rely on the schema."""
    data = json.loads(dump(entry(*results)))

    assert [error.message for error in SCHEMA.iter_errors(data)] == []


def test_a_header_comes_back() -> None:
    """All of a header is kept, with what may be created."""
    creates = RecordedCreates(element_types=("line",), classes=(), entity_types=None)
    header = Header(id="r", worker="a:B", arkworker="1.0", worker_run_id="run", corpus_id="c", creates=creates)

    assert load_header(dump(header)) == header


def test_an_element_is_known_well_enough_to_plan() -> None:
    """Its corpus and the size of its image are in the line; what would need the network is not."""
    element = Element.model_validate(
        {
            "id": "e",
            "type": "page",
            "name": "Page\x1b 1",
            "corpus": {"id": "c"},
            "zone": {"polygon": [[0, 0], [1, 0], [1, 1]], "image": {"width": 7, "height": 9, "s3_url": "https://x/?s"}},
        }
    )

    line = dump(Entry(element=RecordedElement.of(element), state="processed"))
    found = load_entry(line).element.to_element()

    assert (found.id, found.corpus and found.corpus.id) == ("e", "c")
    assert (found.image.width, found.image.height) == (7, 9)
    assert b"https" not in line
    assert b"\x1b" not in line


def test_children_of_children_have_a_limit() -> None:
    """What no reader could follow is refused when it is written, up to there all is read."""
    deep = Child(type="line")
    for _ in range(MOST_LEVELS - 1):
        deep = Child(type="line", results=[deep])
    assert load_entry(dump(entry(deep))) == entry(deep)

    with pytest.raises(ResultError, match="levels deep"):
        dump(entry(Child(type="line", results=[Child(type="line", results=[deep])])))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"{'a': 1}\n", r"not JSON \(column 2\)"),
        (b"[1]", "not a JSON object"),
        (b'{"state":"processed","state":"error"}', "twice"),
        (b'{"a":NaN}', "not finite"),
        (b"[" * 100_000, "too deep"),
        (b'{"element":{"id":"../x"},"state":"processed"}', "element.id"),
        (b'{"element":{"id":"x"},"state":"queued"}', "state"),
        (b'{"element":{"id":"x"},"state":"processed","results":[{"kind":"transcription","text":""}]}', "results.0"),
        (b'{"element":{"id":"x"},"state":"processed","secret":1}', "secret"),
    ],
)
def test_what_is_no_line_is_refused(line: bytes, reason: str) -> None:
    """One kind of error for all that can be wrong, which says what."""
    with pytest.raises(ValueError, match=reason):
        load_entry(line)


@pytest.mark.parametrize(
    ("values", "reason"),
    [({"format": "other"}, "not a results file"), ({"version": 2}, "upgrade"), ({"version": None}, "upgrade")],
)
def test_a_header_of_something_else_is_refused(values: dict[str, Any], reason: str) -> None:
    """Another format, and a later version of ours, are told apart."""
    data = json.loads(dump(Header(id="r", worker="a:B", arkworker="1.0")))

    with pytest.raises(ValueError, match=reason):
        load_header(json.dumps(data | values).encode())
