from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.arkindex.client import Client
from arkworker.arkindex.tasks import Artifact, download_artifact, list_artifacts, upload_artifact
from arkworker.emulator import Emulator, Fault
from arkworker.errors import ApiContentError, ApiError, ApiResponseError, ArkworkerError, ReadOnlyError

if TYPE_CHECKING:
    from pathlib import Path


TASK = "0a0a0a0a-0000-4000-8000-000000000001"
URL = "https://storage.example.org/put?signature=canary"


class FakeApi(Client):
    """Answers every operation alike, and keeps what it was asked."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.calls: list[tuple[Any, ...]] = []

    def request(self, operation_id: str, body: Any = None, **parameters: Any) -> Any:
        self.calls.append((operation_id, body, parameters))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def download(self, operation_id: str, destination: Path, *, size: int | None = None, **parameters: Any) -> Path:
        self.calls.append((operation_id, destination, size, parameters))
        return destination

    def upload_url(self, url: str, source: Path, *, content_type: str | None = None, **_: Any) -> Any:
        self.calls.append((url, source, content_type))


def test_lists_artifacts() -> None:
    """Unknown fields are tolerated, and so are known ones that are missing or odd."""
    api = FakeApi(
        [
            {"id": "1", "path": "db.sqlite", "size": 12, "content_type": "application/x-sqlite3", "new": {}},
            {"path": "log.txt", "size": None},
            {"path": "ét\u00a0é", "size": True, "content_type": 3},
        ]
    )
    assert list_artifacts(api, TASK) == [
        Artifact("db.sqlite", 12, "application/x-sqlite3"),
        Artifact("log.txt", None, ""),
        Artifact("ét\u00a0é", None, ""),
    ]
    assert api.calls == [("ListArtifacts", None, {"id": TASK})]


@pytest.mark.parametrize("answer", [None, {}, {"results": []}, "text"])
def test_an_answer_that_is_no_list_is_an_error(answer: Any) -> None:
    """The operation promises a list."""
    with pytest.raises(ApiContentError, match="ListArtifacts: the answer is not a list"):
        list_artifacts(FakeApi(answer), TASK)


@pytest.mark.parametrize("path", [None, 3, "", ".", "..", "../up", "/etc/passwd", "a/b", "a\nb", "a\0", "x" * 256])
def test_an_artifact_without_a_name_of_a_file_is_an_error(path: Any) -> None:
    """What the API sent is checked before it becomes a path."""
    with pytest.raises(ApiContentError, match="should be the name of a file") as caught:
        list_artifacts(FakeApi([{"path": path}]), TASK)
    assert str(caught.value).isprintable()


def test_an_artifact_that_is_no_object_is_an_error() -> None:
    """A list of anything else is not understood."""
    with pytest.raises(ApiContentError):
        list_artifacts(FakeApi(["db.sqlite"]), TASK)


def test_downloads_to_a_file(tmp_path: Path) -> None:
    """The expected size is handed to the client, which checks it."""
    api = FakeApi()
    assert download_artifact(api, TASK, "db.sqlite", tmp_path / "mine", size=12) == tmp_path / "mine"
    assert api.calls == [("DownloadArtifact", tmp_path / "mine", 12, {"id": TASK, "path": "db.sqlite"})]


def test_downloads_into_a_directory(tmp_path: Path) -> None:
    """There it keeps its name."""
    assert download_artifact(FakeApi(), TASK, "db.sqlite", str(tmp_path)) == tmp_path / "db.sqlite"


def test_downloads_nothing_to_elsewhere(tmp_path: Path) -> None:
    """A path with directories is refused before anything is asked."""
    api = FakeApi()
    with pytest.raises(ArkworkerError, match="is not the path of an artifact"):
        download_artifact(api, TASK, "../db.sqlite", tmp_path)
    assert api.calls == []


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("data.tar.zst", "application/zstd"),
        ("db.sqlite", "application/vnd.sqlite3"),
        ("data.tar.gz", "application/gzip"),
        ("results.JSON", "application/json"),
        ("page.png", "image/png"),
        ("unknown.zzz", "application/octet-stream"),
        ("plain", "application/octet-stream"),
    ],
)
def test_uploads_a_file(tmp_path: Path, name: str, content_type: str) -> None:
    """Announced with its size and the type of its name, then sent with the same type."""
    path = tmp_path / name
    path.write_bytes(b"content")
    api = FakeApi({"s3_put_url": URL})
    assert upload_artifact(api, TASK, path) == Artifact(name, 7, content_type)
    assert api.calls == [
        ("CreateArtifact", {"path": name, "content_type": content_type, "size": 7}, {"id": TASK}),
        (URL, path, content_type),
    ]


def test_uploads_as_many_bytes_as_it_has_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log, for one, may grow meanwhile."""
    path = tmp_path / "log.txt"
    path.write_bytes(b"content")
    api = FakeApi({"s3_put_url": URL})
    lengths: list[Any] = []
    monkeypatch.setattr(api, "upload_url", lambda *_, length=None, **__: lengths.append(length))
    assert upload_artifact(api, TASK, path).size == 7
    assert lengths == [7]


def test_uploads_under_another_name(tmp_path: Path) -> None:
    """The name on Arkindex is free."""
    (tmp_path / "x").write_bytes(b"")
    assert upload_artifact(FakeApi({"s3_put_url": URL}), TASK, str(tmp_path / "x"), name="log.txt").path == "log.txt"


