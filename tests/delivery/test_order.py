"""Publishing several results files as one: each element once, each file with its journal, all checked first."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from arkworker.delivery.journal import Journal, Owner
from arkworker.elements.results import Transcription
from arkworker.emulator import Fault

if TYPE_CHECKING:
    from results_files import Publish, ResultsFile

FIRST = (Transcription(text="first", confidence=1),)
SECOND = (Transcription(text="second", confidence=1),)


@pytest.fixture
def other(file: ResultsFile) -> ResultsFile:
    """A second file of the same worker run."""
    return replace(file, path=file.path.with_name("second.jsonl"))


def texts(file: ResultsFile) -> dict[str, list[str]]:
    """The texts that each element has on the server."""
    found: dict[str, list[str]] = {}
    for key, count in file.census().items():
        found.setdefault(key[1], []).extend([key[2]] * count)
    return found


def test_files_are_published_as_one(file: ResultsFile, other: ResultsFile, publish_here: Publish) -> None:
    """One summary counts the elements of all; the worker run is asked for once, and each file has its journal."""
    pages = file.elements[:3]
    file.record({pages[0]: FIRST, pages[1]: FIRST})
    other.record({pages[2]: SECOND})

    code, log, summary = publish_here(str(other.path))

    assert (code, summary["elements"], summary["processed"]) == (0, 3, 3), log
    assert texts(file) == {pages[0]: ["first"], pages[1]: ["first"], pages[2]: ["second"]}
    assert [call.operation for call in file.emulator.ledger.calls()].count("RetrieveWorkerRun") == 1
    assert all(one.path.with_name(one.path.name + ".journal").is_file() for one in (file, other))


def test_a_second_publication_of_several_has_nothing_to_do(
    file: ResultsFile, other: ResultsFile, publish_here: Publish
) -> None:
    """It says so, and sends no request at all; what is new in one of them is published alone."""
    file.record({file.elements[0]: FIRST})
    other.record({file.elements[1]: SECOND})
    publish_here(str(other.path))
    file.emulator.ledger.clear()

    code, log, summary = publish_here(str(other.path))
    assert (code, summary["skipped"], len(file.emulator.ledger.calls())) == (0, 2, 0), log
    assert "nothing to publish: all elements of 2 files (2) are already published" in log
    other.record({file.elements[2]: SECOND})
    code, log, summary = publish_here(str(other.path))

    assert (code, summary["skipped"], summary["processed"]) == (0, 2, 1), log


def test_of_an_element_in_several_files_the_last_counts(
    file: ResultsFile, other: ResultsFile, publish_here: Publish
) -> None:
    """A page that failed on one machine and was processed on another is published once, and this is told."""
    page = file.elements[0]
    file.record({page: ()}, failed=[page])
    other.record({page: SECOND})

    code, log, summary = publish_here(str(other.path))

    assert (code, summary["elements"], summary["processed"]) == (0, 1, 1), log
    assert (texts(file), file.states()[page]) == ({page: ["second"]}, "processed")
    assert f"elements in several files: 1, such as {page} in {file.path}" in log


def test_what_is_published_from_one_file_is_not_from_another(
    file: ResultsFile, other: ResultsFile, publish_here: Publish
) -> None:
    """In whatever order files are named, results that Arkindex has are not doubled."""
    page = file.elements[0]
    file.record({page: FIRST})
    other.record({page: SECOND})
    publish_here("--no-worker-activity")

    code, log, summary = publish_here("--no-worker-activity", str(other.path))

    assert (code, summary["skipped"], texts(file)) == (0, 1, {page: ["first"]}), log


@pytest.mark.parametrize("claimed", [True, False])
def test_what_is_published_from_several_files_is_not_from_one_of_them_again(
    claimed: bool,  # noqa: FBT001 - a parameter
    file: ResultsFile,
    other: ResultsFile,
    publish_here: Publish,
) -> None:
    """The file that did not count may say that the element was claimed: nothing else would keep it from being sent."""
    page = file.elements[0]
    if claimed:
        with file.emulator.database.transaction() as session:
            session.connection().exec_driver_sql("UPDATE activities SET state = 'started'")
    file.record({page: FIRST}, claimed=claimed)
    other.record({page: SECOND}, claimed=claimed)
    publish_here(str(other.path))

    code, log, summary = publish_here()

    assert (code, summary["skipped"], texts(file)) == (0, 1, {page: ["second"]}), log
    assert "nothing to publish" in log


def test_what_failed_in_a_file_before_is_started_again(
    file: ResultsFile, other: ResultsFile, publish_here: Publish
) -> None:
    """The journal of the first file knows that the claimed activity was ended."""
    page = file.elements[0]
    with file.emulator.database.transaction() as session:
        session.connection().exec_driver_sql("UPDATE activities SET state = 'started'")
    file.record({page: ()}, failed=[page], claimed=True)
    publish_here()
    other.record({page: SECOND}, claimed=True)

    code, log, summary = publish_here(str(other.path))

    assert (code, summary["processed"], texts(file)) == (0, 1, {page: ["second"]}), log
    assert file.emulator.ledger.history(page, file.run)[-3:] == ["error", "started", "processed"]


def test_an_interrupted_publication_of_several_goes_on(
    file: ResultsFile, other: ResultsFile, publish_here: Publish
) -> None:
    """Each file's journal knows what is on Arkindex."""
    pages = file.elements[:4]
    file.record({pages[0]: FIRST, pages[1]: FIRST})
    other.record({pages[2]: SECOND, pages[3]: SECOND})
    file.emulator.faults.add("CreateTranscription", Fault.answer(503), where=lambda call: call.body["text"] == "second")

    code, log, _ = publish_here(str(other.path))
    assert (code, "publish the same files again" in log) == (69, True), log
    file.emulator.faults.clear()
    code, log, summary = publish_here(str(other.path))

    assert (code, summary["skipped"] + summary["processed"]) == (0, 4), log
    assert texts(file) == {page: ["first" if page in pages[:2] else "second"] for page in pages}


