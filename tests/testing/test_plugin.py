"""The fixtures of the test kit, as a worker's author uses them."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from arkworker import ConfigurationError, Element, ElementsWorker, Secret, UserConfiguration, Worker, WorkerContext
from arkworker.errors import ApiResponseError, UsageError
from arkworker.storage.cache import CachedImage

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from arkworker.testing import Arkindex, Invoke, MakeContext

ELEMENT = "0c1fbe0e-54d9-4f25-8a28-0a5a4cd0a1b3"
TOKEN = "a-secret-of-some-length"


class Account(UserConfiguration):
    user: str
    password: str


class Service(UserConfiguration):
    address: str = "https://example.org"
    key: Secret[str] | None = None


class Configuration(UserConfiguration):
    threshold: float = Field(0.5, ge=0, le=1)
    token: Secret[str]
    account: Secret[Account] | None = None
    keys: tuple[Secret[str], ...] = ()
    service: Service = Service()


class Arguments(BaseModel):
    model_config = ConfigDict(frozen=True)

    batch_name: str = "none"


class Reader(Worker[Configuration]):
    """Reads."""

    arguments = Arguments

    def run(self, context: WorkerContext[Configuration], cache: Session) -> None:  # noqa: ARG002 - a hook has both
        name = context.api.request("RetrieveElement", id=ELEMENT)["name"]
        text = f"{name} {context.config.token.get_secret_value() == TOKEN} {context.config.threshold}"
        (context.work_dir / "name.txt").write_text(text)


def write_name(context: WorkerContext[Any], cache: Session) -> None:  # noqa: ARG001 - a worker has both
    """Writes a file."""
    (context.work_dir / "cwd.txt").write_text(f"{Path.cwd()} {context.config.get('size')}")


def test_values_are_validated_as_in_a_run(make_context: MakeContext) -> None:
    """All problems are told at once, with the nearest match of an unknown name."""
    with pytest.raises(ConfigurationError) as caught:
        make_context(Reader, {"token": TOKEN, "threshold": 2, "thresold": 1})

    assert {problem.path for problem in caught.value.problems} == {"config.threshold", "config.thresold"}


def test_secrets_are_given_by_their_contents(make_context: MakeContext) -> None:
    """Wherever a secret is in the configuration, the test gives what is in it."""
    account = {"user": "u", "password": "p"}
    config = {"token": TOKEN, "account": account, "keys": ["a", "b"], "service": {"key": "k"}}
    made = make_context(Reader, config).config

    assert made.account is not None
    assert made.service.key is not None
    assert made.account.get_secret_value() == Account(user="u", password="p")
    assert [key.get_secret_value() for key in made.keys] == ["a", "b"]
    assert (made.token.get_secret_value(), made.service.key.get_secret_value()) == (TOKEN, "k")


def test_a_context_says_where_its_values_are_from(make_context: MakeContext) -> None:
    """Origins are kept as in a run."""
    origins = make_context(Reader, {"token": TOKEN, "threshold": 0.25}).origins

    assert origins["config.threshold"].location.startswith("make_context:")


def test_attributes_of_a_context_are_given(make_context: MakeContext) -> None:
    """Whatever the platform would say can be said; with a worker run, it may write."""
    context = make_context(Reader, {"token": TOKEN}, corpus_id="c", worker_run_id="r", argv=["--batch-name", "b"])

    assert (context.corpus_id, context.worker_run_id, context.is_read_only) == ("c", "r", False)
    assert context.arguments == Arguments(batch_name="b")


def test_an_unknown_attribute_is_refused(make_context: MakeContext) -> None:
    """A name that the context does not have is a mistake in the test."""
    with pytest.raises(TypeError, match="the context has no attribute corpus"):
        make_context(Reader, {"token": TOKEN}, corpus="c")


def test_secrets_are_loaded_by_name(make_context: MakeContext) -> None:
    """What the test gives is what `load_secret` answers."""
    context = make_context(write_name, secrets={"key.json": {"a": 1}})

    assert (context.load_secret("key.json"), "1" in repr(context.secrets)) == ({"a": 1}, False)


def test_a_context_goes_to_another_process(make_context: MakeContext) -> None:
    """It pickles as that of a run."""
    context = make_context(Reader, {"token": TOKEN}, secrets={"key": "k"})

    assert pickle.loads(pickle.dumps(context)) == context


def test_a_context_is_kept_in_a_folder(make_context: MakeContext, tmp_path: Path) -> None:
    """Its directories are those of the test, and exist."""
    context = make_context(write_name)

    assert context.work_dir.is_dir()
    assert all(path.is_relative_to(tmp_path) for path in (context.work_dir, context.task_data_dir, context.secrets_dir))


def test_the_variables_of_a_person_are_not_seen(make_context: MakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """A context depends on what the test says alone."""
    monkeypatch.setenv("ARKINDEX_CONFIG_THRESHOLD", "0.75")
    monkeypatch.setenv("ARKINDEX_WORKER_RUN_ID", "r")
    context = make_context(Reader, {"token": TOKEN})

    assert (context.config.threshold, context.worker_run_id) == (0.5, None)


def test_no_request_without_arkindex(make_context: MakeContext) -> None:
    """Without an Arkindex, the API is out of reach, whatever user code catches."""
    with pytest.raises(pytest.fail.Exception, match="ask for the fixture `arkindex`"):
        make_context(write_name).api.request("RetrieveElement", id=ELEMENT)


def test_a_context_reaches_arkindex(make_context: MakeContext, arkindex: Arkindex) -> None:
    """Its client is answered by the expectations, pages included."""
    arkindex.expect("RetrieveElement", {"id": ELEMENT, "name": "n"}, id=ELEMENT)
    arkindex.expect("ListElementChildren", [{"id": "a"}, {"id": "b"}], id=ELEMENT)
    api = make_context(write_name).api

    assert api.request("RetrieveElement", id=ELEMENT)["name"] == "n"
    assert [child["id"] for child in api.paginate("ListElementChildren", id=ELEMENT)] == ["a", "b"]


def test_a_write_is_seen(make_context: MakeContext, arkindex: Arkindex) -> None:
    """What was sent can be looked at."""
    expected = arkindex.expect("CreateTranscription", {"id": "t"}, id=ELEMENT, status=201)
    make_context(write_name, worker_run_id="r").api.request("CreateTranscription", {"text": "x"}, id=ELEMENT)

    assert [received.body for received in expected.received] == [{"text": "x"}]
    assert arkindex.requests == expected.received


def test_an_upload_is_seen(make_context: MakeContext, arkindex: Arkindex, tmp_path: Path) -> None:
    """What goes to the storage: text as it is, anything else as bytes."""
    context = make_context(write_name, worker_run_id="r", task_id="t")
    for name, content in (("a.txt", "té".encode()), ("b.bin", b"\xff\x00")):
        (tmp_path / name).write_bytes(content)
        arkindex.expect("CreateArtifact", {"s3_put_url": f"https://storage.example.org/{name}?signature=s"}, id="t")
        arkindex.expect_address(f"/{name}", method="PUT")
        context.upload_artifact(tmp_path / name)

    assert [request.body for request in arkindex.requests if request.method == "PUT"] == ["té", b"\xff\x00"]


def test_a_model_version_is_seen(make_context: MakeContext, arkindex: Arkindex, tmp_path: Path) -> None:
    """Step by step, with the ETag that the storage confirms the only part with."""
    (tmp_path / "weights.bin").write_bytes(b"weights")
    context = make_context(write_name, worker_run_id="r", model_details={"id": "m"}, work_dir=tmp_path / "work")
    created = arkindex.expect("CreateModelVersion", {"id": "v"}, id="m")
    arkindex.expect("CreateMultipartUpload", {"upload_id": "u"})
    arkindex.expect("CreateMultipartUploadPart", {"url": "https://storage.example.org/part"})
    arkindex.expect_address("/part", method="PUT", headers={"ETag": '"e"'})
    completed = arkindex.expect("CompleteMultipartUpload")
    arkindex.expect("RetrieveModelVersion", {"id": "v", "state": "available"}, id="v")

    version = context.publish_model_version(tmp_path / "weights.bin", tag="fine")

    assert (version.state, created.received[0].body["tag"]) == ("available", "fine")
    assert completed.received[0].body["parts"][0]["etag"] == '"e"'


def test_an_unexpected_upload_is_told(make_context: MakeContext, arkindex: Arkindex, tmp_path: Path) -> None:
    """By its size."""
    (tmp_path / "x").write_bytes(b"\xff" * 1000)
    context = make_context(write_name, worker_run_id="r", task_id="t")
    arkindex.expect("CreateArtifact", {"s3_put_url": "https://storage.example.org/x"})
    with pytest.raises(ApiResponseError):
        context.upload_artifact(tmp_path / "x")

    assert arkindex.take_mistakes() == 'unexpected request: PUT /x "1000 bytes"'


def test_repeated_requests_wait_for_nothing(make_context: MakeContext, arkindex: Arkindex) -> None:
    """A failure of the server is repeated at once; expectations are met in their order."""
    arkindex.expect("RetrieveElement", {"detail": "?"}, status=503, times=2)
    arkindex.expect("RetrieveElement", {"name": "n"})

    assert make_context(write_name).api.request("RetrieveElement", id=ELEMENT) == {"name": "n"}


def test_an_unknown_operation_is_refused(arkindex: Arkindex) -> None:
    """A misspelt operation is a mistake in the test, told with the nearest one."""
    with pytest.raises(UsageError, match="did you mean RetrieveElement"):
        arkindex.expect("RetreiveElement")


def test_an_unknown_parameter_is_refused(arkindex: Arkindex) -> None:
    """So is a parameter that the operation does not have."""
    with pytest.raises(UsageError, match="has no parameter 'element'"):
        arkindex.expect("RetrieveElement", element=ELEMENT)


def test_the_cache_is_a_real_one(cache: Session) -> None:
    """It has the tables, and answers what was put into it."""
    cache.add(CachedImage(id=UUID(ELEMENT), width=1, height=2, url="u"))

    assert cache.scalars(select(CachedImage.width)).all() == [1]


def test_a_worker_is_run_with_values(invoke: Invoke, arkindex: Arkindex) -> None:
    """The command line runs the worker of the test, which reaches the Arkindex of the test."""
    arkindex.expect("RetrieveElement", {"name": "n"}, id=ELEMENT)
    done = invoke("run", Reader, config={"token": TOKEN})

    assert (done.code, done.out) == (0, "")
    assert (done.work_dir / "name.txt").read_text() == "n True 0.5"


def test_a_worker_is_run_with_a_payload(invoke: Invoke, arkindex: Arkindex) -> None:
    """The worker run and its configuration, secrets included, are answered as Arkindex does."""
    arkindex.expect("RetrieveElement", {"name": "n"}, id=ELEMENT)
    done = invoke("run", Reader, payload={"token": TOKEN, "threshold": 0.25, "service": {"key": "k"}})

    assert (done.code, (done.work_dir / "name.txt").read_text()) == (0, "n True 0.25"), done.err


def test_files_and_variables_are_given(invoke: Invoke) -> None:
    """Files lie where the command line runs, variables go before them."""
    done = invoke(
        "explain", Reader, "-c", "my.yml", "--json", "--offline",
        files={"my.yml": {"threshold": 0.25, "token": "env:KEY"}},
        environ={"ARKINDEX_CONFIG_SERVICE_ADDRESS": "https://elsewhere.example"},
    )  # fmt: skip
    config = done.data["context"]["config"]

    assert (config["threshold"], config["service"]["address"]) == (0.25, "https://elsewhere.example")


def test_the_settings_of_a_person_are_not_seen(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever their variables are called."""
    monkeypatch.setenv("SKIP_TASK_ELEMENTS", "1")

    class Lines(ElementsWorker):
        def process_element(self, element: Element, context: Any, cache: Any) -> None: ...

    assert "absent.json" in invoke("run", Lines, "--elements-list", "absent.json").err