@pytest.mark.parametrize("kind", ["absent", "pipe", "directory", "nul\0"])
def test_uploads_only_regular_files(tmp_path: Path, kind: str) -> None:
    """Nothing is announced that could not be sent, and nothing blocks."""
    path = tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    api = FakeApi({"s3_put_url": URL})
    with pytest.raises(ArkworkerError, match="cannot be"):
        upload_artifact(api, TASK, path)
    assert api.calls == []


@pytest.mark.parametrize("name", ["", "a/b", "..", "a\nb"])
def test_uploads_under_no_path_with_directories(tmp_path: Path, name: str) -> None:
    """Artifacts are flat."""
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(ArkworkerError, match="cannot be the path of an artifact"):
        upload_artifact(FakeApi({"s3_put_url": URL}), TASK, tmp_path / "x", name=name)


@pytest.mark.parametrize("answer", [None, [], {}, {"s3_put_url": None}, {"s3_put_url": "file:///canary"}])
def test_an_answer_without_an_address_is_an_error(tmp_path: Path, answer: Any) -> None:
    """The address is not shown: it is signed."""
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(ApiContentError, match="CreateArtifact: s3_put_url") as caught:
        upload_artifact(FakeApi(answer), TASK, tmp_path / "x")
    assert "canary" not in str(caught.value)


def test_uploads_nothing_in_read_only_mode(tmp_path: Path) -> None:
    """The client refuses the write, and nothing is sent to the storage."""
    (tmp_path / "x").write_bytes(b"")
    api = FakeApi(ReadOnlyError("CreateArtifact writes"))
    with pytest.raises(ReadOnlyError):
        upload_artifact(api, TASK, tmp_path / "x")
    assert len(api.calls) == 1


def test_uploads_with_a_type(tmp_path: Path) -> None:
    """What a person says goes before what the name says."""
    (tmp_path / "x.txt").write_bytes(b"")
    api = FakeApi({"s3_put_url": URL})
    assert upload_artifact(api, TASK, tmp_path / "x.txt", content_type="text/csv; header=present").content_type == (
        "text/csv; header=present"
    )
    assert api.calls[1] == (URL, tmp_path / "x.txt", "text/csv; header=present")


@pytest.mark.parametrize("content_type", ["", "text", "text/", "a/b\r\nX-Evil: 1", "a/b;\n", "té/xt"])
def test_uploads_with_no_type_that_is_none(tmp_path: Path, content_type: str) -> None:
    """It becomes a header."""
    (tmp_path / "x").write_bytes(b"")
    api = FakeApi({"s3_put_url": URL})
    with pytest.raises(ArkworkerError, match="it is not a media type"):
        upload_artifact(api, TASK, tmp_path / "x", content_type=content_type)
    assert api.calls == []


@pytest.fixture
def task(emulator: Emulator) -> str:
    emulator.add_corpus()
    return str(emulator.tasks(emulator.add_worker_run(elements=[]))[0].id)


def test_what_is_uploaded_can_be_downloaded(
    emulator: Emulator, arkindex_client: Client, task: str, tmp_path: Path
) -> None:
    """The storage gets the bytes under the type that was announced, and no credentials."""
    (tmp_path / "été.csv").write_bytes(b"a;b\n")

    uploaded = upload_artifact(arkindex_client, task, tmp_path / "été.csv")
    path = download_artifact(arkindex_client, task, "été.csv", tmp_path / "copy", size=4)

    assert (list_artifacts(arkindex_client, task), path.read_bytes()) == ([uploaded], b"a;b\n")
    headers = emulator.ledger.calls("PutFile")[0].headers
    assert (headers["content-type"], "authorization" in headers) == ("text/csv", False)


def test_a_name_that_is_taken_is_an_error(arkindex_client: Client, task: str, tmp_path: Path) -> None:
    """One line that says so."""
    (tmp_path / "x").write_bytes(b"")
    upload_artifact(arkindex_client, task, tmp_path / "x")

    with pytest.raises(ApiResponseError, match="path: An artifact with this path already exists"):
        upload_artifact(arkindex_client, task, tmp_path / "x")


@pytest.mark.parametrize(
    ("fault", "expected"), [(Fault.answer(403, b"canary"), "status 403"), (Fault.reset(), "reset")]
)
def test_a_storage_that_takes_nothing_is_an_error(
    fault: Fault, expected: str, emulator: Emulator, arkindex_client: Client, task: str, tmp_path: Path
) -> None:
    """Without what it says of signatures, and without the signature, in the variables of the frames, too."""
    (tmp_path / "x").write_bytes(b"content")
    emulator.faults.add("PutFile", fault)

    with pytest.raises(ApiError, match=expected) as caught:
        upload_artifact(arkindex_client, task, tmp_path / "x")

    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)][1:]
    shown = str(caught.value) + repr([dict(frame.f_locals) for frame in frames])
    assert ("canary" in shown, "ignature=" in shown, len(frames) > 1) == (False, False, True)


def test_an_artifact_of_another_size_is_refused(
    emulator: Emulator, arkindex_client: Client, task: str, tmp_path: Path
) -> None:
    """Nothing is left of it."""
    emulator.add_artifact(task, "db.sqlite", b"12345")

    with pytest.raises(ApiContentError, match="announced"):
        download_artifact(arkindex_client, task, "db.sqlite", tmp_path, size=4)

    assert list(tmp_path.iterdir()) == []
