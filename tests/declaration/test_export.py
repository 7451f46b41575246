"""From a configuration in code to the declaration that Arkindex gets."""

from __future__ import annotations

import enum
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import pytest
from pydantic import AnyUrl, Field, create_model

from arkworker import (
    CorpusExport,
    Declaration,
    ElementType,
    Model,
    NotDeclared,
    NotEditable,
    Required,
    S3Bucket,
    Secret,
    Text,
    UserConfiguration,
    WorkerVersion,
)
from arkworker.declaration.content import WorkerContent
from arkworker.declaration.export import export
from arkworker.errors import ConfigurationError, DeclarationError


class Color(enum.Enum):
    RED = "red"
    NO = "no"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


Slug = NewType("Slug", str)


class Inner(UserConfiguration):
    count: int = 1
    names: list[str] = Field([])


class Outer(UserConfiguration):
    inner: Inner = Inner()


class Bucket(UserConfiguration):
    key: str


def exported(model: type[UserConfiguration] | None, declaration: Declaration | None = None) -> WorkerContent:
    return export(model, declaration or Declaration(), name="PageLines", description="Finds lines.", command=None)


def field(annotation: Any, default: Any = ...) -> dict[str, Any]:
    """The field of an option called `batch_size`, without its names."""
    model = create_model("C", __base__=UserConfiguration, batch_size=(annotation, default))
    (content,) = exported(model).configuration
    return {name: value for name, value in content.as_data().items() if name not in ("key", "display_name")}


def refusal(annotation: Any, default: Any = ...) -> list[tuple[str, str, str]]:
    model = create_model("C", __base__=UserConfiguration, batch_size=(annotation, default))
    with pytest.raises(ConfigurationError) as caught:
        exported(model)
    return [(problem.path, problem.message, problem.hint) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("annotation", "default", "expected"),
    [
        (bool, False, {"type": "bool", "default": False}),
        (int, ..., {"type": "int", "required": True}),
        (int, 0, {"type": "int", "default": 0}),
        (float, 1, {"type": "float", "default": 1.0}),
        (str, "", {"type": "string", "default": ""}),
        (Slug, "a", {"type": "string", "default": "a"}),
        (str | None, None, {"type": "string"}),
        (str | None, ..., {"type": "string", "required": True}),
        (int | float, 1, {"type": "float", "default": 1.0}),
        (Path, Path("a"), {"type": "string", "default": "a"}),
        (Decimal, Decimal("0.10"), {"type": "string", "default": "0.10"}),
        (UUID | None, None, {"type": "string", "help_text": "A UUID."}),
        (AnyUrl | None, None, {"type": "string", "help_text": "A URL."}),
        (Text, "a\nb", {"type": "text", "default": "a\nb"}),
        (Literal["a", "b"], "a", {"type": "enum", "choices": ["a", "b"], "default": "a"}),
        (Literal["a", "b", "c"] | None, None, {"type": "enum", "choices": ["a", "b", "c"]}),
        (Color, Color.NO, {"type": "enum", "choices": ["red", "no"], "default": "no"}),
        (list[int], [1, 2], {"type": "int", "many": True, "default": [1, 2]}),
        (list[float], [1], {"type": "float", "many": True, "default": [1.0]}),
        (tuple[str, ...], (), {"type": "string", "many": True, "default": []}),
        (
            set[Color],
            {Color.RED, Color.NO},
            {
                "type": "string",
                "many": True,
                "default": ["no", "red"],
                "help_text": "No value twice, each one of red, no.",
            },
        ),
        (dict[str, str], {"a": "b"}, {"type": "dict", "default": {"a": "b"}}),
        (
            dict[str, float],
            {"a": 0.5},
            {"type": "dict", "default": {"a": "0.5"}, "help_text": "Each value a number."},
        ),
        (
            dict[str, bool],
            {"a": True},
            {"type": "dict", "default": {"a": "true"}, "help_text": "Each value true or false."},
        ),
        (Secret[str], ..., {"type": "secret", "required": True}),
        (Secret[dict[str, str]] | None, None, {"type": "secret"}),
        (Secret[str], Secret("hunter2"), {"type": "secret"}),
        (Model, ..., {"type": "model", "required": True}),
        (Model | None, None, {"type": "model"}),
        (WorkerVersion | None, None, {"type": "worker_version"}),
        (list[WorkerVersion], [], {"type": "worker_version", "many": True, "default": []}),
        (ElementType, "page", {"type": "element_type", "help_text": "When left empty: page."}),
        (list[ElementType], ["a", "b"], {"type": "element_type", "many": True, "help_text": "When left empty: a, b."}),
        (CorpusExport | None, None, {"type": "corpus_export"}),
        (S3Bucket | None, None, {"type": "s3_bucket"}),
        (Annotated[str, NotEditable], "fr", {"type": "string", "editable": False, "default": "fr"}),
        (Annotated[int, NotEditable], ..., {"type": "int", "editable": False, "default": None}),
        (Annotated[int | None, NotEditable], None, {"type": "int", "editable": False, "default": None}),
        (Annotated[int, Required], 5, {"type": "int", "required": True, "default": 5}),
    ],
)
def test_a_python_type_has_its_field(annotation: Any, default: Any, expected: dict[str, Any]) -> None:
    """Each type that Arkindex knows, with its default as Arkindex has it."""
    assert expected == field(annotation, default)


