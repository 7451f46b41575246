"""Preparing a task where no agent does."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from arkindex_stub import Stub, serve
from faulty_server import tls_server  # noqa: F401 - a fixture
from manual_clock import ManualClock

from arkworker.arkindex.bootstrap import Task, bootstrap, stop_instance
from arkworker.arkindex.client import Client, Connection
from arkworker.errors import ApiError, ArchiveError, ArkworkerError
from arkworker.storage.archives import create

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faulty_server import FaultyServer

CERTIFICATE = Path(__file__).parents[1] / "data" / "loopback.pem"
PARENT = "11111111-aaaa"


@pytest.fixture
def arkindex() -> Iterator[Stub]:
    with serve() as stub:
        stub.answers[f"/api/v1/task/{PARENT}/artifacts/"] = (200, [{"path": "lines.json", "size": 2}])
        stub.answers[f"/api/v1/task/{PARENT}/artifact/lines.json"] = (200, b"{}")
        yield stub


@pytest.fixture
def client(arkindex: Stub) -> Iterator[Client]:
    client = Client(Connection(url=arkindex.url, token="t"), clock=ManualClock())
    yield client
    client.close()


def prepare(client: Client, data: Path, **changes: Any) -> None:
    bootstrap(client, Task("task", data, {PARENT: "parent-slug"}, **changes))


def test_parents_artifacts_and_current_are_there(client: Client, tmp_path: Path) -> None:
    """The layout is the one that agents make: by id, by slug, and `current`."""
    prepare(client, tmp_path)

    assert (tmp_path / "parent-slug" / "lines.json").read_bytes() == b"{}"
    assert (tmp_path / "current").resolve() == (tmp_path / "task").resolve()


def test_prepared_task_is_left_alone(client: Client, arkindex: Stub, tmp_path: Path) -> None:
    """Where `current` is, nothing is asked."""
    (tmp_path / "current").mkdir()

    prepare(client, tmp_path)

    assert arkindex.requests == []


def test_restart_fetches_only_what_is_missing(client: Client, arkindex: Stub, tmp_path: Path) -> None:
    """After a killed start, whole files are kept and the rest comes."""
    (tmp_path / PARENT).mkdir()
    (tmp_path / PARENT / "lines.json").write_bytes(b"{}")

    prepare(client, tmp_path)

    assert arkindex.requests == [f"/api/v1/task/{PARENT}/artifacts/"]
    assert (tmp_path / "current").is_dir()


def test_failed_download_leaves_no_current(client: Client, arkindex: Stub, tmp_path: Path) -> None:
    """`current` promises that all is there: a failure does not make it."""
    arkindex.answers[f"/api/v1/task/{PARENT}/artifact/lines.json"] = (404, {"detail": "Not found."})

    with pytest.raises(ApiError, match="DownloadArtifact"):
        prepare(client, tmp_path)

    assert not (tmp_path / "current").exists()


@pytest.mark.parametrize("slug", ["current", "extra_files", "task"])
def test_a_slug_that_names_another_directory_is_no_link(
    slug: str, client: Client, arkindex: Stub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The files are there by the parent's id; a start that fails before the end is not taken for a whole one."""
    task, path = Task("task", tmp_path, {PARENT: slug}), f"/api/v1/task/{PARENT}/artifact/lines.json"
    answer = arkindex.answers[path]
    arkindex.answers[path] = (404, {"detail": "Not found."})
    with pytest.raises(ApiError, match="DownloadArtifact"):
        bootstrap(client, task)
    arkindex.answers[path] = answer

    bootstrap(client, task)

    assert (tmp_path / PARENT / "lines.json").read_bytes() == b"{}"
    assert (tmp_path / "current").resolve() == tmp_path / "task"
    assert not (tmp_path / "extra_files").exists()
    assert f"has the slug {slug}, which names another directory" in caplog.text


@pytest.mark.parametrize(("task_id", "parent"), [("current", PARENT), ("task", "extra_files")])
def test_an_id_that_names_another_directory_is_refused(
    task_id: str, parent: str, client: Client, arkindex: Stub, tmp_path: Path
) -> None:
    """Before anything is made."""
    with pytest.raises(ArkworkerError, match="names another directory"):
        bootstrap(client, Task(task_id, tmp_path, {parent: "slug"}))

    assert (arkindex.requests, list(tmp_path.iterdir())) == ([], [])


def serve_model(arkindex: Stub, content: bytes, **known: Any) -> None:
    url = arkindex.url.replace("/api/v1/", "/s3/model")
    arkindex.answers["/api/v1/modelversion/mv/"] = (200, {"s3_url": url, **known})
    arkindex.answers["/s3/model"] = (200, content)