def test_a_function_is_run(invoke: Invoke, tmp_path: Path) -> None:
    """A function is a worker, and runs in the folder of the test."""
    done = invoke("run", write_name, config={"size": 3})

    assert (done.code, (done.work_dir / "cwd.txt").read_text()) == (0, f"{tmp_path} 3")


def test_a_worker_inside_of_a_test_is_run(invoke: Invoke) -> None:
    """A class that no module holds is found all the same."""

    class Inner(Worker):
        def run(self, context: WorkerContext[Any], cache: Session) -> None:  # noqa: ARG002 - a hook has both
            raise ValueError("on purpose")

    done = invoke("run", Inner)

    assert (done.code, "ValueError: on purpose" in done.err) == (1, True)


def test_what_it_changes_is_put_back(invoke: Invoke, caplog: pytest.LogCaptureFixture) -> None:
    """The streams, the environment, the folder and the log are as they were."""
    before = (dict(os.environ), Path.cwd(), list(sys.path), sys.stdout, sys.stderr)
    invoke("check", write_name, "-v")
    logging.getLogger("x").warning("still heard")

    assert (dict(os.environ), Path.cwd(), list(sys.path), sys.stdout, sys.stderr) == before
    assert "still heard" in caplog.text


def test_standard_input_is_given(invoke: Invoke) -> None:
    """A verb that reads finds what the test says; nothing, else."""
    assert "no content" in invoke("secrets", "set", "name").err


def test_the_plugin_is_light(tmp_path: Path) -> None:
    """In the pytest of somebody who tests something else, it brings nothing that takes time to import."""
    code = "import sys, arkworker.testing.plugin; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)

    assert set(done.stdout.split()) & {"pydantic", "requests", "sqlalchemy", "yaml", "rich", "starlette"} == set()
