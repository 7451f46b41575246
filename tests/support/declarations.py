"""Declarations of every kind, and the code that is generated from them."""

from __future__ import annotations

import inspect
import itertools
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from hypothesis import strategies as some
from pydantic import Field, create_model

from arkworker import ElementType, Model, NotEditable, Required, Secret, Text, UserConfiguration, WorkerVersion
from arkworker.declaration.content import FieldContent, WorkerContent
from arkworker.declaration.export import export
from arkworker.declaration.generation import Draft, generate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import SearchStrategy

_NUMBERS = itertools.count()

# ruff: noqa: SIM905 - a list of sixty quoted words is hard to read
#: What YAML 1.1, YAML 1.2, Python or a formatter could take for something else.
TRAPS = """
yes no on off y n true null ~ 1 1.0 1e3 010 0x1F 0o17 1_000 1:30 12:30:45 2024-01-02 .inf = << ! & * ? - | > % @ `
a: #a a#b [] {} 'a "a a'b"c \\ \\n {{x}} é 日本 😀 None int class model_dump copy schema json self cls type id debug
""".split()
TEXTS = some.sampled_from(
    [
        *TRAPS,
        "",
        " ",
        "a b",
        "a\nb",
        "a\n\n  b\n",
        " a",
        "a ",
        "\ta\n",
        "\x07",
        "\x85a",
        "a\u2028\nb",
        "a\r\nb",
        "x" * 200,
    ]
)
LABELS = some.sampled_from([*TRAPS, "A b", "a\nb", "x" * 100, '"', "Ends with \\"])
KEYS = some.sampled_from(
    [text for text in TRAPS if text not in ("debug", "=")]
    + ["batch_size", "batch-size", "Batch_Size", "batch size", "g.c", "g_c", "x" * 250, "_private", "__", "1st", "if"]
)
DESCRIPTIONS = TEXTS.map(lambda text: text.strip() or "d")
DEFAULTS: dict[str, SearchStrategy[Any]] = {
    "bool": some.booleans(),
    "int": some.integers(-(2**63), 2**63 - 1),
    "float": some.floats(allow_nan=False, allow_infinity=False),
    "string": TEXTS,
    "text": TEXTS,
    "dict": some.dictionaries(TEXTS.filter(bool), TEXTS, max_size=3),
}
MANY = ("int", "float", "string")


def leaves() -> SearchStrategy[FieldContent]:
    """A field that is no group."""
    empty = some.sampled_from(["model", "worker_version", "element_type", "corpus_export", "s3_bucket", "secret"])
    plain = some.sampled_from(sorted(DEFAULTS)).flatmap(_with_default)
    return some.one_of(plain, empty.flatmap(lambda of: _field(of, some.none())), _enums(), _lists())


def _with_default(of: str) -> SearchStrategy[FieldContent]:
    return _field(of, some.none() | DEFAULTS[of])


def _lists() -> SearchStrategy[FieldContent]:
    values = some.sampled_from(MANY).flatmap(
        lambda of: _field(of, some.none() | some.lists(DEFAULTS[of], max_size=3), many=True)
    )
    references = some.sampled_from(["worker_version", "element_type"])
    return values | references.flatmap(lambda of: _field(of, some.sampled_from([None, []]), many=True))


def _enums() -> SearchStrategy[FieldContent]:
    # Sorted, since Python takes optional literals of the same choices for one, in the order in which it met them first.
    choices = some.lists(TEXTS, min_size=2, max_size=4, unique=True).map(sorted).map(tuple)
    return choices.flatmap(lambda given: _field("enum", some.sampled_from([None, *given]), choices=given))


def _field(of: str, defaults: SearchStrategy[Any], **others: Any) -> SearchStrategy[FieldContent]:
    return some.builds(
        FieldContent,
        key=KEYS,
        display_name=LABELS,
        type=some.just(of),
        help_text=TEXTS,
        default=defaults,
        editable=some.booleans(),
        required=some.booleans(),
        **{name: some.just(value) for name, value in others.items()},
    )


def _unique(fields: list[FieldContent]) -> tuple[FieldContent, ...]:
    return tuple({field.key: field for field in fields}.values())


GROUPS = some.builds(
    FieldContent,
    key=KEYS.filter(lambda key: key != "g"),
    display_name=LABELS,
    type=some.just("group"),
    help_text=TEXTS,
    children=some.lists(leaves(), min_size=1, max_size=3).map(_unique),
)
CONTENTS = some.builds(
    WorkerContent,
    slug=some.from_regex(r"\A[-a-zA-Z0-9_]{1,20}\Z") | some.sampled_from(["worker", "field", "1", "-", "x" * 100]),
    display_name=LABELS,
    type=LABELS,
    description=DESCRIPTIONS,
    gpu_usage=some.sampled_from(["disabled", "supported", "required"]),
    model_usage=some.sampled_from(["disabled", "supported", "required"]),
    docker_command=some.none() | TEXTS,
    shm_size=some.sampled_from([None, "8g", "512m"]),
    configuration=some.lists(leaves() | GROUPS, max_size=4).map(_unique),
)

#: Annotations and defaults as authors write them.
OPTIONS: list[tuple[Any, Any]] = [
    (int, Field(1, ge=0, le=10, description="How many")),
    (float, 1),
    (bool | None, None),
    (str, ...),
    (Annotated[str, Field(pattern="^[a-z]+$")], "a"),
    (Text, "a\nb"),
    (Literal["a", "no"], "no"),
    (list[Literal["a", "b"]], Field(["a"], title="Some of them")),
    (set[int], {3, 1, 2}),
    (dict[str, float], {"a": 1e-5, "1": 2}),
    (dict[str, bool], {"on": True}),
    (Secret[str], ...),
    (Secret[dict[str, str]] | None, Field(None, alias="the secret")),
    (Model, ...),
    (ElementType, "page"),
    (list[WorkerVersion], []),
    (Annotated[int, NotEditable], ...),
    (Annotated[int | None, NotEditable, Required], None),
    (Annotated[list[str], Required], ["yes"]),
]
_OPTIONS = some.sampled_from(OPTIONS)


def _models(options: SearchStrategy[Any]) -> SearchStrategy[type[UserConfiguration]]:
    return some.dictionaries(some.from_regex(r"\A[a-z]{1,6}\Z").map("option_{}".format), options, max_size=4).map(
        _model
    )


def _model(fields: dict[str, Any]) -> type[UserConfiguration]:
    aliased = {name: option for name, option in fields.items() if getattr(option[1], "alias", None)}
    for name in list(aliased)[1:]:
        del fields[name]
    return create_model("Generated", __base__=UserConfiguration, **fields)


def _groups(model: type[UserConfiguration]) -> SearchStrategy[tuple[Any, Any]]:
    return some.sampled_from([(model, ...), (model | None, None)])


MODELS = _models(_OPTIONS | _models(_OPTIONS).filter(lambda model: bool(model.model_fields)).flatmap(_groups))


def load(text: str) -> ModuleType:
    """A generated module, imported."""
    module = ModuleType(f"generated_{next(_NUMBERS)}")
    sys.modules[module.__name__] = module
    try:
        exec(compile(text, module.__name__, "exec"), module.__dict__)
    finally:
        del sys.modules[module.__name__]
    return module


def exports(drafts: list[Draft]) -> Iterator[WorkerContent]:
    """What the code that is generated from some drafts declares."""
    generated = generate(drafts)
    module = load(generated.text)
    for name in generated.workers:
        worker = getattr(module, name)
        yield export(
            worker.configuration,
            worker.declaration,
            name=name,
            description=inspect.cleandoc(worker.__doc__),
            command=None,
        )
