"""What a class of workers says of its configuration, and what its author must correct."""

from __future__ import annotations

import collections
import types
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import pytest
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic_settings import BaseSettings

from arkworker import DatasetWorker, ElementsWorker, Requires, UserConfiguration, Worker
from arkworker.errors import DeclarationError


class Mine(UserConfiguration):
    count: int = 1


class Other(UserConfiguration):
    name: str = "x"


T = TypeVar("T")
M = TypeVar("M", bound=Mine)


class Runs:
    """A worker's hook, for classes that inherit it from elsewhere."""

    def run(self, context: Any, cache: Any) -> None: ...


class Middle(Worker[T]):
    """A generic class between."""


class Bound(Worker[M]):
    """A generic class that knows a little."""


class Second(Worker[T], Generic[T, M]):
    """Two parameters, of which the first is the configuration."""


class Swapped(Middle[T], Generic[M, T]):
    """Two parameters, of which the second is."""


def test_no_type_is_a_free_mapping() -> None:
    """Nothing declared, nothing checked."""

    class W(Worker): ...

    assert W.configuration is None


@pytest.mark.parametrize("free", [Any, dict, dict[str, Any], Mapping[str, Any], Mapping])
def test_mapping_is_a_free_mapping(free: Any) -> None:
    """Said in so many words."""

    class W(Worker[free]): ...

    assert W.configuration is None


def test_type_argument() -> None:
    """The usual case."""

    class W(Worker[Mine]): ...

    assert W.configuration is Mine


def test_quoted_type_argument() -> None:
    """A name that is looked up in the module."""

    class W(Worker["Mine"]): ...

    assert W.configuration is Mine


def test_inheritance() -> None:
    """A subclass has the configuration of its base."""

    class Base(Worker[Mine]): ...

    class W(Base): ...

    assert W.configuration is Mine


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (Middle[Mine], Mine),
        (Middle[dict[str, Any]], None),
        (Swapped[Mine, Other], Other),
        (Second[Other, Mine], Other),
        (Bound, Mine),
        (Middle, None),
    ],
)
def test_generic_classes_between(base: Any, expected: Any) -> None:
    """The argument is followed to the parameter it stands for; one left open is its bound."""

    class W(base): ...  # type: ignore[misc]  # one of several

    assert W.configuration is expected


def test_mixin() -> None:
    """A hook may come from a class that is not a worker."""

    class W(Runs, Worker[Mine]): ...

    assert W.configuration is Mine


@pytest.mark.parametrize("wrong", [int, str, Mine | None, list[Mine], "Absent"])
def test_wrong_type_is_refused_with_the_class(wrong: Any) -> None:
    """When the class is created."""
    with pytest.raises(DeclarationError, match="configuration"):

        class W(Worker[wrong]): ...


class Flags(UserConfiguration):
    batch_name: str = "x"


def test_arguments() -> None:
    """A frozen model of extra flags."""

    class W(Worker):
        arguments = Flags

    assert W.arguments is Flags


def model_with(*names: str) -> type[BaseModel]:
    fields: dict[str, Any] = dict.fromkeys(names, (str, ""))
    return create_model("Flags", __config__=ConfigDict(frozen=True), **fields)


@pytest.mark.parametrize(
    ("names", "flag"),
    [
        (("config",), "--config"),
        (("dev",), "--dev"),
        (("help",), "--help"),
        (("offline",), "--offline"),
        (("changed",), "--changed"),
        (("extras_dir",), "--extras-dir"),
        (("element",), "--element"),
    ],
)
def test_flag_that_is_taken(names: tuple[str, ...], flag: str) -> None:
    """A clash is refused when the class is created."""
    with pytest.raises(DeclarationError, match=f"{flag} is a flag of arkworker; rename {names[0]}"):

        class W(Worker):
            arguments = model_with(*names)