@pytest.mark.parametrize(
    ("annotation", "default", "expected"),
    [
        (int, Field(1, ge=0, lt=9, description="How many"), "How many. At least 0, less than 9."),
        (str, Field("a", pattern="^a+$"), "Matches `^a+$`."),
        (float, Field(1.0, description="One.\n\nTwo.", multiple_of=0.5), "One.\n\nTwo.\n\nMultiple of 0.5."),
        (list[Annotated[int, Field(gt=0)]], Field([1], max_length=3), "Length at most 3, each more than 0."),
        (Annotated[int, Field(ge=1)] | None, None, "At least 1."),
        (tuple[int, int], (1, 2), "Exactly 2 values."),
        (dict[Literal["a", "b"], int], {}, "Each key one of a, b, each value an integer."),
    ],
)
def test_constraints_are_told_to_users(annotation: Any, default: Any, expected: str) -> None:
    """What the form cannot check stands in the help text, after the description."""
    assert expected == field(annotation, default)["help_text"]


@pytest.mark.parametrize(
    ("annotation", "default", "message", "hint"),
    [
        (Literal[1, 2], 1, "choices on Arkindex are text", "make them text, such as Literal['1', '2']"),
        (Size, Size.SMALL, "choices on Arkindex are text", "make them text, such as Literal['1', '2']"),
        (Literal["a"], "a", "an enum on Arkindex has two choices or more", "make it a str that is NotEditable"),
        (
            list[bool],
            [],
            "Arkindex has no lists of values of type bool",
            "it has lists of int, float, string, worker_version, element_type",
        ),
        (
            list[list[int]],
            [],
            "Arkindex has no lists of lists",
            "it has lists of int, float, string, worker_version, element_type",
        ),
        (dict[str, list[int]], {}, "a dict on Arkindex holds text", "make it a group, or a list"),
        (
            dict[str, str | None],
            {"a": None},
            "a dict on Arkindex holds text, and no null",
            "leave it out of the default",
        ),
        (
            int | str,
            1,
            "an option on Arkindex has one type",
            "choose one, or give it a default and annotate it with NotDeclared to keep it off Arkindex",
        ),
        (
            Any,
            1,
            "Arkindex has no type for Any",
            "give it a default and annotate it with NotDeclared to keep it off Arkindex",
        ),
        (
            list[Inner],
            [],
            "Arkindex has groups of options, but no values with parts",
            "give it a default and annotate it with NotDeclared to keep it off Arkindex",
        ),
        (
            Annotated[int, NotDeclared],
            ...,
            "is not declared, so that Arkindex gives it no value",
            "give it a default",
        ),
        (
            Annotated[Inner, NotEditable],
            Inner(),
            "a group on Arkindex is neither required nor fixed",
            "annotate the options in it",
        ),
    ],
)
def test_what_arkindex_has_no_words_for_is_refused(annotation: Any, default: Any, message: str, hint: str) -> None:
    """One problem that names the option, with a way out."""
    assert [("config.batch_size", message, hint)] == refusal(annotation, default)


def test_a_group_in_a_group_is_refused() -> None:
    """Arkindex has one level; the problem names the inner group."""
    message, hint = "a group on Arkindex cannot hold a group", "move it up by one level, or give it a default"
    ((path, found, way),) = refusal(Outer, Outer())
    assert ("config.batch_size.inner", message) == (path, found)
    assert way.startswith(hint)


def test_all_problems_are_told_at_once() -> None:
    """Each option that cannot be declared, not only the first."""
    model = create_model("C", __base__=UserConfiguration, a=(Any, 1), b=(int, 1), c=(list[bool], []))
    with pytest.raises(ConfigurationError) as caught:
        exported(model)
    assert [problem.path for problem in caught.value.problems] == ["config.a", "config.c"]


