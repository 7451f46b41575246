"""Every field of the worker run and of its configuration, changed in every way.

What the runner needs is checked where it arrives: one line that names operation and field, and 78. All else is
tolerated. Whatever comes: no traceback, no control character, no wait.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from arkindex_stub import CONFIGURATION_PATH, RUN_ID, RUN_PATH, worker_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Result

WORKER = """
from arkworker import UserConfiguration, Worker

class C(UserConfiguration):
    threshold: float = 0.5
    names: list[str] = []

class W(Worker[C]):
    def run(self, context, cache): ...
"""

ABSENT = object()


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


VALUES: dict[str, Any] = {
    "absent": ABSENT,
    "null": None,
    "true": True,
    "zero": 0,
    "huge": 10**30,
    "float": 1.5,
    "empty": "",
    "text": "x",
    "long": "x" * 100_000,
    "control": "a\x1b[31m\r\nb",
    "surrogate": "\ud800",
    "path": "../../etc/passwd",
    "list": [],
    "object": {},
    "many": [1] * 10_000,
    "nested 60 deep": nested(60),
}

RUN = worker_run(
    summary="a run",
    configuration={"id": "c", "name": "saved", "configuration": {"threshold": 0.7}, "archived": False},
    model_version={"id": "v", "name": "1", "configuration": {"names": ["a"]}, "model": {"id": "m", "name": "model"}},
)
RUN["worker_version"]["configuration"] = {
    "docker": {},
    "configuration": {"threshold": 0.2},
    "user_configuration": {"names": {"type": "list", "default": ["b"]}},
    "secrets": [],
}
MODERN = {"configuration": [{"key": "threshold", "value": 0.7, "secret": False}]}

#: Where text is an id, a mode or a key, any text that is not empty and not endless will do.
TEXTS = {("process", "id"), ("process", "mode"), ("process", "corpus")}
OBJECTS = {("process",), ("worker_version",), ("worker_version", "worker")}


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths_of(item, (*path, key))


def changed(payload: Any, path: tuple[Any, ...], value: Any) -> Any:
    payload = copy.deepcopy(payload)
    target = payload
    for key in path[:-1]:
        target = target[key]
    if value is ABSENT:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return payload


@pytest.fixture
def explain(
    command: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, write_worker: Callable[[str], str]
) -> Callable[[Any, Any], Result]:
    """Explains a run with the given answers, which the client has read already."""
    answers: dict[str, Any] = {}

    def request(_client: object, operation: str, **_: object) -> Any:
        if answers[operation] is None:
            from arkworker.errors import ApiResponseError

            raise ApiResponseError(operation, "not modern", status=400)
        return answers[operation]

    monkeypatch.setattr("arkworker.arkindex.client.client.Client.request", request)
    target = write_worker(WORKER)
    environment = {"ARKINDEX_API_URL": "http://127.0.0.1:9/", "ARKINDEX_WORKER_RUN_ID": RUN_ID}

    def run(worker_run: Any, configuration: Any) -> Result:
        answers.update(RetrieveWorkerRun=worker_run, RetrieveWorkerRunConfiguration=configuration)
        result = command("explain", target, "--json", **environment)
        assert_is_sound(result)
        if "\\" in result.out:  # there is an escape
            shown = command("explain", target, **environment)
            assert_is_sound(shown)
            assert shown.code == result.code
        return result

    return run


def assert_is_sound(result: Result) -> None:
    """No traceback, no mistake of ours, nothing that a terminal obeys."""
    text = result.out + result.err
    assert "Traceback" not in text
    assert "a mistake in arkworker" not in text
    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize("path", list(paths_of(RUN)), ids=lambda path: ".".join(map(str, path)))
def test_worker_run(path: tuple[Any, ...], explain: Callable[[Any, Any], Result]) -> None:
    """The parts that the runner needs must be there, the others need not."""
    wrong = {}
    for number, (name, value) in enumerate(VALUES.items()):
        modern = number % 2 == len(path) % 2
        result = explain(changed(RUN, path, value), MODERN if modern else None)
        expected = expected_code(path, name, value, modern=modern)
        if expected is not None and result.code != expected:
            wrong[name] = (result.code, result.out)
        if result.code == 78 and not all(problem["location"] for problem in result.data["problems"]):
            wrong[name] = (result.code, result.out)

    assert wrong == {}


def is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255 and value != VALUES["surrogate"]


def expected_code(path: tuple[Any, ...], name: str, value: Any, *, modern: bool) -> int | None:
    """78 or 0; None where both are sound."""
    if name == "nested 60 deep":
        return 78
    if path in TEXTS:
        return 0 if is_text(value) else 78
    if path in OBJECTS:
        return 0 if path == ("worker_version", "worker") and isinstance(value, dict) else 78
    is_legacy = path[0] == "configuration" or path[:2] == ("worker_version", "configuration")
    if path[0] in ("process", "id", "parents", "summary") or path == ("worker_version", "id") or (is_legacy and modern):
        return 0
    return None


@pytest.mark.parametrize("path", list(paths_of(MODERN)), ids=lambda path: ".".join(map(str, path)))
def test_modern_configuration(path: tuple[Any, ...], explain: Callable[[Any, Any], Result]) -> None:
    """A list of keys, values and marks of secrets; nothing else."""
    wrong = {}
    for name, value in VALUES.items():
        result = explain(RUN, changed(MODERN, path, value))
        if result.code != expected_of_item(path, name, value):
            wrong[name] = (result.code, result.out)

    assert wrong == {}


def expected_of_item(path: tuple[Any, ...], name: str, value: Any) -> int:
    if name == "nested 60 deep":
        return 78
    if path == ("configuration",):
        return 0 if value == [] else 78
    if path[-1] == "key":
        # A key that the worker does not know is a warning: the platform sent it.
        return 0 if is_text(value) else 78
    if path[-1] == "value":
        # Null is an absent value for an option that does not accept it.
        return 0 if value is None or type(value) in (int, float) else 78
    if path == ("configuration", 0) and value is ABSENT:
        return 0
    return 78  # an item, or the mark: a secret on Arkindex that is none in code is a problem, too


def test_whole_answers(explain: Callable[[Any, Any], Result]) -> None:
    """An answer of another type is refused, whichever it is."""
    values = [value for value in VALUES.values() if value is not ABSENT and value is not None]

    of_run = {explain(value, MODERN).code for value in [*values, None]}
    of_configuration = {explain(RUN, value).code for value in values}

    assert (of_run, of_configuration) == ({78}, {78})


def test_problem_names_operation_and_field(explain: Callable[[Any, Any], Result]) -> None:
    """In the words of the platform."""
    result = explain(changed(RUN, ("process", "corpus"), 3), changed(MODERN, ("configuration", 0, "key"), None))

    assert [(problem["path"], problem["location"], problem["source"]) for problem in result.data["problems"]] == [
        ("process.corpus", "RetrieveWorkerRun process.corpus", "worker run"),
        ("configuration.0.key", "RetrieveWorkerRunConfiguration configuration.0.key", "worker run"),
    ]


def test_unknown_choices_are_tolerated(explain: Callable[[Any, Any], Result]) -> None:
    """A mode that does not exist yet is not a mistake for a worker that does not look at it."""
    assert explain(changed(RUN, ("process", "mode"), "telepathy"), MODERN).code == 0


def test_new_fields_are_kept(explain: Callable[[Any, Any], Result]) -> None:
    """Attributes that the server adds are shown."""
    result = explain(changed(RUN, ("process", "priority"), 3), MODERN)

    assert result.data["context"]["process"]["priority"] == 3


def test_log_of_a_run(command: Callable[..., Result], write_worker: Callable[[str], str], arkindex: Any) -> None:
    """Whatever text the platform has, a terminal does not obey it."""
    hostile = RUN
    for path in paths_of(RUN):
        if path in TEXTS or path[-1] in {"name", "slug"}:
            hostile = changed(hostile, path, VALUES["control"])
    arkindex.answers[RUN_PATH] = (200, hostile)
    arkindex.answers[CONFIGURATION_PATH] = (200, MODERN)

    result = command("run", write_worker(WORKER), **arkindex.environment)

    assert_is_sound(result)
    assert (result.code, "of the worker a\\x1b[31m" in result.err) == (0, True)


def test_real_answers(command: Callable[..., Result], write_worker: Callable[[str], str], arkindex: Any) -> None:
    """The same over HTTP, for one of each."""
    arkindex.answers[RUN_PATH] = (200, json.dumps(changed(RUN, ("process",), None)).encode())
    arkindex.answers[CONFIGURATION_PATH] = (200, MODERN)

    result = command("run", write_worker(WORKER), "--json", **arkindex.environment)

    assert (result.code, [problem["location"] for problem in result.data["problems"]]) == (
        78,
        ["RetrieveWorkerRun process"],
    )
