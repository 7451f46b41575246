"""What a worker finds: values that can be published, or one line that says why not."""

from __future__ import annotations

import pickle
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest
from pydantic import ValidationError

from arkworker.elements.model import Element
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
    collect,
)
from arkworker.elements.stored import StoredTranscription
from arkworker.errors import ArkworkerError, ResultError

if TYPE_CHECKING:
    from collections.abc import Callable

SQUARE = [(0, 0), (0, 10), (10, 10), (10, 0)]
NO_RESULT = "Child.results.0: should be a result, such as Transcription or Child, not"


def make(kind: type[Any], **values: Any) -> Any:
    """A result of values that are as wrong as the ones of a dict."""
    return kind(**values)


def test_numbers_and_arrays_of_numpy_are_fine() -> None:
    """They become Python's, so that they can be sent."""
    child = make(Child, type="text_line", polygon=np.array(SQUARE, np.float32), confidence=np.float32(0.5))
    entity = make(Entity, type="place", offset=np.int64(1), length=np.int32(2))

    assert child.polygon == tuple((float(x), float(y)) for x, y in SQUARE)
    assert (type(child.confidence), type(child.polygon[0][0])) == (float, float)
    assert (type(entity.offset), type(entity.length)) == (int, int)
    assert make(Embedding, value=np.ones(2)).value == (1.0, 1.0)


class Tensor:
    """An array of another library than numpy, whose single numbers are arrays, too."""

    def __init__(self, values: Any) -> None:
        self._values = np.array(values)
        self.shape = self._values.shape

    def item(self) -> Any:
        return self._values.item()

    def tolist(self) -> Any:
        return self._values.tolist()

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: int) -> Tensor:
        return Tensor(self._values[index])


def test_tensors_are_fine() -> None:
    """As an array, as a list of them, and as single numbers."""
    outline = tuple(map(tuple, SQUARE))

    assert make(Child, type="line", polygon=Tensor(SQUARE)).polygon == outline
    assert make(Child, type="line", polygon=[(Tensor(x), Tensor(y)) for x, y in SQUARE]).polygon == outline
    assert make(Metadata, type="numeric", name="n", value=Tensor(0.5)).value == "0.5"
    assert make(Embedding, value=[Tensor(0.5), Tensor(1)]).value == (0.5, 1.0)
    assert make(Entity, type="place", offset=Tensor(0), length=Tensor(2)).length == 2


def test_ids_may_be_uuids() -> None:
    """As rows of the cache have them."""
    link, child = make(Link, parents=[UUID(int=1)], children=["c"]), make(Child, type="line", image=UUID(int=2))

    assert (link.parents, link.children, child.image) == ((str(UUID(int=1)),), ("c",), str(UUID(int=2)))


@pytest.mark.parametrize("confidence", [0, 1, 0.5])
def test_a_confidence_may_be_an_integer(confidence: float) -> None:
    """The published library refuses an integer 1."""
    assert Transcription(text="x", confidence=confidence).confidence == confidence


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (
            lambda: make(Transcription, text="x", confidence=1.2),
            "Transcription.confidence: Input should be less than or equal to 1",
        ),
        (
            lambda: make(Transcription, text="x", confidence=float("nan")),
            "Transcription.confidence: Input should be a finite number",
        ),
        (
            lambda: make(Transcription, text="x", confidence=True),
            "Transcription.confidence: Input should be a valid number",
        ),
        (lambda: make(Transcription, text=" \n", confidence=1), "Transcription.text: should not be empty"),
        (
            lambda: make(Transcription, text="a\0", confidence=1),
            "Transcription.text: should not hold a null character or half of a surrogate pair",
        ),
        (
            lambda: make(Metadata, type="text", name="n", value="\ud800"),
            "Metadata.value: should not hold a null character or half of a surrogate pair",
        ),
        (lambda: make(Transcription, text="x"), "Transcription.confidence: Field required"),
        (
            lambda: make(Transcription, text="x", confidence=1, entity=()),
            "Transcription.entity: no such field; did you mean entities?",
        ),
        (
            lambda: make(Classification, class_name="a", confidence=1, worker_run="b"),
            "Classification.worker_run: no such field; there are class_name, confidence, high_confidence",
        ),
        (
            lambda: make(Child, type="line", polygon=SQUARE[:2]),
            "Child.polygon: a polygon needs at least three different points, not 2",
        ),
        (
            lambda: make(Child, type="line", polygon=[*SQUARE[:2], SQUARE[0]]),
            "Child.polygon: a polygon needs at least three different points, not 2",
        ),
        (
            lambda: make(Child, type="line", polygon=[(0, 0), (0, -1), (1, 1)]),
            "Child.polygon: coordinates should not be negative",
        ),
        (
            lambda: make(Child, type="line", polygon=[(0, 0, 0)] * 3),
            "Child.polygon: point 1 is not a pair of numbers",
        ),
        (lambda: make(Child, type="", polygon=SQUARE), "Child.type: should not be empty"),
        (lambda: make(Entity, type="place", offset=-1, length=1), "Entity.offset: Input should be greater than or eq"),
        (lambda: make(Entity, type="place", offset=0, length=0), "Entity.length: Input should be greater than 0"),
        (lambda: make(Metadata, type="colour", name="n", value="v"), "Metadata.type: Input should be 'text', 'markdo"),
        (
            lambda: make(Metadata, type="numeric", name="n", value="nan"),
            "Metadata: value should be a number, as the type is numeric",
        ),
        (
            lambda: make(Metadata, type="url", name="n", value="javascript:alert(1)"),
            "Metadata: value should be an http or https address, as the type is url",
        ),
        (lambda: make(Embedding, value=[]), "Embedding.value: Tuple should have at least 1 item"),
        (lambda: make(Embedding, value={0.5, 1.5}), "Embedding.value: should be a list: a set has no order"),
        (lambda: make(Embedding, value=[1, float("inf")]), "Embedding.value.1: Input should be a finite number"),
        (lambda: make(Update), "Update: nothing to update: give at least one field"),
        (lambda: make(Update, name=None), "Update: nothing to update: give at least one field"),
        (lambda: make(Update, rotation_angle=360), "Update.rotation_angle: Input should be less than or equal to 359"),
        (lambda: make(Link), "Link: nothing to link: give parents or children"),
        (lambda: make(Classification, class_name="x" * 251, confidence=1), "Classification.class_name: String should"),
    ],
)
def test_what_cannot_be_published_is_refused_where_it_is_made(attempt: Callable[[], Any], message: str) -> None:
    """One line that names the field, without what was given."""
    with pytest.raises(ResultError) as caught:
        attempt()

    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ArkworkerError)


