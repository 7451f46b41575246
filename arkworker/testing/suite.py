"""The tests that every worker should pass, for a test module to have in one line."""

from __future__ import annotations

import importlib
import os
import signal
import threading
import uuid
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from arkworker.cli.problems import as_text
from arkworker.errors import ConfigurationError
from arkworker.options.options import alternatives, is_secret_type
from arkworker.options.secret import Secret, content_type
from arkworker.runtime.target import as_worker
from arkworker.runtime.worker import options_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from arkworker.options.options import Option
    from arkworker.runtime.worker import Worker
    from arkworker.settings.catalogue import WorkerOptions
    from arkworker.testing.contexts import MakeContext
    from arkworker.testing.invocation import Invocation, Invoke

_CANARY = "canary-that-nobody-may-see"
_SHORTEST = 4  # characters of a content that cannot be among other text by chance
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_FOLDER = "arkindex"


@dataclass(frozen=True)
class Subject:
    """What is tested.

    Attributes:
        target: The worker class or function.
        config: Values for its options.
        declaration: Its declaration file.
    """

    target: Any
    config: Mapping[str, Any] = field(default_factory=dict)
    declaration: Path | str | None = None

    @property
    def worker(self) -> Worker[Any]:
        return as_worker(self.target, self.name)

    @property
    def name(self) -> str:
        return str(getattr(self.target, "__name__", type(self.target).__name__))

    @property
    def options(self) -> WorkerOptions:
        return options_of(self.worker, self.name)

    @property
    def secrets(self) -> list[Option]:
        """The options whose value is one secret."""
        options = self.options.options.values()
        return [option for option in options if _secret_of(option) is not None]


def standard_tests(
    worker: Any, *, config: Mapping[str, Any] | None = None, declaration: Path | str | None = None
) -> type[StandardTests]:
    """A class with the standard tests of a worker, to be given a name that pytest collects: `TestWorker = …`.

    Args:
        worker: A worker class, or a function.
        config: Values for options without a default, and the contents of secrets.
        declaration: Its declaration file, from the root of the tests. By default the only one of the folder `arkindex`
            there, or the one with the name of the worker.
    """
    subject = Subject(worker, config or {}, declaration)
    return type(f"TestsOf{subject.name}", (StandardTests,), {"subject": subject, "__module__": __name__})


