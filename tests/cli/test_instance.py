"""The vast.ai instance is stopped however the process ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from arkworker.cli.instance import _instance_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from arkindex_stub import Stub

    from tests.cli.conftest import Result

PATH = "/api/v0/instances/7"
WORKER = """
from arkworker import Worker

class W(Worker):
    def run(self, context, cache): ...

class V(Worker):
    def run(self, context, cache):
        raise ValueError
"""


@pytest.fixture
def instance(arkindex: Stub) -> dict[str, str]:
    """What vast.ai sets in an instance."""
    arkindex.answers[PATH] = (200, {})
    return {
        "TASK_BOOTSTRAP": "1",
        "CONTAINER_ID": "7",
        "CONTAINER_API_KEY": "key",
        "VAST_URL": arkindex.url.partition("/api/")[0],
    }


def stops(arkindex: Stub) -> int:
    return arkindex.requests.count(PATH)


@pytest.mark.parametrize(
    ("target", "flags", "code"),
    [
        ("w.py:W", ["--dev"], 78),  # for bootstrap asks for a task
        ("w.py:W", ["--nosuch"], 2),
        ("w.py:X", [], 2),
        ("nosuch.py:W", [], 2),
        ("w.py:W", ["--config.x", "1", "--dev"], 78),
        ("", [], 2),
    ],
)
def test_it_is_stopped(
    target: str,
    flags: list[str],
    code: int,
    instance: dict[str, str],
    arkindex: Stub,
    command: Callable[..., Result],
    tmp_path: Path,
) -> None:
    """Also where nothing of the run was begun: it costs money."""
    (tmp_path / "w.py").write_text(WORKER)

    result = command("run", *filter(None, [target]), *flags, **instance)

    assert (result.code, stops(arkindex)) == (code, 1), result.err


def test_it_is_stopped_although_other_variables_are_wrong(
    instance: dict[str, str], arkindex: Stub, command: Callable[..., Result], write_worker: Callable[[str], str]
) -> None:
    """It goes by its own alone."""
    result = command("run", write_worker(WORKER), **instance, ARKINDEX_API_VERIFY="perhaps")

    assert (result.code, stops(arkindex)) == (78, 1)


def test_variables_of_an_env_file(
    instance: dict[str, str], arkindex: Stub, command: Callable[..., Result], tmp_path: Path
) -> None:
    """It may say of the instance, too."""
    (tmp_path / "my.env").write_text("".join(f"{name}={value}\n" for name, value in instance.items()))

    result = command("run", "nosuch.py:W", "--env-file", "my.env")

    assert (result.code, stops(arkindex)) == (2, 1)


@pytest.mark.parametrize("verb", ["check", "explain", "schema"])
def test_other_verbs_stop_nothing(
    verb: str, instance: dict[str, str], arkindex: Stub, command: Callable[..., Result]
) -> None:
    """A person looks at something."""
    command(verb, "nosuch.py:W", **instance)

    assert stops(arkindex) == 0


def test_it_is_left_alone_without_bootstrap(
    instance: dict[str, str], arkindex: Stub, command: Callable[..., Result], write_worker: Callable[[str], str]
) -> None:
    """The variable says whose instance it is."""
    result = command("run", write_worker(WORKER), "--dev", **instance | {"TASK_BOOTSTRAP": "no"})

    assert (result.code, stops(arkindex)) == (0, 0)


def test_variables_that_are_wrong_themselves(
    instance: dict[str, str], arkindex: Stub, command: Callable[..., Result], write_worker: Callable[[str], str]
) -> None:
    """It is told that the instance goes on."""
    result = command("run", write_worker(WORKER), **instance | {"VAST_URL": "nowhere"})

    assert (result.code, stops(arkindex), "The instance is not stopped" in result.err) == (78, 0, True)


def test_token_of_the_instance_is_the_one_that_was_given() -> None:
    """Not the stars that stand for it elsewhere."""
    environ = {"TASK_BOOTSTRAP": "1", "CONTAINER_ID": "7", "CONTAINER_API_KEY": "k3y", "ARKINDEX_CORPUS_ID": "/wrong"}

    settings = _instance_settings([], environ)

    assert settings is not None
    assert settings.container_api_key is not None
    assert (settings.container_id, settings.container_api_key.get_secret_value()) == ("7", "k3y")
