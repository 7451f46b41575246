"""Publishing versions of models, on an emulated Arkindex over HTTP."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import resource
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from arkworker.arkindex.models import ModelVersion, publish_model_version
from arkworker.emulator import Emulator, Fault
from arkworker.errors import (
    ApiContentError,
    ApiError,
    ApiResponseError,
    ArchiveError,
    ArkworkerError,
    ReadOnlyError,
    UsageError,
)
from arkworker.storage import archives

if TYPE_CHECKING:
    from pathlib import Path

    from manual_clock import ManualClock

    from arkworker.arkindex.client import Client

PARENT = "0a0a0a0a-0000-4000-8000-000000000001"
API = {"content-type": "application/json"}
PUBLICATION = ["CreateModelVersion", "CreateMultipartUpload", "CreateMultipartUploadPart", "PutFile"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A model of two small files."""
    directory = tmp_path / "model"
    (directory / "sub").mkdir(parents=True)
    (directory / "weights.bin").write_bytes(b"weights")
    (directory / "sub" / "labels.json").write_text("[]")
    return directory


@pytest.fixture
def large(tmp_path: Path, _small_parts: None) -> Path:
    """A model whose archive has four parts."""
    directory = tmp_path / "large"
    directory.mkdir()
    (directory / "weights.bin").write_bytes(os.urandom(3 * 2**20 + 5000))
    return directory


def operations(emulator: Emulator) -> list[str]:
    return [str(call.operation) for call in emulator.ledger.calls()]


def stored(emulator: Emulator, version: ModelVersion) -> Path:
    """The archive as the storage has it."""
    return emulator.site.storage.path(f"models/{version.id}")


def refusal(status: int, **body: Any) -> Fault:
    return Fault.answer(status, json.dumps(body).encode(), headers=API)


def test_a_directory_is_published(
    emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path, tmp_path: Path
) -> None:
    """Its archive is in the storage, whole; the version is available and as it was described."""
    version = publish_model_version(
        client,
        directory,
        model_id=model,
        work_dir=work_dir,
        tag="better",
        description="**Better**",
        configuration={"threshold": 0.5},
        parent=UUID(PARENT),
    )

    archives.extract(stored(emulator, version), tmp_path / "out")
    assert (tmp_path / "out" / "weights.bin").read_bytes() == b"weights"
    assert (tmp_path / "out" / "sub" / "labels.json").read_text() == "[]"
    content = stored(emulator, version).read_bytes()
    assert (version.size, version.archive_hash) == (len(content), hashlib.md5(content).hexdigest())
    assert (version.model_id, version.state, version.tag, version.parent) == (model, "available", "better", PARENT)
    assert (version.description, version.configuration) == ("**Better**", {"threshold": 0.5})
    assert list(work_dir.iterdir()) == []


def test_what_is_sent(emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path) -> None:
    """Each step once; the storage gets no credentials."""
    publish_model_version(client, directory, model_id=UUID(model), work_dir=work_dir)

    assert operations(emulator)[1:] == [*PUBLICATION, "CompleteMultipartUpload", "RetrieveModelVersion"]
    put = emulator.ledger.calls("PutFile")[0]
    assert put.headers.keys() & {"authorization", "cookie", "referer", "content-type"} == set()


def test_a_large_archive_goes_in_parts(
    emulator: Emulator, client: Client, model: str, large: Path, work_dir: Path, tmp_path: Path
) -> None:
    """Each of them as it was announced, put together again by the storage."""
    version = publish_model_version(client, large, model_id=model, work_dir=work_dir)

    sizes = [int(call.headers["content-length"]) for call in emulator.ledger.calls("PutFile")]
    assert (sizes[:3], sum(sizes)) == ([2**20] * 3, version.size)
    archives.extract(stored(emulator, version), tmp_path / "out")
    assert (tmp_path / "out" / "weights.bin").read_bytes() == (large / "weights.bin").read_bytes()


def test_the_same_files_have_the_same_archive(
    client: Client, model: str, directory: Path, work_dir: Path, tmp_path: Path
) -> None:
    """Whatever their times and places."""
    other = tmp_path / "other"
    directory.rename(other)
    os.utime(other / "weights.bin", (1, 1))

    first = publish_model_version(client, other, model_id=model, work_dir=work_dir)
    second = publish_model_version(client, other, model_id=model, work_dir=tmp_path / "elsewhere")

    assert first.archive_hash == second.archive_hash


