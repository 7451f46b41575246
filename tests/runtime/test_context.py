"""The context: frozen to the bottom, hashable, comparable, picklable to another process."""

from __future__ import annotations

import copy
import dataclasses
import multiprocessing
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import Field

from arkworker import UserConfiguration, WorkerContext
from arkworker.arkindex.client import Connection
from arkworker.arkindex.payload import Process
from arkworker.errors import ArkworkerError, ConfigurationError
from arkworker.frozen import FrozenDict, FrozenList, freeze
from arkworker.options.secret import Secret
from arkworker.runtime.migration import GONE

if TYPE_CHECKING:
    from collections.abc import Callable


class Inner(UserConfiguration):
    names: list[str] = Field(["a"])


class Mine(UserConfiguration):
    threshold: float = 0.5
    labels: dict[str, list[int]] = Field({"x": [1]})
    inner: Inner = Inner()
    token: Secret[str] = Secret("canary")


CONTEXT = WorkerContext(
    config=Mine(),
    arguments=None,
    secrets=FrozenDict({"token": Secret("canary")}),
    is_read_only=True,
    worker_run_id="run",
    task_id="task",
    task_chunk=None,
    task_data_dir=Path("/data"),
    work_dir=Path("/data/current"),
    process=Process.model_validate({"id": "p", "mode": "workers", "corpus": "c", "extra": {"deep": [1, {"a": 2}]}}),
    worker_details=freeze({"id": "w", "tags": ["a"]}),
    model_version_id=None,
    model_details=FrozenDict({"id": None}),
    model_configuration=FrozenDict(),
    use_cache=False,
    cache_path=None,
    connection=Connection(url="http://127.0.0.1:9/", token="canary"),
    secrets_dir=Path("/secrets"),
    model_dir=None,
    extras_dir=None,
    _corpus_id="c",
)


def changed(**fields: Any) -> WorkerContext[Mine]:
    return dataclasses.replace(CONTEXT, **fields)


def changes() -> dict[str, Callable[[], object]]:
    """Attempts to change a context, at every depth."""
    return {
        "field": lambda: setattr(CONTEXT, "config", None),
        "new field": lambda: setattr(CONTEXT, "note", 1),
        "deletion": lambda: delattr(CONTEXT, "config"),
        "option": lambda: setattr(CONTEXT.config, "threshold", 1),
        "list in a group": lambda: CONTEXT.config.inner.names.append("b"),
        "list in a dict": lambda: CONTEXT.config.labels["x"].append(2),
        "dict": lambda: CONTEXT.config.labels.update(y=[]),
        "secrets": lambda: CONTEXT.secrets.pop("token"),
        "process": lambda: setattr(CONTEXT.process, "id", "q"),
        "what the server added": lambda: CONTEXT.process.extra["deep"].append(3),  # type: ignore[union-attr]
        "deep in what the server added": lambda: CONTEXT.process.extra["deep"][1].update(a=3),  # type: ignore[union-attr]
        "worker": lambda: CONTEXT.worker_details["tags"].append("b"),
        "connection": lambda: setattr(CONTEXT.connection, "token", None),
        "origins": lambda: CONTEXT.origins.update(x=1),  # type: ignore[attr-defined]
    }


@pytest.mark.parametrize("name", changes())
def test_nothing_can_be_changed(name: str) -> None:
    """Neither the context nor what is in it."""
    with pytest.raises((AttributeError, TypeError, ValueError)):
        changes()[name]()


def test_lists_and_dicts_are_still_lists_and_dicts() -> None:
    """So that other code takes them."""
    assert isinstance(CONTEXT.config.inner.names, list)
    assert isinstance(CONTEXT.config.labels, dict)
    assert (CONTEXT.config.inner.names, CONTEXT.config.labels) == (["a"], {"x": [1]})


def test_hash_and_comparison() -> None:
    """Equal contexts hash alike; origins and the client do not count."""
    same = copy.deepcopy(CONTEXT)
    other = changed(task_id="other")
    with_origins = changed(origins=FrozenDict({"config.threshold": 1}))

    assert (same == CONTEXT, hash(same) == hash(CONTEXT)) == (True, True)
    assert (with_origins == CONTEXT, hash(with_origins) == hash(CONTEXT)) == (True, True)
    assert other != CONTEXT
    assert len({CONTEXT, same, other}) == 2


def test_free_configuration_hashes() -> None:
    """Frozen mappings do, whatever they hold."""
    context = changed(config=freeze({"a": [1, {"b": None}], "c": {"d": {1, 2}}}))

    assert hash(context) == hash(copy.deepcopy(context))


def test_pickling() -> None:
    """Data pass, secrets included; the client is made again."""
    client = CONTEXT.api

    copied = pickle.loads(pickle.dumps(CONTEXT))

    assert copied == CONTEXT
    assert copied.config.token.get_secret_value() == "canary"
    assert (copied.api is client, copied.api is copied.api) == (False, True)