class StandardTests:
    """Made by `standard_tests`."""

    subject: ClassVar[Subject]

    def test_the_schema_is_valid(self, arkworker_invoke: Invoke) -> None:
        """The configuration has a valid JSON Schema."""
        done = _succeed(arkworker_invoke("schema", self.subject.target))
        if done.data.get("$schema") != _DIALECT:
            pytest.fail(f"the schema names no dialect: {_DIALECT}")
        try:
            jsonschema = importlib.import_module("jsonschema")
        except ModuleNotFoundError:
            return  # it can be read, at least
        jsonschema.Draft202012Validator.check_schema(done.data)

    def test_the_declaration_is_in_step(self, arkworker_invoke: Invoke, request: pytest.FixtureRequest) -> None:
        """The declaration file says what the code says, where there is one."""
        path = _declaration(self.subject, request.config.rootpath)
        if path is None:
            pytest.skip(f"no declaration file in the folder {_FOLDER}")
        done = arkworker_invoke("schema", self.subject.target, "--format", "arkindex", "--check", path)
        if done.code:
            pytest.fail(f"write it with: arkworker schema TARGET --output {path}\n{done.out}{done.err}", pytrace=False)

    def test_the_defaults_validate(self, arkworker_make_context: MakeContext) -> None:
        """The worker has a context with its defaults, and with what was given for options without one."""
        try:
            context = arkworker_make_context(self.subject.target, self.subject.config)
        except ConfigurationError as error:
            text = as_text(error.problems, self.subject.name)
            pytest.fail(f"{text}\ngive values with standard_tests(…, config={{…}})", pytrace=False)
        if hash(context.config) != hash(arkworker_make_context(self.subject.target, self.subject.config).config):
            pytest.fail("two configurations with the same values differ")

    def test_the_help_names_every_option(self, arkworker_invoke: Invoke) -> None:
        """`--help` works, and names all options."""
        done = _succeed(arkworker_invoke("run", self.subject.target, "--help"))
        missing = [option.flag for option in self.subject.options.options.values() if option.flag not in done.out]
        if missing:
            pytest.fail(f"the help does not name {', '.join(missing)}")

    def test_no_secret_is_shown(self, arkworker_invoke: Invoke, arkworker_make_context: MakeContext) -> None:
        """What is printed, logged or shown of a run holds no content of a secret."""
        config = _with_canaries(self.subject)
        for words in (["check", self.subject.target, "-v"], ["explain", self.subject.target, "--all"]):
            _refuse_contents(config, self.subject, _succeed(arkworker_invoke(*words, config=config)))
        context = arkworker_make_context(self.subject.target, config)
        _refuse_in(f"{context!r} {context.config} {context.config!r}", config, self.subject, "the context")

    def test_no_refused_secret_is_shown(self, arkworker_invoke: Invoke) -> None:
        """No message shows a content that the option refuses, either."""
        config: dict[str, Any] = deepcopy(dict(self.subject.config))
        for option in self.subject.secrets:
            _set(config, option.keys, _CANARY)
        if self.subject.secrets:
            _refuse_contents(config, self.subject, arkworker_invoke("check", self.subject.target, "-v", config=config))

    def test_a_stop_is_honoured(self, arkworker_invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
        """A SIGTERM at the beginning of `setup` ends the run with 143, and `teardown` copes with what is not there."""
        if threading.current_thread() is not threading.main_thread():
            pytest.skip("signals arrive only in the main thread")

        def setup(_worker: object, _context: object) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

        monkeypatch.setattr(type(self.subject.worker), "setup", setup)
        work, environ = _something_to_do(self.subject.options)
        done = arkworker_invoke(
            "run", self.subject.target, *work, config=self.subject.config, environ=environ, files={"image.png": ""}
        )
        if done.code != 128 + signal.SIGTERM:
            pytest.fail(f"the exit code is {done.code}, not {128 + signal.SIGTERM}\n{done.err}", pytrace=False)
        if "teardown failed" in done.err:
            pytest.fail(f"teardown needs what setup had not made yet\n{done.err}", pytrace=False)


def _something_to_do(options: WorkerOptions) -> tuple[tuple[str, ...], dict[str, str]]:
    """Flags and variables that name what is never looked at: without anything to do, `setup` is not called."""
    if options.processes_sets:
        return ("--set", f"{uuid.UUID(int=0)}:train"), {"ARKINDEX_API_URL": "http://127.0.0.1:9"}
    return ("--image", "image.png") if options.processes_elements else (), {}


def _succeed(done: Invocation) -> Invocation:
    if done.code:
        pytest.fail(f"exit code {done.code}\n{done.out}{done.err}", pytrace=False)
    return done


def _declaration(subject: Subject, root: Path) -> Path | None:
    if subject.declaration is not None:
        return root / subject.declaration
    files = sorted(path for path in (root / _FOLDER).glob("*") if path.suffix in (".yml", ".yaml"))
    if len(files) == 1:
        return files[0]
    plain = subject.name.replace("_", "").lower()
    return next((path for path in files if path.stem.replace("-", "").replace("_", "").lower() == plain), None)


def _secret_of(option: Option) -> Any:
    """The secret type of an option; None where it has none, or several in a list."""
    return next((member for member in alternatives(option.annotation) if is_secret_type(member)), None)


def _with_canaries(subject: Subject) -> dict[str, Any]:
    """The values that are given, and a content for each secret of plain text that has none."""
    config: dict[str, Any] = deepcopy(dict(subject.config))
    for option in subject.secrets:
        if _get(config, option.keys) is None and content_type(_secret_of(option)) is str:
            _set(config, option.keys, _CANARY)
    return config


def _refuse_contents(config: Mapping[str, Any], subject: Subject, done: Invocation) -> None:
    _refuse_in(f"{done.out}\n{done.err}", config, subject, "the output")


def _refuse_in(text: str, config: Mapping[str, Any], subject: Subject, place: str) -> None:
    for option in subject.secrets:
        if any(content in text for content in _texts(_get(config, option.keys)) if len(content) >= _SHORTEST):
            pytest.fail(f"{place} shows the content of the secret {option.name}", pytrace=False)


def _texts(content: Any) -> Iterator[str]:
    """All texts in a content."""
    if isinstance(content, Secret):
        yield from _texts(content.get_secret_value())
    elif isinstance(content, dict):
        for value in content.values():
            yield from _texts(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _texts(value)
    elif isinstance(content, str):
        yield content


def _get(config: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        config = config.get(key) if isinstance(config, dict) else None
    return config


def _set(config: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        config = config.setdefault(key, {})
    config[keys[-1]] = value