def test_files_are_published(
    emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path, tmp_path: Path
) -> None:
    """One, or several from anywhere, by their names; they stay what they are."""
    links = tmp_path / "link.bin"
    links.symlink_to(directory / "weights.bin")

    one = publish_model_version(client, directory / "weights.bin", model_id=model, work_dir=work_dir)
    two = publish_model_version(
        client, [str(links), directory / "sub" / "labels.json"], model_id=model, work_dir=work_dir
    )

    for name, version in (("one", one), ("two", two)):
        archives.extract(stored(emulator, version), tmp_path / name)
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["weights.bin"]
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["labels.json", "link.bin"]
    assert ((tmp_path / "two" / "link.bin").read_bytes(), links.is_symlink()) == (b"weights", True)


def test_files_of_another_file_system_are_copied(
    client: Client, model: str, directory: Path, work_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no second name can be given to them."""

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)

    version = publish_model_version(client, [directory / "weights.bin"], model_id=model, work_dir=work_dir)

    assert (version.state, list(work_dir.iterdir())) == ("available", [])


def test_the_working_directory_itself_is_published(
    emulator: Emulator, client: Client, model: str, directory: Path, tmp_path: Path
) -> None:
    """Without the archive that is being made in it."""
    version = publish_model_version(client, directory, model_id=model, work_dir=directory)

    archives.extract(stored(emulator, version), tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == ["labels.json", "sub", "weights.bin"]
    assert sorted(path.name for path in directory.iterdir()) == ["sub", "weights.bin"]


@pytest.mark.parametrize(
    "files", ["missing", "pipe", "nul\0", ["sub"], ["missing"], ["weights.bin", "sub/weights.bin"]]
)
def test_what_is_no_model_is_refused(
    files: str | list[str], emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path
) -> None:
    """Before anything is archived or sent, in one line."""
    os.mkfifo(directory / "pipe")
    (directory / "sub" / "weights.bin").touch()
    emulator.ledger.clear()
    paths: Any = [directory / name for name in files] if isinstance(files, list) else directory / files

    with pytest.raises(ArkworkerError, match="cannot be published") as caught:
        publish_model_version(client, paths, model_id=model, work_dir=work_dir)

    assert (str(caught.value).isprintable(), operations(emulator), work_dir.exists()) == (True, [], False)


@pytest.mark.parametrize("files", ["empty", []])
def test_nothing_is_no_model(files: Any, client: Client, model: str, tmp_path: Path, work_dir: Path) -> None:
    """A directory without files is a mistake, such as that of a training that wrote elsewhere."""
    (tmp_path / "empty" / "sub").mkdir(parents=True)

    with pytest.raises(ArkworkerError, match="there is no file to publish"):
        publish_model_version(client, tmp_path / files if files else files, model_id=model, work_dir=work_dir)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tag": 3},
        {"description": b"x"},
        {"configuration": [1]},
        {"configuration": {"a": object()}},
        {"configuration": {"a": float("nan")}},
        {"model_id": ""},
        {"files": None},
        {"files": [None]},
    ],
)
def test_what_cannot_be_sent_is_refused(
    wrong: dict[str, Any], emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path
) -> None:
    """Before the archive is made, which may take long."""
    emulator.ledger.clear()
    values: Any = {"files": directory, "model_id": model, "work_dir": work_dir, **wrong}

    with pytest.raises(UsageError, match="publish_model_version: "):
        publish_model_version(client, **values)

    assert (operations(emulator), work_dir.exists()) == ([], False)


def test_nothing_is_published_in_read_only_mode(client: Client, directory: Path, work_dir: Path) -> None:
    """What would be is said."""
    with pytest.raises(ReadOnlyError, match="a version of model m from 2 files of 9 bytes would be published"):
        publish_model_version(client, directory, model_id="m", work_dir=work_dir, read_only=True)

    assert not work_dir.exists()


def test_a_tag_that_is_taken_is_left_out(
    client: Client, model: str, directory: Path, work_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning, as with the published library."""
    version = publish_model_version(client, directory, model_id=model, work_dir=work_dir, tag="taken")

    assert (version.state, version.tag) == ("available", None)
    assert f"Another version of model {model} has the tag taken" in caplog.text


@pytest.mark.parametrize(
    "fault",
    [
        refusal(409, type="client_error", errors=[{"attr": ["tag"], "code": "unique", "detail": "Taken."}]),
        refusal(400, non_field_errors=["A version for this model with this tag already exists."]),
    ],
)
def test_a_tag_that_is_taken_is_known_in_either_style(
    fault: Fault, emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path
) -> None:
    """The answers of older and newer servers mean the same."""
    emulator.faults.add("CreateModelVersion", fault, times=1)

    assert publish_model_version(client, directory, model_id=model, work_dir=work_dir, tag="new").tag is None


def test_a_tag_that_a_lost_attempt_has_is_left_out_too(
    emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And it is said whose it may be."""
    emulator.faults.add("CreateModelVersion", Fault.answer(502, acted=True), times=1)

    assert publish_model_version(client, directory, model_id=model, work_dir=work_dir, tag="lost").tag is None
    assert "has the tag lost, perhaps made by an attempt whose answer was lost: " in caplog.text


def test_files_that_are_being_removed_are_one_line(
    client: Client, model: str, directory: Path, work_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another process, between two looks."""
    monkeypatch.setattr(os, "walk", lambda _: [(str(directory), [], ["gone.bin"])])

    with pytest.raises(ArkworkerError, match="model cannot be published: No such file or directory"):
        publish_model_version(client, directory, model_id=model, work_dir=work_dir)


def test_another_refusal_is_an_error(
    emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path
) -> None:
    """An archived model takes no version; nothing is tried without a tag."""
    emulator.faults.add("CreateModelVersion", refusal(400, model=["This model is archived."]))

    with pytest.raises(ApiResponseError, match=r"CreateModelVersion \(status 400\): model: This model is archived\."):
        publish_model_version(client, directory, model_id=model, work_dir=work_dir, tag="new")

    assert (len(emulator.ledger.calls("CreateModelVersion")), list(work_dir.iterdir())) == (1, [])


@pytest.mark.parametrize("style", ["newer", "older"])
def test_a_version_with_the_same_archive_is_used(
    style: str,
    emulator: Emulator,
    client: Client,
    model: str,
    directory: Path,
    work_dir: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is sent to the storage a second time, and that is said."""
    first = publish_model_version(client, directory, model_id=model, work_dir=work_dir)
    emulator.ledger.clear()
    fault = refusal(409, existing_id=first.id) if style == "newer" else refusal(400, hash=["Exists."], id=[first.id])
    emulator.faults.add("CreateModelVersion", fault)

    second = publish_model_version(client, directory, model_id=model, work_dir=work_dir, tag="taken")

    assert (second.id, operations(emulator)) == (first.id, ["CreateModelVersion", "RetrieveModelVersion"])
    assert "already has the same archive" in caplog.text


def test_a_version_that_still_waits_for_the_same_archive_gets_it(
    emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path
) -> None:
    """One that a killed publication left, or another task has just made."""
    first = publish_model_version(client, directory, model_id=model, work_dir=work_dir)
    body = {"size": first.size, "archive_hash": first.archive_hash}
    waiting = client.request("CreateModelVersion", body, id=model)["id"]
    emulator.faults.add("CreateModelVersion", refusal(409, existing_id=waiting))

    version = publish_model_version(client, directory, model_id=model, work_dir=work_dir)

    assert (version.id, version.state) == (waiting, "available")


def test_a_version_with_another_archive_stands_in_the_way(
    emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path
) -> None:
    """It is not taken for ours."""
    other = publish_model_version(client, directory / "weights.bin", model_id=model, work_dir=work_dir)
    emulator.faults.add("CreateModelVersion", refusal(409, detail="Conflict.", existing_id=other.id))

    with pytest.raises(ApiResponseError, match=r"Conflict\."):
        publish_model_version(client, directory, model_id=model, work_dir=work_dir)


def test_a_version_that_cannot_be_looked_at_stands_in_the_way(
    emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The first refusal is the error; the second one is told."""
    emulator.faults.add("CreateModelVersion", refusal(409, detail="Conflict.", existing_id="x"))
    emulator.faults.add("RetrieveModelVersion", Fault.answer(403))

    with pytest.raises(ApiResponseError, match=r"CreateModelVersion \(status 409\): Conflict\."):
        publish_model_version(client, directory, model_id=model, work_dir=work_dir)

    assert "The model version that exists already cannot be retrieved" in caplog.text


def test_who_may_not_publish_is_told_at_once(
    emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path
) -> None:
    """A tag changes nothing about that."""
    emulator.faults.add("CreateModelVersion", Fault.answer(403))

    with pytest.raises(ApiResponseError, match="status 403"):
        publish_model_version(client, directory, model_id=model, work_dir=work_dir, tag="t")

    assert operations(emulator)[1:] == ["CreateModelVersion"]


@pytest.mark.parametrize("status", [404, 405, 501])
def test_where_there_are_no_uploads_in_parts_one_piece_is_sent(
    status: int, emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path
) -> None:
    """To the address that came with the version, which is made available by us then."""
    emulator.faults.add("CreateMultipartUpload", Fault.answer(status, b"<h1>Not here</h1>"))

    version = publish_model_version(client, directory, model_id=model, work_dir=work_dir)

    update = emulator.ledger.calls("PartialUpdateModelVersion")[0]
    assert emulator.ledger.calls("PutFile")[0].headers["content-type"] == "application/zstd"
    assert update.body == {"state": "available", "size": version.size, "archive_hash": version.archive_hash}
    assert (version.state, stored(emulator, version).stat().st_size) == ("available", version.size)


def test_an_archive_that_is_there_already_is_found_at_the_end(
    emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path
) -> None:
    """Older servers compare when a version is made available: the other one is used, and ours removed."""
    first = publish_model_version(client, directory, model_id=model, work_dir=work_dir)
    emulator.faults.add("CreateMultipartUpload", Fault.answer(404))
    emulator.faults.add("PartialUpdateModelVersion", refusal(400, hash=["Exists."], id=[first.id]))

    second = publish_model_version(client, directory, model_id=model, work_dir=work_dir)

    assert (second.id, len(emulator.ledger.calls("DestroyModelVersion"))) == (first.id, 1)


FAILURES: dict[str, tuple[str, Fault, str]] = {
    "the storage refuses a part": ("PutFile", Fault.answer(403, b"<StringToSign>canary"), r"PUT http.*\?….*status 403"),
    "the storage fails at a part": ("PutFile", Fault.answer(500), "status 500"),
    "the storage names no ETag": ("PutFile", Fault.answer(200), "the storage confirms part 3 without an ETag"),
    "the address is missing": ("CreateMultipartUploadPart", refusal(201, urn="x"), "url: should be the address"),
    "the address is none": ("CreateMultipartUploadPart", refusal(201, url="file:///canary"), "url: should be the addr"),
    "there is no address": ("CreateMultipartUploadPart", refusal(400, detail="No."), r"No\."),
    "the part is lost each time": ("PutFile", Fault.reset(), "connection reset"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_at_the_third_part_leaves_nothing(
    name: str, emulator: Emulator, client: Client, model: str, large: Path, work_dir: Path
) -> None:
    """One line; the upload is aborted, the version removed, and so is the archive."""
    operation, fault, message = FAILURES[name]
    emulator.faults.add(operation, fault, skip=2)

    with pytest.raises(ApiError, match=message) as caught:
        publish_model_version(client, large, model_id=model, work_dir=work_dir, tag="t")

    assert ("canary" in str(caught.value), str(caught.value).isprintable()) == (False, True)
    assert operations(emulator)[-2:] == ["AbortMultipartUpload", "DestroyModelVersion"]
    assert [call.status for call in emulator.ledger.calls()][-2:] == [204, 204]
    assert (list(work_dir.iterdir()), list(emulator.site.storage.path("uploads/x").parent.glob("*/*"))) == ([], [])


@pytest.mark.parametrize("answer", [{}, {"upload_id": None}, {"upload_id": ""}, {"upload_id": 3}])
def test_an_upload_without_id_leaves_nothing(
    answer: dict[str, Any], emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path
) -> None:
    """There is nothing to abort; the version is removed."""
    emulator.faults.add("CreateMultipartUpload", refusal(201, **answer))

    with pytest.raises(ApiContentError, match="upload_id: should be a text"):
        publish_model_version(client, directory, model_id=model, work_dir=work_dir)

    assert operations(emulator)[-2:] == ["CreateMultipartUpload", "DestroyModelVersion"]


@pytest.mark.parametrize("answer", [{}, {"id": None}, {"id": ""}, {"id": 3}, {"id": "a/b"}, {"id": "x", "size": "big"}])
def test_a_version_that_is_none_is_an_error(
    answer: dict[str, Any], emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path
) -> None:
    """Of one line; nothing goes to the storage."""
    emulator.faults.add("CreateModelVersion", refusal(201, **answer))

    with pytest.raises(ArkworkerError) as caught:
        publish_model_version(client, directory, model_id=model, work_dir=work_dir)

    assert (str(caught.value).isprintable(), emulator.ledger.calls("PutFile")) == (True, [])


def test_a_part_that_is_lost_is_sent_again(
    emulator: Emulator, client: Client, model: str, large: Path, work_dir: Path
) -> None:
    """That part only, whatever loses it."""
    emulator.faults.add("PutFile", Fault.reset(acted=True), skip=1, times=1)
    emulator.faults.add("PutFile", Fault.answer(503), skip=1, times=1)
    emulator.faults.add("CreateMultipartUploadPart", Fault.cut(), skip=3, times=1)

    version = publish_model_version(client, large, model_id=model, work_dir=work_dir)

    counts = [len(emulator.ledger.calls(name)) for name in ("PutFile", "CreateMultipartUploadPart")]
    assert (version.state, counts) == ("available", [6, 5])


def test_a_damaged_part_is_refused_by_the_storage(
    emulator: Emulator, client: Client, model: str, large: Path, work_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part comes with its digest."""
    from arkworker.arkindex.models import archive

    describe = archive.describe

    def damage(path: Path) -> archive.ModelArchive:
        described = describe(path)
        with path.open("r+b") as file:
            file.seek(2**20 + 5)
            file.write(b"damage")
        return described

    monkeypatch.setattr(archive, "describe", damage)

    with pytest.raises(ApiResponseError, match="status 400"):
        publish_model_version(client, large, model_id=model, work_dir=work_dir)

    assert operations(emulator)[-2:] == ["AbortMultipartUpload", "DestroyModelVersion"]


def test_an_archive_that_arkindex_does_not_recognise_leaves_nothing(
    emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path
) -> None:
    """What it refuses at the end is aborted, too."""
    emulator.faults.add("CompleteMultipartUpload", refusal(400, parts=["The hash is another one."]))

    with pytest.raises(ApiResponseError, match=r"The hash is another one\."):
        publish_model_version(client, directory, model_id=model, work_dir=work_dir)

    assert operations(emulator)[-2:] == ["AbortMultipartUpload", "DestroyModelVersion"]


@pytest.mark.parametrize("fault", [Fault.reset(acted=True), Fault.answer(502, acted=True)])
def test_a_lost_end_is_looked_up(
    fault: Fault,
    emulator: Emulator,
    client: Client,
    model: str,
    directory: Path,
    work_dir: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The version is available, although nobody said so."""
    emulator.faults.add("CompleteMultipartUpload", fault, times=1)

    version = publish_model_version(client, directory, model_id=model, work_dir=work_dir)

    assert version.state == "available"
    assert "The answer to CompleteMultipartUpload was lost" in caplog.text
    assert emulator.ledger.calls("AbortMultipartUpload") == []


def test_a_late_end_is_waited_for(
    emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path, manual_clock: ManualClock
) -> None:
    """A storage may need minutes to put the parts of a large archive together."""
    emulator.faults.add("CompleteMultipartUpload", Fault.reset(acted=True))
    emulator.faults.add("RetrieveModelVersion", refusal(200, id="x", state="created"), times=2)
    emulator.faults.add("RetrieveModelVersion", Fault.answer(404), times=1)

    version = publish_model_version(client, directory, model_id=model, work_dir=work_dir, clock=manual_clock)

    assert (version.state, manual_clock.waits) == ("available", [5, 10, 20])
    assert emulator.ledger.calls("AbortMultipartUpload") == []


def test_an_end_that_does_not_come_is_aborted(
    emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path, manual_clock: ManualClock
) -> None:
    """What can still be aborted has not ended: nothing is left of it."""
    emulator.faults.add("CompleteMultipartUpload", Fault.reset())

    with pytest.raises(ApiError, match=r"CompleteMultipartUpload: .*reset"):
        publish_model_version(client, directory, model_id=model, work_dir=work_dir, clock=manual_clock)

    assert manual_clock.waits == [5, 10, 20, 40, 80]
    assert [call.status for call in emulator.ledger.calls()[-2:]] == [204, 204]
    assert operations(emulator)[-2:] == ["AbortMultipartUpload", "DestroyModelVersion"]


def test_a_version_that_may_have_its_archive_is_not_removed(
    emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path, manual_clock: ManualClock
) -> None:
    """Nobody knows how the upload ended, and it cannot be aborted any more."""
    emulator.faults.add("CompleteMultipartUpload", Fault.reset(acted=True))
    emulator.faults.add("RetrieveModelVersion", Fault.answer(403))

    with pytest.raises(ApiError, match="CompleteMultipartUpload"):
        publish_model_version(client, directory, model_id=model, work_dir=work_dir, clock=manual_clock)

    assert operations(emulator)[-1] == "AbortMultipartUpload"


def test_what_cannot_be_cleaned_up_is_told(
    emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And does not hide what failed."""
    emulator.faults.add("PutFile", Fault.answer(403))
    emulator.faults.add("AbortMultipartUpload", Fault.answer(404))
    emulator.faults.add("DestroyModelVersion", Fault.answer(403))

    with pytest.raises(ApiResponseError, match="PUT"):
        publish_model_version(client, directory, model_id=model, work_dir=work_dir)

    assert "The upload could not be aborted" in caplog.text
    assert "stays on Arkindex without an archive" in caplog.text


def test_a_version_that_cannot_be_retrieved_is_published_all_the_same(
    emulator: Emulator, client: Client, model: str, directory: Path, work_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is known of it is returned."""
    emulator.faults.add("RetrieveModelVersion", Fault.answer(403))

    version = publish_model_version(client, directory, model_id=model, work_dir=work_dir, tag="fine")

    assert version.tag == "fine"
    assert "is published, but cannot be retrieved" in caplog.text


@pytest.mark.parametrize("name", [".", "weights.bin"])
def test_a_full_disk_is_one_line(
    name: str,
    emulator: Emulator,
    client: Client,
    model: str,
    large: Path,
    work_dir: Path,
) -> None:
    """Nothing was sent, and nothing is left."""
    emulator.ledger.clear()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, before[1]))
    try:
        with pytest.raises(ArchiveError, match="cannot be created: File too large"):
            publish_model_version(client, large / name, model_id=model, work_dir=work_dir)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert (operations(emulator), list(work_dir.iterdir())) == ([], [])


def test_a_working_directory_that_cannot_be_used_is_one_line(
    client: Client, model: str, directory: Path, tmp_path: Path
) -> None:
    """It names the directory."""
    (tmp_path / "file").touch()

    with pytest.raises(
        ArkworkerError, match="file/work: the archive of the model cannot be created there: Not a directory"
    ):
        publish_model_version(client, directory, model_id=model, work_dir=tmp_path / "file" / "work")


def test_a_file_that_nobody_could_extract_is_one_line(
    client: Client, model: str, directory: Path, work_dir: Path
) -> None:
    """A link that leads out of the model, such as those of a download cache."""
    (directory / "link").symlink_to("/etc/hostname")

    with pytest.raises(ArchiveError, match=r"member link: is a symbolic link"):
        publish_model_version(client, directory, model_id=model, work_dir=work_dir)

    assert list(work_dir.iterdir()) == []


def test_progress_is_told(
    client: Client, model: str, large: Path, work_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Part by part."""
    caplog.set_level(logging.INFO, "arkworker")
    publish_model_version(client, large, model_id=model, work_dir=work_dir)

    messages = [record.getMessage() for record in caplog.records if record.name == "arkworker"]
    assert messages[0] == f"Publishing a version of model {model} from 1 file of 3150728 bytes"
    assert messages[2:5] == [f"Uploading part {number} of 4 (1048576 bytes)" for number in (1, 2, 3)]
    assert messages[-1].endswith("is available")