def test_the_summary_of_settings_that_are_refused(file: ResultsFile, publish_here: Publish) -> None:
    """It is not that of the publication before."""
    file.record({file.elements[0]: FIRST})
    publish_here()

    code, log, summary = publish_here(ARKINDEX_API_URL="ftp://arkindex.example")

    assert (code, summary["exit_code"], "should be an http or https URL" in log) == (78, 78, True), log


def test_each_damaged_file_is_named_before_anything_is_sent(
    file: ResultsFile, other: ResultsFile, publish_here: Publish
) -> None:
    """All that is wrong with all of them is told at once."""
    file.record({file.elements[0]: FIRST})
    other.record({file.elements[1]: SECOND})
    for one in (file, other):
        one.path.write_bytes(one.path.read_bytes() + b'{"element":1}\n')
    missing = file.path.with_name("missing.jsonl")

    code, log, _ = publish_here(str(other.path), str(missing), "--json")

    assert (code, len(file.emulator.ledger.calls())) == (78, 0)
    places = [problem["location"] for problem in json.loads(log)["problems"]]
    assert places == [f"{file.path}:3", f"{other.path}:3", str(missing)]


def test_a_file_that_another_process_publishes_stops_all(
    file: ResultsFile, other: ResultsFile, publish_here: Publish
) -> None:
    """Its journal is locked: nothing of the others is sent either, and their journals are free again."""
    file.record({file.elements[0]: FIRST})
    other.record({file.elements[1]: SECOND})
    path = other.path.with_name(other.path.name + ".journal")
    owner = Owner("recording", file.run, file.emulator.url)
    holder = Journal(str(path), owner, 50)

    code, log, _ = publish_here(str(other.path))

    assert (code, len(file.emulator.ledger.calls())) == (78, 0)
    assert (str(path) in log, "another process is publishing" in log) == (True, True)
    holder.close()
    Journal(f"{file.path}.journal", owner, 50).close()


def test_files_of_different_worker_runs_are_refused(
    file: ResultsFile, other: ResultsFile, publish_here: Publish
) -> None:
    """One publication has one worker run that signs."""
    file.record({file.elements[0]: FIRST})
    other.record({file.elements[1]: SECOND}, header={"worker_run_id": file.emulator.add_worker_run()})

    code, log, _ = publish_here(str(other.path))

    assert (code, len(file.emulator.ledger.calls())) == (78, 0)
    assert (str(other.path) in log, "publish the files of each worker run separately" in log) == (True, True)


def test_a_file_without_a_run_beside_one_with_it(file: ResultsFile, other: ResultsFile, publish_here: Publish) -> None:
    """It is not signed unless somebody says by whom."""
    file.record({file.elements[0]: FIRST})
    other.record({file.elements[1]: SECOND}, header={"worker_run_id": None})

    code, log, _ = publish_here(str(other.path))
    assert (code, str(other.path) in log) == (78, True)
    code, log, summary = publish_here(str(other.path), "--worker-run-id", file.run)

    assert (code, summary["processed"]) == (0, 2), log


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ((), "is named more than once"),
        (("--journal", "one.journal"), "names one journal"),
        (("--summary", "{file}.journal"), "is the same file as --journal"),
        (("--summary", "{other}"), "is the same file as FILE"),
    ],
)
def test_names_that_cannot_be(
    file: ResultsFile, other: ResultsFile, publish_here: Publish, flags: tuple[str, ...], reason: str
) -> None:
    """A file that is named twice, a journal for several, a summary over what is read or written: all is refused."""
    file.record({file.elements[0]: FIRST})
    other.record({file.elements[1]: SECOND})
    named = [flag.format(file=file.path, other=other.path) for flag in flags]
    second = str(other.path) if flags else str(file.path.parent / "." / file.path.name)

    code, log, _ = publish_here(second, *named)

    assert (code, len(file.emulator.ledger.calls())) == (78, 0), log
    assert reason in log
