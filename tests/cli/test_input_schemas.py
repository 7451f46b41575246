"""The generated schemas are sound, and true: they accept what a worker accepts, and nothing else."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from arkindex_stub import worker_run
from jsonschema import Draft202012Validator

from arkworker.arkindex.payload import parse_payload
from arkworker.cli.parser import Parser
from arkworker.cli.schema_files import platform_schemas
from arkworker.documents.text_file import TextFile
from arkworker.errors import ConfigurationError
from arkworker.settings.catalogue import WorkerOptions
from arkworker.settings.platform import platform_fields, variable_of
from arkworker.settings.resolution import Inputs, resolve, validate

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMAS = platform_schemas()
FREE_WORKER = WorkerOptions("worker:W")


def is_valid(name: str, instance: Any) -> bool:
    return Draft202012Validator(SCHEMAS[f"{name}.schema.json"]).is_valid(instance)


def is_accepted(environ: dict[str, str], file: str | None = None) -> bool:
    """Whether a worker without declared options accepts an environment and a file."""
    argv = [] if file is None else ["-c", "worker.yml"]
    flags = Parser("w", FREE_WORKER, argv).parse(argv)
    inputs = Inputs(flags, environ, lambda _: TextFile("worker.yml", file or ""))
    try:
        validate(resolve(FREE_WORKER, inputs))
    except ConfigurationError:
        return False
    return True


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_valid_against_the_meta_schema(name: str) -> None:
    """Each schema is one of JSON Schema 2020-12."""
    Draft202012Validator.check_schema(SCHEMAS[name])

    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"


TEXTS = [
    "", "x", "0", "1", "-1", "1.0", "1.5", "1e3", " 7 ", "false", "FALSE", "yes", "../x", ".hidden", "a.b", "a/b", "ü",
    "x" * 256, "http://localhost:8000", "https://x/api/v1/", "ftp://x", "http://", "https://a b", "HTTP://X",
    "http://user:pw@x", "{}", '{"a": "b"}', "[]", "a\nb", "a\tb", "56785678-5678-5678-5678-567856785678",
]  # fmt: skip
VARIABLES = sorted(filter(None, map(variable_of, platform_fields().values())))
# What JSON Schema cannot say: what is inside a text that is JSON.
BEYOND = {"TASK_PARENTS"}


@pytest.mark.parametrize("variable", [name for name in VARIABLES if name not in BEYOND])
def test_environment_schema_says_what_is_accepted(variable: str) -> None:
    """A value of a variable validates exactly when a worker starts with it."""
    expected = {text: is_accepted({variable: text}) for text in TEXTS}

    assert {text: is_valid("environment", {variable: text}) for text in TEXTS} == expected


def test_environment_schema_describes_every_variable() -> None:
    """Each variable that is read has a meaning."""
    properties = SCHEMAS["environment.schema.json"]["properties"]

    assert {name for name, schema in properties.items() if schema["description"]} == set(VARIABLES)


FILES = [
    "", "a: 1", "a: {b: [1, 2]}", "[]", "1", "text", "- a", "secrets: [a, b]", "secrets: a", "secrets: [{}]",
    "secrets: ['']", "secrets: []", "extras_dir: /x", "extras_dir: ''", "extras_dir: [x]", "extras_dir: {}",
    "configuration: []", "configuration: {}", "configuration: x", "configuration:", "configuration: [1]",
    "configuration: [{key: a, value: 1, secret: false}]", "configuration: [{key: a, value: null, secret: true}]",
    "configuration: [{key: a, value: 1}]", "configuration: [{key: a, value: 1, secret: maybe}]",
    "configuration: [{key: '', value: 1, secret: false}]", "configuration: [{key: a, value: 1, secret: false, x: 1}]",
    "configuration: [{key: [a], value: 1, secret: false}]", "{configuration: [], a: 1}",
    "{configuration: [], secrets: [a], extras_dir: x}", "'': 1", "debug: true",
]  # fmt: skip


@pytest.mark.parametrize("file", FILES)
def test_configuration_file_schema_says_what_is_accepted(file: str) -> None:
    """A file validates exactly when a worker accepts it."""
    assert is_valid("configuration-file", yaml.safe_load(file)) == is_accepted({}, file)


LEGACY = worker_run(
    worker_version={
        "id": "1",
        "worker": {"id": "w"},
        "configuration": {
            "configuration": {"a": 1},
            "user_configuration": {"s": {"type": "string", "title": "T", "default": "x"}},
            "secrets": ["x"],
        },
    },
    configuration={"id": "c", "name": "c", "configuration": {"a": 2}},
    model_version={"id": "mv", "model": {"id": "m"}, "configuration": {"a": 3}},
)
MODERN = {"configuration": [{"key": "a", "value": 5, "secret": False}, {"key": "g.b", "value": None, "secret": False}]}
WRONG: list[Any] = [None, True, 5, 1.5, "x", "", [], {}, ["x"], [""], {"k": "v"}, {"k": {}}, [[]], "x" * 300]


def mutations(data: Any) -> Iterator[Any]:
    """The data with each part replaced by each wrong value, and removed."""
    for path in paths(data):
        yield from (changed(data, path, value) for value in WRONG)
        if path:
            yield changed(data, path, None, remove=True)


def paths(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from paths(value, (*path, key))


def changed(data: Any, path: tuple[Any, ...], value: Any, *, remove: bool = False) -> Any:
    if not path:
        return value
    data = copy.deepcopy(data)
    target = data
    for key in path[:-1]:
        target = target[key]
    if remove:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return data


def is_parsed(run: Any, configuration: Any) -> bool:
    try:
        parse_payload(run, configuration)
    except ConfigurationError:
        return False
    return True


def test_legacy_worker_run_schema_says_what_is_accepted() -> None:
    """A mutated worker run validates exactly when it is accepted without a modern configuration."""
    wrong = [run for run in mutations(LEGACY) if is_valid("worker-run-legacy", run) != is_parsed(run, None)]

    assert wrong == []


def test_worker_run_schema_says_what_is_accepted() -> None:
    """A mutated worker run validates exactly when it is accepted beside a modern configuration."""
    wrong = [run for run in mutations(LEGACY) if is_valid("worker-run", run) != is_parsed(run, MODERN)]

    assert wrong == []


def test_modern_configuration_schema_says_what_is_accepted() -> None:
    """A mutated modern configuration validates exactly when it is accepted."""
    answers = [answer for answer in mutations(MODERN) if answer is not None]

    wrong = [answer for answer in answers if is_valid("modern-configuration", answer) != is_parsed(LEGACY, answer)]

    assert wrong == []
