"""The fixture `make_context`: the context that a worker would get, with nothing around it but a folder; elements."""

from __future__ import annotations

import dataclasses
import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, overload

import pytest

from arkworker.arkindex.reading.sessions import Sessions
from arkworker.cli.parser import Parser
from arkworker.documents.text_file import TextFile
from arkworker.frozen import freeze
from arkworker.options.secret import Secret
from arkworker.runtime.preparation import Preparation
from arkworker.runtime.services import Services
from arkworker.runtime.target import as_worker
from arkworker.runtime.worker import Worker, options_of
from arkworker.settings.resolution import Inputs
from arkworker.testing.values import FileValues

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session

    from arkworker.elements.model import Element
    from arkworker.runtime.context import WorkerContext
    from arkworker.testing.expectations import Arkindex

C = TypeVar("C")

#: Where the values of a test come from, in reports.
PLACE = "make_context"


class MakeContext:
    """Makes contexts as a run in developer mode has them, with no variable but its own; the fixture makes it."""

    def __init__(self, folder: Path, arkindex: Arkindex | None) -> None:
        self._folder = folder
        self._arkindex = arkindex

    @overload
    def __call__(
        self,
        worker: type[Worker[C]] | Worker[C],
        config: Mapping[str, Any] | None = None,
        *,
        argv: Sequence[str] = (),
        secrets: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> WorkerContext[C]: ...

    @overload
    def __call__(
        self,
        worker: Callable[[WorkerContext[C], Any], Any],
        config: Mapping[str, Any] | None = None,
        *,
        argv: Sequence[str] = (),
        secrets: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> WorkerContext[C]: ...

    def __call__(
        self,
        worker: Any,
        config: Mapping[str, Any] | None = None,
        *,
        argv: Sequence[str] = (),
        secrets: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> WorkerContext[Any]:
        """Make the context of a worker.

        Args:
            worker: A worker class, a worker, or a function.
            config: Values of its options by their names, groups as mappings; the content of a secret, not a reference.
            argv: Flags, as for the verb `run`, including those that the worker declares itself.
            secrets: Contents of secrets by name, for `context.secrets` and `context.load_secret`.
            fields: Attributes of the context as they should be: `corpus_id`, `worker_run_id`, `task_id`, …; with a
                worker run, it is not read-only unless you say so.

        Raises:
            ConfigurationError: Values are wrong; the message names all of them.
            UsageError: A flag is wrong.
            TypeError: The context has no such attribute.
        """
        made = as_worker(worker, getattr(worker, "__qualname__", type(worker).__qualname__))
        context = self._prepare(made, config or {}, argv)
        plain = dict(secrets or {})
        hidden = {name: content if isinstance(content, Secret) else Secret(content) for name, content in plain.items()}
        if hidden:
            fields["secrets"] = {**context.secrets, **hidden}
        if self._arkindex is not None:
            fields.setdefault("connection", self._arkindex.connection)
        context = _replace(context, fields)
        # Once more, with services that know of the test.
        services = TestServices(context, self._client(context), hidden)
        return dataclasses.replace(context, built=services)

    def _prepare(self, worker: Worker[Any], config: Mapping[str, Any], argv: Sequence[str]) -> WorkerContext[Any]:
        options = options_of(worker, type(worker).__name__)
        given = FileValues.of(options, config)
        flags = ["--dev", "--config", PLACE, *argv] if config else ["--dev", *argv]
        inputs = Inputs(
            Parser(PLACE, options, flags).parse(flags),
            {**isolation(self._folder), **given.environ},
            lambda _name: TextFile(PLACE, given.text),
        )
        return Preparation(options, inputs, uses_cache=worker.uses_cache).prepare()

    def _client(self, context: WorkerContext[Any]) -> Any:
        if self._arkindex is None:
            return NoArkindex()
        from arkworker.arkindex.client import Client

        return Client(context.connection, read_only=context.is_read_only)


class NoArkindex:
    """Stands where the client is, in a test without Arkindex: says what to do when it is touched."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        pytest.fail(f"context.api.{name} is used: ask for the fixture `arkindex`, and say what it should expect")


class TestServices(Services):
    """Services of a test: the secrets that it gives go before those that can be loaded."""

    __test__ = False  # no class of tests

    def __init__(self, context: WorkerContext[Any], client: Any, secrets: Mapping[str, Secret[Any]]) -> None:
        super().__init__(context, client)
        self._secrets = secrets

    def load_secret(self, name: str | os.PathLike[str]) -> Any:
        given = self._secrets.get(os.fspath(name))
        return given.get_secret_value() if given is not None else super().load_secret(name)


def isolation(folder: Path) -> dict[str, str]:
    """Variables that keep a run within a folder: its data, and no local secrets."""
    return {"PONOS_DATA": str(folder / "ponos"), "XDG_CONFIG_HOME": str(folder / "settings")}


def _replace(context: WorkerContext[Any], fields: dict[str, Any]) -> WorkerContext[Any]:
    if fields.get("worker_run_id") is not None:
        fields.setdefault("is_read_only", False)
    if "corpus_id" in fields:
        fields["_corpus_id"] = fields.pop("corpus_id")
    unknown = fields.keys() - {item.name for item in dataclasses.fields(context)}
    if unknown:
        raise TypeError(f"the context has no attribute {', '.join(sorted(unknown))}")
    return dataclasses.replace(context, **{name: freeze(value) for name, value in fields.items()})


def bind_element(element: Element, context: WorkerContext[Any], cache: Session | None = None) -> Element:
    """The element as `process_element` would get it: what belongs to it can be read, and its image opened.

    Args:
        element: One that was made by hand.
        context: As `make_context` makes it.
        cache: The session that is read, as that of the fixture `cache`; without one, and without the fixture
            `arkindex`, there is nothing to read.
    """
    if cache is not None:
        context.services.sessions = Sessions(lambda: nullcontext(cache))
    return context.bind_element(element)