@pytest.mark.parametrize(
    ("annotation", "default", "expected"),
    [
        (Inner, ..., {"count": {"default": 1}, "names": {"default": [], "many": True}}),
        (Inner, Inner(count=7), {"count": {"default": 7}, "names": {"default": [], "many": True}}),
        (Bucket, ..., {"key": {"required": True}}),
        (Bucket, Bucket(key="k"), {"key": {"default": "k"}}),
        (Bucket | None, None, {"key": {}}),
        (Bucket | None, ..., {"key": {}}),
    ],
)
def test_a_nested_model_is_a_group(annotation: Any, default: Any, expected: dict[str, Any]) -> None:
    """Its options take the defaults of the group; none is required where the group may be left out."""
    found = field(annotation, default)
    described = ("key", "display_name", "type")
    children = {
        child["key"]: {name: value for name, value in child.items() if name not in described}
        for child in found["children"]
    }
    assert ("group", expected) == (found["type"], children)


def test_options_off_the_form_are_left_out() -> None:
    """Alone, in a group, and as a group."""

    class Group(UserConfiguration):
        shown: int = 1
        hidden: Annotated[Any, NotDeclared] = None

    class Configuration(UserConfiguration):
        option: Annotated[list[Inner], NotDeclared] = Field([])
        group: Annotated[Outer, NotDeclared] = Outer()
        other: Group = Group()

    (group,) = exported(Configuration).configuration
    assert (group.key, [child.key for child in group.children]) == ("other", ["shown"])


def test_names_of_an_option() -> None:
    """Its alias is the key; its title the label, else its key in words."""

    class Configuration(UserConfiguration):
        first: int = Field(1, alias="the-first one")
        second_one: int = 1
        third: int = Field(1, title="Number 3")

    fields = exported(Configuration).configuration
    assert [(field.key, field.display_name) for field in fields] == [
        ("the-first one", "The-first one"),
        ("second_one", "Second one"),
        ("third", "Number 3"),
    ]


def test_the_worker_follows_from_its_class() -> None:
    """Slug and label from the name, the description from the docstring."""
    assert exported(None) == WorkerContent("page-lines", "Page lines", "worker", "Finds lines.")


def test_what_the_author_declares_wins() -> None:
    """Every part of the declaration in code."""
    declaration = Declaration(
        slug="s",
        display_name="S",
        type="dla",
        description=" text\n",
        gpu_usage="required",
        model_usage="supported",
        docker_command="run",
        shm_size="8g",
    )
    assert exported(None, declaration) == WorkerContent("s", "S", "dla", "text", "required", "supported", "run", "8g")


@pytest.mark.parametrize(
    ("name", "slug", "display_name"),
    [
        ("PageLines", "page-lines", "Page lines"),
        ("HTRWorker", "htr-worker", "HTR worker"),
        ("find_lines", "find-lines", "Find lines"),
        ("OCR2Text", "ocr-2-text", "OCR 2 text"),
        ("Élan", "elan", "Élan"),
        ("_", "worker", "Worker"),
        ("A" * 300, "a" * 100, "A" * 100),
    ],
)
def test_names_from_a_class(name: str, slug: str, display_name: str) -> None:
    """Words become a slug that Arkindex takes, and a label."""
    content = export(None, Declaration(), name=name, description="", command=None)
    assert (slug, display_name) == (content.slug, content.display_name)


@pytest.mark.parametrize(
    "arguments", [{"slug": "a b"}, {"slug": ""}, {"shm_size": "8G"}, {"gpu_usage": True}, {"model_usage": "yes"}]
)
def test_a_declaration_that_arkindex_refuses_is_refused_at_once(arguments: dict[str, Any]) -> None:
    """Where it is written, when the module is imported."""
    with pytest.raises(DeclarationError, match=next(iter(arguments))):
        Declaration(**arguments)


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (create_model("C", __base__=UserConfiguration, x=(int, Field(1, title="x" * 251))), "configuration.x"),
        (create_model("C", __base__=UserConfiguration, x=(str, "\ud800")), ""),
    ],
)
def test_what_only_the_rules_know_is_refused_too(model: type[UserConfiguration], path: str) -> None:
    """The finished declaration passes the rules, or is not written."""
    with pytest.raises(ConfigurationError) as caught:
        exported(model)
    assert caught.value.problems[0].path.startswith(path)
