"""What an old hand writes is answered with what to write instead."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import pytest

from arkworker import UserConfiguration, Worker
from arkworker.errors import DeclarationError
from arkworker.frozen import freeze
from arkworker.runtime.migration import GONE_FROM_WORKERS


class Mine(UserConfiguration):
    threshold: float = 0.5


class Plain(Worker):
    """Has nothing of its own."""


@pytest.mark.parametrize("name", GONE_FROM_WORKERS)
def test_old_name_on_a_worker(name: str) -> None:
    """The error says what to use."""
    with pytest.raises(AttributeError, match=re.escape(f"self.{name} is gone: {GONE_FROM_WORKERS[name]}")):
        getattr(Plain(), name)
    assert not hasattr(Plain(), name)


@pytest.mark.parametrize("name", ["corpus_id", "list_elements", "model_dir", "publish", "secrets", "task_parents"])
def test_name_that_is_on_the_context(name: str) -> None:
    """Data of a run, and what it can be asked for: methods, properties and fields."""
    with pytest.raises(AttributeError, match=re.escape(f"self.{name} is on the context: use context.{name}")):
        getattr(Plain(), name)


@pytest.mark.parametrize(
    ("method", "hint"),
    [
        ("def configure(self): super().configure(); self.threshold = 1", "move what it loads to setup(context)"),
        ("def add_arguments(self): self.parser.add_argument('--x')", "declare extra flags with the attribute"),
        ("def cleanup(self): super().cleanup()", "move what it does to teardown(context)"),
    ],
)
def test_hook_of_the_published_library(method: str, hint: str) -> None:
    """It would never be called, and what it loads be missed in the middle of a run."""
    name = method[4:].partition("(")[0]

    with pytest.raises(DeclarationError, match=re.escape(f"Old.{name} is never called: {hint}")):
        exec(f"class Old(Worker):\n    {method}", {"Worker": Worker})


def test_method_that_has_the_name_of_a_former_hook() -> None:
    """An author may call a method `configure`, and have it call that of a class of theirs."""

    class Base(Worker):
        def configure(self) -> str:
            return "base"

    class Derived(Base):
        def configure(self) -> str:
            return f"derived from {super().configure()}"

    assert Derived().configure() == "derived from base"


def test_method_that_calls_another_of_its_name() -> None:
    """Of something that the worker has, such as a pool."""

    class Mine(Worker):
        pool: Any

        def cleanup(self) -> None:
            self.pool.cleanup()

    assert callable(Mine().cleanup)


def test_other_names_on_a_worker() -> None:
    """An ordinary error; copies and pickles work."""
    with pytest.raises(AttributeError, match="'Plain' object has no attribute 'nosuch'"):
        _ = Plain().nosuch  # type: ignore[attr-defined]  # the access is the test

    assert isinstance(pickle.loads(pickle.dumps(copy.deepcopy(Plain()))), Plain)


@pytest.mark.parametrize("name", ["size", "model_dir", "api_client"])
def test_property_in_which_an_attribute_is_missing(name: str) -> None:
    """Its error names what is missing, not the property, whose name may be one of the context or an old one."""

    def read(self: Worker) -> Any:
        return self.nosuch  # type: ignore[attr-defined]  # the access is the test

    with pytest.raises(AttributeError, match="object has no attribute 'nosuch'"):
        getattr(type("Own", (Plain,), {name: property(read)})(), name)


def test_items_of_a_typed_configuration() -> None:
    """They are attributes."""
    config: Any = Mine()

    with pytest.raises(TypeError, match=r"options of Mine are attributes: write config\.threshold"):
        config["threshold"]


@pytest.mark.parametrize("name", ["get", "items", "keys", "values"])
def test_methods_of_a_mapping(name: str) -> None:
    """A typed configuration has none, unless they are options of the author."""
    with pytest.raises(AttributeError, match="its options are attributes"):
        getattr(Mine(), name)


def test_option_that_is_named_like_a_method() -> None:
    """It is an option."""

    class Own(UserConfiguration):
        items: int = 3

    assert Own().items == 3


def test_attributes_of_a_free_configuration() -> None:
    """They are items."""
    config: Any = freeze({"threshold": 1})

    with pytest.raises(AttributeError, match=r"write \['threshold'\]"):
        _ = config.threshold
    assert pickle.loads(pickle.dumps(copy.deepcopy(config))) == config
