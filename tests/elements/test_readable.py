"""What an element hands over to its reader, and what it refuses itself."""

from __future__ import annotations

import pickle
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from arkworker.elements.model import Element
from arkworker.elements.query import Query
from arkworker.errors import ArkworkerError

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = "0c1fbe0e-54d9-4f25-8a28-0a5a4cd0a1b3"
LISTS = ("children", "parents", "transcriptions", "classifications", "metadata", "embeddings")


class Reader:
    """Keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.unpicklable = lambda: None

    def __getattr__(self, name: str) -> Any:
        def answer(*asked: Any, **options: Any) -> Iterator[Any]:
            self.asked.append((name, *asked, options))
            return iter(())

        return answer


def bound() -> tuple[Element, Reader]:
    reader: Any = Reader()
    return Element(id="e").bind(reader=reader), reader


@pytest.mark.parametrize("name", LISTS)
def test_an_element_of_no_run(name: str) -> None:
    """Made by hand, it says at once who would bind it."""
    with pytest.raises(
        ArkworkerError, match=r"^element e does not belong to a run, .* or give it to context.bind_element$"
    ):
        getattr(Element(id="e"), name)()


def test_what_is_asked_for_is_handed_over() -> None:
    """With the element itself, and the worker run as Arkindex writes it."""
    element, reader = bound()

    element.children(type="line", name="a", recursive=True, worker_run=UUID(RUN), source="api")
    element.transcriptions(element_type="line", worker_run=False)
    element.metadata(load_parents=True)
    element.embeddings()

    assert reader.asked == [
        ("children", element, Query(type="line", name="a", recursive=True, worker_run=RUN, source="api"), {}),
        ("transcriptions", element, Query(type="line", worker_run=False), {}),
        ("metadata", element, {"load_parents": True}),
        ("embeddings", element, {}),
    ]


def test_a_reader_stays_behind() -> None:
    """It takes no part in pickling and comparing, and stays when only the opener changes."""
    element, reader = bound()
    opener: Any = Reader()

    rebound = element.bind(opener)
    rebound.children()

    assert pickle.loads(pickle.dumps(element)) == element == Element(id="e")
    assert len(reader.asked) == 1
    with pytest.raises(ArkworkerError, match="does not belong to a run"):
        pickle.loads(pickle.dumps(element)).children()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"type": ""}, "type should be the slug of an element type"),
        ({"type": ["line"]}, "type should be the slug of an element type"),
        ({"name": ""}, "name should be a part of a name"),
        ({"recursive": 1}, "recursive should be True or False"),
        ({"worker_run": True}, "worker_run should be the id of a worker run, or False"),
        ({"worker_run": "mine"}, "worker_run should be the id of a worker run, or False"),
        ({"worker_run": ""}, "worker_run should be the id of a worker run, or False"),
        ({"worker_run": 0}, "worker_run should be the id of a worker run, or False"),
        ({"source": "API"}, 'source should be "cache" or "api"'),
        ({"source": "cache", "name": "a"}, "the cache has no names"),
        ({"source": "cache", "folder": False}, "the cache has no folders"),
        ({"source": "cache", "transcription_worker_run": False}, "the cache has no authors of transcriptions"),
        ({"folder": 1}, "folder should be True or False"),
        ({"with_classes": "yes"}, "with_classes should be True or False"),
        ({"transcription_worker_run": True}, "worker_run should be the id of a worker run, or False"),
    ],
    ids=str,
)
def test_questions_that_make_no_sense(asked: dict[str, Any], message: str) -> None:
    """They are refused where they are asked, before anything is read."""
    element, reader = bound()

    with pytest.raises(ValueError, match=message):
        element.children(**asked)

    assert reader.asked == []


@pytest.mark.parametrize(
    ("method", "name", "message"),
    [
        ("children", "typ", "Element.children() got an unexpected keyword argument 'typ'; did you mean type?"),
        (
            "parents",
            "recursiv",
            "Element.parents() got an unexpected keyword argument 'recursiv'; did you mean recursive?",
        ),
        (
            "transcriptions",
            "typ",
            (
                "Element.transcriptions() got an unexpected keyword argument 'typ'; "
                "it takes element_type, recursive, worker_run, source"
            ),
        ),
        (
            "classifications",
            "workerrun",
            "Element.classifications() got an unexpected keyword argument 'workerrun'; did you mean worker_run?",
        ),
        (
            "metadata",
            "load_parent",
            "Element.metadata() got an unexpected keyword argument 'load_parent'; did you mean load_parents?",
        ),
        ("embeddings", "x", "Element.embeddings() got an unexpected keyword argument 'x'; it takes none"),
    ],
)
def test_a_misspelt_parameter(method: str, name: str, message: str) -> None:
    """The message names what the author called, and what may be meant."""
    element = Element(id="11111111-1111-1111-1111-111111111111", type="page", name="1")
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        getattr(element, method)(**{name: "line"})


def test_a_parameter_without_its_name() -> None:
    """Python's own message names no class that users do not know."""
    untyped: Any = Element(id="11111111-1111-1111-1111-111111111111", type="page", name="1")
    with pytest.raises(TypeError, match=r"^Element\.children\(\) takes 1 positional argument but 2 were given$"):
        untyped.children("line")