def test_another_process() -> None:
    """A spawned process gets the same."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(repr, (CONTEXT,)) == repr(CONTEXT)


WORKER = """
import multiprocessing
from arkworker import UserConfiguration, Worker

class C(UserConfiguration):
    count: int = 3

def twice(context):
    return 2 * context.config.count

class W(Worker[C]):
    def run(self, context, cache):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(pool.apply(twice, (context,)))
"""


def test_another_process_of_a_worker_in_a_file(tmp_path: Path) -> None:
    """Its classes are found there, too."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "in_a_file.py").write_text(WORKER)
    command = [sys.executable, "-m", "arkworker", "run", "folder/in_a_file.py:W"]

    done = subprocess.run(
        command, cwd=tmp_path, env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "6\n")


def test_no_token_in_what_is_printed() -> None:
    """Nor any secret."""
    assert "canary" not in repr(CONTEXT) + str(CONTEXT) + f"{CONTEXT.config}{CONTEXT.secrets}{CONTEXT.connection}"


@pytest.mark.parametrize("name", GONE)
def test_names_that_went(name: str) -> None:
    """The error says what to use."""
    with pytest.raises(AttributeError, match=re.escape(f"context.{name} is gone: {GONE[name]}")):
        getattr(CONTEXT, name)
    assert not hasattr(CONTEXT, name)


def test_name_that_never_was() -> None:
    """An ordinary error."""
    with pytest.raises(AttributeError, match="'WorkerContext' object has no attribute 'tokens'"):
        CONTEXT.tokens  # type: ignore[attr-defined]  # noqa: B018 - the access is the test


def test_corpus() -> None:
    """An error that says what to set, where there is none."""
    assert CONTEXT.corpus_id == "c"
    with pytest.raises(ConfigurationError) as caught:
        changed(_corpus_id=None).corpus_id  # noqa: B018 - the access is the test
    assert str(caught.value) == "corpus_id (ARKINDEX_CORPUS_ID): no corpus is set"


def test_no_task_has_no_parents() -> None:
    """And nobody is asked."""
    context = changed(task_id=None)

    assert (context.task_parents, context.find_parents_file_paths("x")) == (FrozenList(), FrozenList())


def test_parents_are_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """At first use."""
    asked: list[str] = []

    def request(_client: object, operation: str, **parameters: str) -> dict[str, list[str]]:
        asked.append(f"{operation} {parameters}")
        return {"parents": ["a", "b"]}

    monkeypatch.setattr("arkworker.arkindex.client.client.Client.request", request)
    context = changed()

    assert (context.task_parents, context.task_parents) == (["a", "b"], ["a", "b"])
    assert asked == ["RetrieveTask {'id': 'task'}"]


@pytest.mark.parametrize("developer", [True, False])
def test_mode(developer: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Developer mode is the absence of a worker run."""
    context = changed(worker_run_id=None if developer else "run")

    assert context.is_developer_mode is developer


def test_secret_at_the_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`file:` and `env:` need nobody; a name is looked for where it may be."""
    (tmp_path / "token.json").write_text('{"key": "value"}')
    monkeypatch.setenv("SOME_TOKEN", "canary")
    context = changed(connection=Connection(), secrets_dir=tmp_path / "secrets")

    assert context.load_secret(f"file:{tmp_path}/token.json") == {"key": "value"}
    assert context.load_secret("env:SOME_TOKEN") == "canary"
    with pytest.raises(ArkworkerError, match=r"is not in the local secrets directory .*, and Arkindex is not asked"):
        context.load_secret("absent")


def test_extras(tmp_path: Path) -> None:
    """The directory that a person gave, at a desk."""
    context = changed(task_id=None, extras_dir=tmp_path)

    assert context.find_extras_directory() == tmp_path


SIGNED = "https://storage.test/bucket/model?X-Amz-Signature=canary"


def test_no_token_and_no_signature_where_collectors_look() -> None:
    """Neither in `repr` nor in `dataclasses.asdict`; code that wants the address has it."""
    context: WorkerContext[Any] = changed(
        config=freeze({"model": SIGNED, "deep": [{"url": SIGNED}]}),
        secrets=FrozenDict(),
        model_details=freeze({"id": None, "url": SIGNED}),
        process=Process.model_validate({"id": "p", "mode": "workers", "corpus": "c", "url": SIGNED}),
        connection=Connection(url="http://127.0.0.1:9/", token="canary", schema_url=freeze(SIGNED)),
    )

    data = dataclasses.asdict(context)

    assert "canary" not in f"{context!r} {data!r} {context.connection!r} {context.process!r}"
    assert data["connection"]["token"].get_secret_value() == "canary"
    assert (context.config["model"], f"{context.model_details['url']}") == (SIGNED, SIGNED)
    assert pickle.loads(pickle.dumps(context)) == context