@pytest.mark.parametrize(
    ("entities", "message"),
    [
        ([(4, 2)], "Transcription: entities.0 ends at character 6, beyond the text of 5 characters"),
        ([(0, 2), (0, 2)], "Transcription: entities should be different from each other"),
    ],
)
def test_entities_lie_in_their_text(entities: list[tuple[int, int]], message: str) -> None:
    """And each is there once."""
    given = [Entity(type="place", offset=offset, length=length) for offset, length in entities]

    with pytest.raises(ResultError) as caught:
        make(Transcription, text="Paris", confidence=1, entities=given)

    assert str(caught.value) == message


def test_all_fields_that_are_wrong_are_named() -> None:
    """Not only the first."""
    with pytest.raises(ResultError, match=r"Transcription.text: .*; Transcription.confidence: "):
        make(Transcription, text="", confidence=2)


def test_results_nest() -> None:
    """Any iterable of results will do."""
    word = Child(type="word", results=[Transcription(text="x", confidence=1)])

    assert make(Child, type="line", results=(item for item in [word])).results == (word,)
    with pytest.raises(ResultError, match=r"Child.results.1"):
        make(Child, type="line", results=[word, 3])


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (["x"], f"{NO_RESULT} str"),
        ([[]], f"{NO_RESULT} list; give each of its results by itself"),
        ([None], f"{NO_RESULT} None"),
        ([Child], f"{NO_RESULT} the class Child"),
        (
            [Entity(type="place", offset=0, length=1)],
            "Child.results.0: is an Entity, which belongs in a text: Transcription(…, entities=[Entity(…)]) or, for",
        ),
        (Transcription(text="x", confidence=1), "Child.results: should be a list of results, not Transcription"),
        ("x", "Child.results: should be a list of results, not str"),
    ],
)
def test_what_is_no_result_is_no_part_of_a_child(results: Any, message: str) -> None:
    """The message names what was given by its type."""
    with pytest.raises(ResultError) as caught:
        make(Child, type="line", results=results)

    assert str(caught.value).startswith(message)


def test_an_update_holds_what_was_given() -> None:
    """A confidence of None is a change, everything else of None is left out."""
    assert Update(name="x", type=None).changes == {"name": "x"}
    assert Update(confidence=None).changes == {"confidence": None}


def test_results_are_frozen_and_pickle() -> None:
    """They go from thread to thread and from process to process."""
    child = make(Child, type="line", polygon=SQUARE, results=[Transcription(text="x", confidence=1)])

    assert pickle.loads(pickle.dumps(child)) == child
    assert len({child, pickle.loads(pickle.dumps(child))}) == 1
    with pytest.raises(ValidationError, match="frozen"):
        child.type = "other"


def test_the_representation_is_what_one_would_write() -> None:
    """Without the field that tells the kinds apart."""
    assert repr(Entity(type="place", offset=0, length=1)) == "Entity(type='place', offset=0, length=1, confidence=None)"
    assert repr(Link(parents=["p"])) == "Link(parents=('p',), children=())"


ELEMENT = Element(id="line")
STORED = StoredTranscription(id="text", text="Paris")
TEXT = Transcription(text="Paris", confidence=1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(1.0000001), 1.0),
        (np.float16(1.001), 1.0),
        (np.float32(-1e-7), 0.0),
        (1.0000001, 1.0),
        (np.array(0.5), 0.5),
        (Decimal("0.5"), 0.5),
    ],
)
def test_a_confidence_may_be_beyond_the_ends_by_what_rounding_does(value: Any, expected: float) -> None:
    """Sums of probabilities end there; how far is a matter of the precision."""
    assert make(Transcription, text="x", confidence=value).confidence == expected