def test_two_flags_of_one_name() -> None:
    """Names that differ in case alone, or in a dash, are one flag."""
    with pytest.raises(DeclarationError, match="--a-b is a flag of the option a_b; rename a-b"):

        class W(Worker):
            arguments = model_with("a_b", "a-b")


class Loose(BaseModel):
    name: str = "x"


@pytest.mark.parametrize("wrong", [Loose, int, Flags(), "Flags"])
def test_arguments_that_are_no_frozen_model(wrong: Any) -> None:
    """A context holds nothing that could be changed."""
    with pytest.raises(DeclarationError, match="should be a frozen pydantic model"):

        class W(Worker):
            arguments = wrong


def test_asynchronous_hook() -> None:
    """It would do nothing, without a word."""
    with pytest.raises(DeclarationError, match=r"W\.run is asynchronous"):

        class W(Worker):
            async def run(self, context: Any, cache: Any) -> None: ...  # type: ignore[override]


@pytest.mark.parametrize("name", ["setup", "run", "teardown"])
def test_hook_that_yields(name: str) -> None:
    """So would a generator."""

    def hook(self: object, context: object, cache: object = None) -> Any:
        yield self, context, cache

    with pytest.raises(DeclarationError, match=rf"W\.{name} yields"):
        type("W", (Worker,), {name: hook})


@pytest.mark.parametrize(
    ("name", "hook"),
    [
        ("run", lambda self: self),
        ("run", lambda self, context: (self, context)),
        ("run", lambda self, context, cache, more: (self, context, cache, more)),
        ("setup", lambda self: self),
        ("teardown", lambda self, context, cache: (self, context, cache)),
    ],
)
def test_hook_with_other_arguments(name: str, hook: Any) -> None:
    """Found before it is called with its own."""
    with pytest.raises(DeclarationError, match=rf"W\.{name}\(.*\) should take \(self, context"):
        type("W", (Worker,), {name: hook})


@pytest.mark.parametrize(
    "hook", [lambda *_: None, lambda self, context, cache=None, *, more=1: (self, context, cache, more)]
)
def test_hook_that_takes_more(hook: Any) -> None:
    """What can be called as it will be is fine."""
    assert vars(type("W", (Worker,), {"run": hook}))["run"] is hook


@pytest.mark.parametrize(
    ("base", "hook", "meant"),
    [
        (ElementsWorker, "run", "finish"),
        (DatasetWorker, "run", "finish"),
        (Worker, "process_element", "derive it from ElementsWorker"),
        (Worker, "process_elements", "derive it from ElementsWorker"),
        (Worker, "finish", "at the end of run"),
        (DatasetWorker, "process_element", "derive it from ElementsWorker"),
        (ElementsWorker, "process_set", "derive it from DatasetWorker"),
    ],
)
def test_hook_of_another_kind_of_worker(base: Any, hook: str, meant: str) -> None:
    """It would never be called: refused, with what to write instead."""
    with pytest.raises(DeclarationError, match=rf"W\.{hook} is never called: .*{meant}"):
        type("W", (base,), {hook: lambda *_: None})


def test_hook_of_another_kind_from_a_mixin() -> None:
    """Wherever the class has it from."""
    with pytest.raises(DeclarationError, match=r"W\.run is never called"):

        class W(Runs, ElementsWorker): ...


@pytest.mark.parametrize(
    ("base", "name", "meant"),
    [
        (ElementsWorker, "proces_element", "process_element"),
        (ElementsWorker, "process_elment", "process_element"),
        (ElementsWorker, "processElement", "process_element"),
        (ElementsWorker, "proces_elements", "process_elements"),
        (ElementsWorker, "finsh", "finish"),
        (DatasetWorker, "process_sets", "process_set"),
        (Worker, "set_up", "setup"),
        (Worker, "setUp", "setup"),
        (Worker, "stup", "setup"),
        (Worker, "tear_down", "teardown"),
        (Worker, "teardwon", "teardown"),
    ],
)
def test_misspelt_hook(base: Any, name: str, meant: str) -> None:
    """It would never be called, either: refused, with the name that is meant."""
    with pytest.raises(DeclarationError, match=rf"W\.{name} is never called: did you mean {meant}\?"):
        type("W", (base,), {name: lambda *_: None})


