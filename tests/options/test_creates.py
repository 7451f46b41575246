"""What authors may write for `creates`."""

from __future__ import annotations

from typing import Any

import pytest

from arkworker import Creates, ElementsWorker, Worker
from arkworker.errors import DeclarationError
from arkworker.runtime.target import FunctionWorker
from arkworker.runtime.worker import options_of


def test_a_tuple_names_element_types() -> None:
    """Any class and any entity type may then be created, as in the published library."""
    assert Creates.of(("stain", "stain", "line"), "W") == Creates(element_types=("stain", "line"))
    assert Creates.of([], "W") == Creates()
    assert (Creates().classes, Creates().entity_types) == (None, None)


def test_lists_are_kept_as_tuples() -> None:
    """What is declared cannot be changed."""
    made = Creates(element_types=["a"], classes={"b": 1}.keys(), entity_types=[])  # type: ignore[arg-type]

    assert made == Creates(("a",), ("b",), ())


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            "text_line",
            'element_types should be a tuple of names, not text: write creates = ("text_line",), with the comma',
        ),
        (b"a", 'element_types should be a tuple of names, not text: write creates = ("text_line",), with the comma'),
        (3, 'element_types should be a tuple of names, such as creates = ("text_line",), not int'),
        ({"a": 1}, 'element_types should be a tuple of names, such as creates = ("text_line",), not dict'),
        (None, 'element_types should be a tuple of names, such as creates = ("text_line",), not NoneType'),
        (("a", 3), "element_types.1 should be text, not int"),
        (([],), "element_types.0 should be text, not list"),
        (
            ("",),
            "element_types.0 should be the slug of an element type, letters, digits, - and _, at most 50: ''",
        ),
        (
            ("text line",),
            "element_types.0 should be the slug of an element type, letters, digits, - and _, at most 50: 'text line'",
        ),
    ],
)
def test_what_is_no_tuple_of_slugs_is_refused_when_the_class_is_created(declared: Any, message: str) -> None:
    """A string without the comma is one slug for each letter otherwise."""
    with pytest.raises(DeclarationError) as caught:
        type("W", (ElementsWorker,), {"creates": declared})

    assert str(caught.value) == f"W.creates: {message}"


@pytest.mark.parametrize("names", ["cat", ("",), ("a\n",), ("x" * 251,), (1,)])
def test_classes_and_entity_types_are_names(names: Any) -> None:
    """Any text that a person can read."""
    with pytest.raises(DeclarationError, match=r"^classes"):
        Creates(classes=names)
    with pytest.raises(DeclarationError, match=r"^entity_types"):
        Creates(entity_types=names)


def test_names_with_blanks_that_do_not_break_are_names() -> None:
    """French puts them before a colon."""
    assert Creates(classes=("Nom\u00a0: père",)).classes == ("Nom\u00a0: père",)


def test_every_kind_of_worker_has_them() -> None:
    """A plain worker publishes with `context.publish`, and so does a function."""

    class Plain(Worker):
        creates = Creates(classes=())

    def function(context: Any, cache: Any) -> None: ...

    function.creates = ["stain"]  # type: ignore[attr-defined]

    assert options_of(Plain, "t").creates == Creates(classes=())
    assert options_of(FunctionWorker(function), "t").creates == Creates(("stain",))