@pytest.mark.parametrize(
    "value", [1.001, np.float32(1.001), np.float16(1.01), -0.01, True, np.True_, "1", np.ma.masked]
)
def test_a_confidence_beyond_the_ends_is_refused(value: Any) -> None:
    """So are truth values, of any library, and text."""
    with pytest.raises(ResultError, match=r"^Transcription\.confidence: "):
        make(Transcription, text="x", confidence=value)


def test_truth_values_of_numpy_are_fine() -> None:
    """As comparisons of arrays give them."""
    assert make(Classification, class_name="a", confidence=1, high_confidence=np.True_).high_confidence is True
    assert make(Update, mirrored=np.False_).mirrored is False


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12.5, "12.5"),
        (12, "12"),
        (np.float32(12.1), "12.1"),
        (np.int64(3), "3"),
        (Decimal("1.50"), "1.50"),
        (Fraction(1, 4), "0.25"),
        (" 7", " 7"),
    ],
)
def test_a_number_may_be_the_value_of_numeric_metadata(value: Any, expected: str) -> None:
    """It is kept as text, with the digits that its type has."""
    assert make(Metadata, type="numeric", name="n", value=value).value == expected


@pytest.mark.parametrize(
    ("kind", "value"), [("numeric", True), ("numeric", float("nan")), ("text", 12.5), ("url", "http://")]
)
def test_other_values_of_metadata_stay_text(kind: str, value: Any) -> None:
    """A number elsewhere is a mistake more often than not."""
    with pytest.raises(ResultError, match=r"^Metadata"):
        make(Metadata, type=kind, name="n", value=value)


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (None, ()),
        (TEXT, (TEXT,)),
        ({"a": TEXT}.values(), (TEXT,)),
        ((text for text in [TEXT]), (TEXT,)),
        (np.array([TEXT, TEXT], dtype=object), (TEXT, TEXT)),
        ({"a": TEXT}, ({"a": TEXT},)),
        ("text", ("text",)),
        (ELEMENT, (ELEMENT,)),
    ],
    ids=["nothing", "one", "values", "generator", "array", "mapping", "text", "element"],
)
def test_what_user_code_returns_is_collected(returned: Any, expected: tuple[Any, ...]) -> None:
    """Whatever can be looped over and is not one thing; what is not a result is refused where it is published."""
    assert collect(returned) == expected


def test_values_of_a_dict_may_be_the_results_of_a_child() -> None:
    """As those of the element."""
    assert make(Child, type="a", results={"x": TEXT}.values()).results == (TEXT,)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (
            Transcription,
            ("a", 0.9),
            "Transcription takes its values by name: Transcription(text=…, confidence=…)",
        ),
        (Update, ("a",), "Update takes its values by name: Update(name=…)"),
        (Child, ("a",), "Child takes its values by name: Child(type=…)"),
    ],
)
def test_values_without_names_are_refused(kind: Any, arguments: tuple[Any, ...], message: str) -> None:
    """The message shows what to write."""
    with pytest.raises(ResultError) as caught:
        kind(*arguments)

    assert str(caught.value) == message


def test_results_on_what_exists_are_one_or_several() -> None:
    """By place or by name; whatever can be looped over."""
    assert On(ELEMENT, TEXT) == On(target=ELEMENT, results=[TEXT]) == On(ELEMENT, iter([TEXT]))
    assert On(STORED, Entity(type="place", offset=0, length=5)).results[0].kind == "entity"


@pytest.mark.parametrize(
    ("target", "results", "message"),
    [
        ("line", TEXT, "On.target: should be an element or a stored transcription, not str; context.retrieve_element"),
        (TEXT, TEXT, "On.target: should be an element or a stored transcription, not Transcription"),
        (ELEMENT, "text", "On.results: should be a list of results, not str"),
        (
            ELEMENT,
            [On(ELEMENT, TEXT)],
            "On.results.0: On refers to something that exists: put it next to this result, not inside it",
        ),
        (ELEMENT, Entity(type="a", offset=0, length=1), "On: entities belong in a transcription, not on an element"),
        (STORED, TEXT, "On: a stored transcription can only get entities"),
        (
            STORED,
            Entity(type="a", offset=1, length=5),
            "On: results.0 ends at character 6, beyond the text of 5 characters",
        ),
    ],
)
def test_what_cannot_be_on_something_is_refused(target: Any, results: Any, message: str) -> None:
    """Where it is made."""
    with pytest.raises(ResultError) as caught:
        On(target, results)

    assert str(caught.value).startswith(message)


def test_results_on_what_exists_pickle() -> None:
    """To another process; what opens the image stays behind."""
    found = On(ELEMENT, TEXT)

    assert pickle.loads(pickle.dumps(found)) == found