def test_model_archive_is_extracted(client: Client, arkindex: Stub, tmp_path: Path) -> None:
    """A model that is an archive lies extracted in the model directory."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "weights.pt").write_text("w")
    create(tmp_path / "files", tmp_path / "model.tar.zst")
    serve_model(arkindex, (tmp_path / "model.tar.zst").read_bytes())

    prepare(client, tmp_path / "data", model_version_id="mv", model_dir=tmp_path / "model")

    assert (tmp_path / "model" / "weights.pt").read_text() == "w"


def test_damaged_model_archive_is_one_error(client: Client, arkindex: Stub, tmp_path: Path) -> None:
    """A model archive that is cut is refused, and nothing claims to be ready."""
    (tmp_path / "files").mkdir()
    create(tmp_path / "files", tmp_path / "model.tar.zst")
    serve_model(arkindex, (tmp_path / "model.tar.zst").read_bytes()[:-5])

    with pytest.raises(ArchiveError):
        prepare(client, tmp_path / "data", model_version_id="mv", model_dir=tmp_path / "model")

    assert not (tmp_path / "data" / "current").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ArchiveError("model.tar.zst", "is damaged")])
def test_nothing_stays_beside_a_model_that_was_not_extracted(
    error: Any, client: Client, arkindex: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal leaves no archive, which may have gigabytes, and neither does a damaged one."""

    def fail(*_: object) -> None:
        raise error

    (tmp_path / "files").mkdir()
    create(tmp_path / "files", tmp_path / "model.tar.zst")
    serve_model(arkindex, (tmp_path / "model.tar.zst").read_bytes())
    monkeypatch.setattr("arkworker.storage.archives.extract", fail)

    with pytest.raises((KeyboardInterrupt, ArchiveError)):
        prepare(client, tmp_path / "data", model_version_id="mv", model_dir=tmp_path / "model")

    assert list((tmp_path / "model").iterdir()) == []


def test_model_that_is_no_archive_is_kept_as_a_file(client: Client, arkindex: Stub, tmp_path: Path) -> None:
    """A single file becomes `model`."""
    serve_model(arkindex, b"weights")

    prepare(client, tmp_path / "data", model_version_id="mv", model_dir=tmp_path / "model")

    assert (tmp_path / "model" / "model").read_bytes() == b"weights"


@pytest.mark.parametrize("digest", [hashlib.md5(b"weights").hexdigest().upper(), "other", None])
def test_model_of_the_digest_that_arkindex_knows_is_kept(
    digest: str | None, client: Client, arkindex: Stub, tmp_path: Path
) -> None:
    """What is not an MD5 is not compared."""
    serve_model(arkindex, b"weights", archive_hash=digest)

    prepare(client, tmp_path / "data", model_version_id="mv", model_dir=tmp_path / "model")

    assert (tmp_path / "model" / "model").read_bytes() == b"weights"


def test_model_of_another_digest_is_an_error(client: Client, arkindex: Stub, tmp_path: Path) -> None:
    """Whatever the storage gave, it is not the model."""
    serve_model(arkindex, b"weights", archive_hash=hashlib.md5(b"other").hexdigest())

    with pytest.raises(ApiError, match="the MD5 of the file is not the announced one"):
        prepare(client, tmp_path / "data", model_version_id="mv", model_dir=tmp_path / "model")

    assert list((tmp_path / "model").iterdir()) == []


@pytest.fixture
def vast() -> Iterator[tuple[str, list[Any]]]:
    """A vast.ai that remembers what it is asked."""
    calls: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            calls.append((self.path, json.loads(body), self.headers["Authorization"]))
            tried = sum(path == self.path for path, *_ in calls)
            codes = {"good": [200], "bad": [500], "wrong": [401], "soon": [502, 429, 200]}[self.path.rpartition("/")[2]]
            self.send_response(codes[min(tried, len(codes)) - 1])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", calls
    server.shutdown()
    server.server_close()
    thread.join()


def test_instance_is_stopped_with_its_own_token(vast: tuple[str, list[Any]]) -> None:
    """vast.ai is told to stop this instance."""
    url, calls = vast

    stop_instance(Connection(), url, "good", "key")

    assert calls == [("/api/v0/instances/good", {"state": "stopped"}, "Bearer key")]


@pytest.mark.parametrize(
    ("name", "waits", "last"),
    [
        ("bad", [3.0, 4.0, 8.0, 16.0], "The instance bad was not stopped: 500"),
        ("wrong", [], "The instance wrong was not stopped: 401"),
        ("soon", [3.0, 4.0], "The instance soon stops"),
    ],
)
def test_instance_that_cannot_be_stopped(
    vast: tuple[str, list[Any]], caplog: pytest.LogCaptureFixture, name: str, waits: list[float], last: str
) -> None:
    """It is tried again where that may help; a failure raises nothing, and shows no token."""
    url, calls = vast
    clock = ManualClock()

    with caplog.at_level(logging.INFO):
        stop_instance(Connection(), url, name, "s3cret", clock)

    assert (clock.waits, len(calls), caplog.messages[-1]) == (waits, len(waits) + 1, last)
    assert "s3cret" not in caplog.text


def test_an_instance_is_stopped_with_the_certificates_of_the_run(tls_server: FaultyServer) -> None:  # noqa: F811 - the fixture
    """Whoever has a bundle of their own has it for all; the user agent goes along."""
    connection = Connection(ca_bundle=str(CERTIFICATE), user_agent="Museum/1", token="of Arkindex")

    stop_instance(connection, tls_server.origin, "12", "key")

    request = tls_server.received[0]
    assert (request.method, request.target, request.body) == ("PUT", "/api/v0/instances/12", b'{"state": "stopped"}')
    assert (request.headers["authorization"], request.headers["user-agent"]) == ("Bearer key", "Museum/1")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "ftp://vast.example", "https://[::1"])
def test_an_instance_that_cannot_be_reached_is_logged(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is wrong with the address."""
    stop_instance(Connection(), url, "12", "s3cret", ManualClock())

    assert caplog.records[-1].levelname == "ERROR"
    assert ("The instance 12 was not stopped: " in caplog.text, "s3cret" in caplog.text) == (True, False)