@pytest.mark.parametrize(
    ("name", "meant"), [("use_cache", "uses_cache"), ("create", "creates"), ("required", "requires")]
)
def test_misspelt_attribute(name: str, meant: str) -> None:
    """So has an attribute that nobody reads."""
    with pytest.raises(DeclarationError, match=rf"W\.{name} has no effect: did you mean {meant}\?"):
        type("W", (ElementsWorker,), {name: ("text_line",)})


@pytest.mark.parametrize("name", ["step", "process_text", "process_page", "finished", "runs", "_setup", "create"])
def test_methods_of_an_author(name: str) -> None:
    """Names that are not near to a hook are the author's."""
    assert name in vars(type("W", (ElementsWorker,), {name: lambda *_: None}))


def test_helper_beside_the_hook() -> None:
    """Where the hook is there, a similar name is not a misspelling."""
    hooks = {"process_set": lambda *_: None, "process_sets": lambda *_: None}

    assert hooks.items() <= vars(type("W", (DatasetWorker,), hooks)).items()


@pytest.mark.parametrize("size", [0, -1, "16", True, 1.5])
def test_batch_size_that_cannot_be(size: object) -> None:
    """A number of elements."""
    with pytest.raises(DeclarationError, match=r"W\.batch_size should be a whole number from 1"):
        type("W", (ElementsWorker,), {"batch_size": size, "process_elements": lambda *_: None})


def test_batch_size_without_the_hook() -> None:
    """Nobody would take several elements."""
    with pytest.raises(DeclarationError, match="write process_elements"):
        type("W", (ElementsWorker,), {"batch_size": 16, "process_element": lambda *_: None})


def test_requires() -> None:
    """Slugs of element types, or more."""

    class Short(ElementsWorker):
        requires = ("text_line",)

    class Long(ElementsWorker):
        requires = Requires(classes=("cat",))

    assert (Requires.of(Short.requires, ""), Requires.of(Long.requires, "")) == (
        Requires(element_types=("text_line",)),
        Requires(classes=("cat",)),
    )


@pytest.mark.parametrize("wrong", ["text_line", (1,), 3, ("no slug",)])
def test_requires_that_holds_no_names(wrong: object) -> None:
    """As for `creates`."""
    with pytest.raises(DeclarationError, match=r"W\.requires: element_types"):
        type("W", (ElementsWorker,), {"requires": wrong})


class Plain(BaseModel):
    model_config = ConfigDict(frozen=True)

    size: int = 1


class Changing(BaseModel):
    size: int = 1


class Reading(BaseSettings):
    size: int = 1


def test_frozen_model_of_pydantic_is_a_configuration() -> None:
    """An author may have one already."""

    class Ours(Worker[Plain]):
        def run(self, context: Any, cache: Any) -> None: ...

    assert Ours.configuration is Plain


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Changing, "Changing cannot be the configuration: a configuration must stay frozen"),
        (Reading, "Reading cannot be the configuration: it reads the environment by itself"),
    ],
)
def test_other_models_are_refused_with_the_reason(model: Any, reason: str) -> None:
    """What could be changed, and what reads past the sources of the worker."""
    with pytest.raises(DeclarationError, match=reason):
        types.new_class("Ours", (Worker[model],))


def test_arguments_keep_what_they_are() -> None:
    """What would silently become a plain dict is refused, in any model."""

    class Counting(BaseModel):
        model_config = ConfigDict(frozen=True)

        seen: collections.Counter[str] = Field(default_factory=collections.Counter)

    with pytest.raises(DeclarationError, match="arguments: seen: a Counter is mutable"):
        types.new_class("W", (Worker[Mine],), {}, lambda namespace: namespace.update(arguments=Counting))
