"""Secrets on their way to user code: both editions, older instances, references, an Arkindex that is down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from arkindex_stub import CONFIGURATION_PATH, OPENAPI_PATH, worker_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from arkindex_stub import Stub

    from tests.cli.conftest import Result

WORKER = """
from arkworker import Secret, UserConfiguration, Worker

class Bucket(UserConfiguration):
    key: str

class C(UserConfiguration):
    token: Secret[str] | None = None
    bucket: Secret[Bucket] | None = None
    count: int = 1

class W(Worker[C]):
    def run(self, context, cache):
        config = context.config
        print(config.token and config.token.get_secret_value(), config.bucket and config.bucket.get_secret_value())
        print(dict(context.secrets), {name: secret.get_secret_value() for name, secret in context.secrets.items()})
"""
CHECKS_THE_SECRET = WORKER.replace(
    "class W(",
    """
    from pydantic import model_validator

    @model_validator(mode="after")
    def _check(self):
        assert self.token is None or self.token.get_secret_value().startswith("can"), "wrong kind of token"
        return self

class W(""",
)


def item(key: str, value: Any) -> dict[str, Any]:
    return {"key": key, "value": value, "secret": True}


def serve_secret(arkindex: Stub, name: str, content: Any) -> None:
    arkindex.answers[f"/api/v1/secret/{name}"] = (200, {"id": name, "name": name, "content": content})


@pytest.fixture
def run(command: Callable[..., Result], write_worker: Callable[[str], str]) -> Callable[..., Result]:
    """Runs the worker."""

    def run(*flags: str, source: str = WORKER, verb: str = "run", **environment: str) -> Result:
        result = command(verb, write_worker(source), *flags, **environment)
        assert "Traceback" not in result.err
        assert "canary" not in result.err
        return result

    return run


def test_enterprise(run: Callable[..., Result], arkindex: Stub) -> None:
    """The value is a reference; the content is validated as its type, in `config` and in `secrets`."""
    arkindex.serve_run(worker_run(), [item("token", "1234"), item("bucket", "5678")])
    arkindex.serve_edition(enterprise=True)
    serve_secret(arkindex, "1234", "canary")
    serve_secret(arkindex, "5678", '{"key": "canary"}')

    result = run(**arkindex.environment)

    first, second = result.out.splitlines()
    assert first == "canary key='canary'"
    assert second.startswith("{'token': Secret('**********'), 'bucket': Secret('**********')}")


def test_community(run: Callable[..., Result], arkindex: Stub) -> None:
    """The value is the content."""
    arkindex.serve_run(worker_run(), [item("token", "canary"), item("bucket", '{"key": "canary"}')])
    arkindex.serve_edition(enterprise=False)

    assert run(**arkindex.environment).out.splitlines()[0] == "canary key='canary'"


def test_reference_of_a_person_on_community(run: Callable[..., Result], arkindex: Stub) -> None:
    """What is typed is a reference everywhere; nobody need know the edition for it."""
    arkindex.serve_run(worker_run(), [])

    result = run("--config.token", "env:SOME_TOKEN", SOME_TOKEN="canary", **arkindex.environment)

    assert result.out.startswith("canary None\n")
    assert OPENAPI_PATH not in [path.split("?")[0] for path in arkindex.requests]


def test_secret_that_is_null(run: Callable[..., Result], arkindex: Stub) -> None:
    """An optional secret that nobody set."""
    arkindex.serve_run(worker_run(), [item("token", None)])

    assert run(**arkindex.environment).out.startswith("None None\n")


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(("status", "code"), [(404, 78), (403, 78), (500, 69)])
def test_unknown_edition_is_never_guessed(status: int, code: int, run: Callable[..., Result], arkindex: Stub) -> None:
    """A content would be sent as a name, or a name be taken for a content."""
    arkindex.serve_run(worker_run(), [item("token", "canary")])
    arkindex.answers[OPENAPI_PATH] = (status, {"detail": "no"})

    assert run(**arkindex.environment).code == code


def test_legacy_list(run: Callable[..., Result], arkindex: Stub) -> None:
    """Names that an older declaration lists are loaded at start."""
    old = worker_run()
    old["worker_version"]["configuration"] = {"secrets": ["a/token", "bucket.json"]}
    arkindex.serve_run(old, None)
    serve_secret(arkindex, "a%2Ftoken", "canary")
    serve_secret(arkindex, "a/token", "canary")
    serve_secret(arkindex, "bucket.json", '{"key": "canary"}')

    result = run(**arkindex.environment)

    assert result.out.splitlines()[1].endswith("{'a/token': 'canary', 'bucket.json': {'key': 'canary'}}")


def test_legacy_list_that_cannot_be_loaded(run: Callable[..., Result], arkindex: Stub) -> None:
    """All failures at once, with the place of the list."""
    old = worker_run()
    old["worker_version"]["configuration"] = {"secrets": ["a", "../b"]}
    arkindex.serve_run(old, None)

    result = run("--json", **arkindex.environment)

    assert (result.code, sorted(result.problems)) == (78, ["secrets.../b", "secrets.a"])
    assert {problem["location"] for problem in result.data["problems"]} == {
        "RetrieveWorkerRun worker_version.configuration.secrets"
    }


def test_list_in_a_file(run: Callable[..., Result], tmp_path: Path) -> None:
    """At a desk, from files and variables; nobody is asked."""
    (tmp_path / "token").write_text("canary\n")
    (tmp_path / "worker.yml").write_text(f"token: file:{tmp_path}/token\nsecrets: ['env:SOME_TOKEN']\n")

    result = run("-c", str(tmp_path / "worker.yml"), SOME_TOKEN="canary")

    assert result.out.splitlines()[0] == "canary None"
    assert result.out.splitlines()[1].endswith("'env:SOME_TOKEN': 'canary'}")


def test_every_problem_at_once(run: Callable[..., Result], tmp_path: Path) -> None:
    """Secrets, options and the rest; no content, no name of one."""
    (tmp_path / "bucket").write_text('{"kye": "canary"}')

    result = run(
        "--config.token", "absent", "--config.bucket", f"file:{tmp_path}/bucket", "--config.count", "x", "--json"
    )

    assert (result.code, sorted(result.problems)) == (78, ["config.bucket", "config.count", "config.token"])
    assert "canary" not in result.out


@pytest.mark.usefixtures("clock")
def test_arkindex_that_is_down_is_worth_a_retry(run: Callable[..., Result], arkindex: Stub) -> None:
    """A secret that it cannot give is nothing to correct."""
    arkindex.serve_run(worker_run(), [item("token", "1234"), item("bucket", "5678")])
    arkindex.serve_edition(enterprise=True)
    arkindex.answers["/api/v1/secret/1234"] = (500, {})

    result = run("--json", **arkindex.environment)

    assert (result.code, result.data["problems"][0]["location"]) == (69, "RetrieveSecret")
    assert sum("/secret/" in path for path in arkindex.requests) == 5  # the second is not tried as well


@pytest.mark.usefixtures("clock")
def test_what_must_be_corrected_goes_before_it(run: Callable[..., Result], arkindex: Stub) -> None:
    """Both are said."""
    arkindex.serve_run(worker_run(), [item("token", "1234")])
    arkindex.serve_edition(enterprise=True)
    arkindex.answers["/api/v1/secret/1234"] = (500, {})

    result = run("--config.count", "x", "--json", **arkindex.environment)

    assert (result.code, sorted(result.problems)) == (78, ["", "config.count"])


@pytest.mark.usefixtures("clock")
def test_validator_that_needs_a_secret_of_an_arkindex_that_is_down(run: Callable[..., Result], arkindex: Stub) -> None:
    """It has nothing to check, which is nothing to correct either."""
    arkindex.serve_run(worker_run(), [item("token", "1234")])
    arkindex.serve_edition(enterprise=True)
    arkindex.answers["/api/v1/secret/1234"] = (500, {})

    assert run(source=CHECKS_THE_SECRET, **arkindex.environment).code == 69


def test_validator_of_a_secret(run: Callable[..., Result]) -> None:
    """It sees the content, and its message is kept from showing it."""
    sound = run("--config.token", "env:T", source=CHECKS_THE_SECRET, T="canary")
    wrong = run("--config.token", "env:T", source=CHECKS_THE_SECRET, T="nightingale")

    assert (sound.code, wrong.code, "nightingale" in wrong.out + wrong.err) == (0, 78, False)


def test_explain_loads_none(run: Callable[..., Result], arkindex: Stub) -> None:
    """It shows stars, and asks for nothing but the run."""
    arkindex.serve_run(worker_run(), [item("token", "canary")])

    result = run("--json", verb="explain", **arkindex.environment)

    assert (result.code, result.data["context"]["config"]["token"], "canary" in result.out) == (0, "**********", False)
    assert len(arkindex.requests) == 2


def test_check_loads_them(run: Callable[..., Result], arkindex: Stub) -> None:
    """So that a missing one is found before the night."""
    arkindex.serve_run(worker_run(), [item("token", "1234")])
    arkindex.serve_edition(enterprise=True)

    result = run("--json", verb="check", **arkindex.environment)
    offline = run("--offline", verb="check", **arkindex.environment)

    assert (result.code, list(result.problems), offline.code) == (78, ["config.token"], 0)


def test_configuration_that_is_refused_asks_for_no_secret(run: Callable[..., Result], arkindex: Stub) -> None:
    """The operation that failed is named, and no other is tried."""
    arkindex.serve_run(worker_run(), [item("token", "1234")])
    arkindex.answers[CONFIGURATION_PATH] = (401, {"detail": "no"})

    assert (run(**arkindex.environment).code, len(arkindex.requests)) == (78, 2)
