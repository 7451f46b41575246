"""Publishing a results file: states, failures, what is refused, what is sent again and what is not."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from element_runs import wait_until
from results_files import rich_results

from arkworker.arkindex.client import Client, Connection
from arkworker.delivery.journal import Journal, Owner
from arkworker.elements.model import Element
from arkworker.elements.recorded import RecordedElement
from arkworker.elements.results import Child, Classification, Entity, Link, Metadata, On, Transcription
from arkworker.elements.stored import StoredTranscription
from arkworker.emulator import Emulator, Fault
from arkworker.storage.recording.lines import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from results_files import Publish, ResultsFile

TEXT = (Transcription(text="x", confidence=1),)


def calls(file: ResultsFile) -> Counter[str]:
    return Counter(str(call.operation) for call in file.emulator.ledger.calls())


def kinds(file: ResultsFile) -> Counter[str]:
    """How many results of each kind the server has."""
    found: Counter[str] = Counter()
    for key, count in file.census().items():
        found[str(key[0])] += count
    return found


def claim_all(file: ResultsFile) -> None:
    """As a run on a task did: nothing is started by the publication."""
    with file.emulator.database.transaction() as session:
        session.connection().exec_driver_sql("UPDATE activities SET state = 'started'")


def test_results_then_states(file: ResultsFile, publish_here: Publish) -> None:
    """Every element is started, gets its results in bulk, and ends as it was recorded; nothing is retrieved."""
    first, second, failed = file.elements[:3]
    file.record({first: rich_results(file.elements[5]), second: TEXT, failed: ()}, failed=[failed])

    code, log, summary = publish_here()

    assert (code, summary["processed"], summary["failed"]) == (0, 2, 1), log
    assert [file.states()[name] for name in (first, second, failed)] == ["processed", "processed", "error"]
    assert file.emulator.ledger.history(failed, file.run) == ["queued", "started", "error"]
    assert "ValueError: boom" in log
    assert calls(file)["CreateElements"] == 1
    assert not {"RetrieveElement", "RetrieveWorkerRunConfiguration"} & calls(file).keys()


def test_what_was_claimed_is_only_ended(file: ResultsFile, publish_here: Publish) -> None:
    """Elements of the queue were started when they were claimed."""
    names = file.elements[:2]
    claim_all(file)
    file.record({names[0]: TEXT, names[1]: ()}, failed=[names[1]], claimed=True)

    code, log, _ = publish_here()

    assert code == 0, log
    assert [file.states()[name] for name in names] == ["processed", "error"]
    assert calls(file)["UpdateWorkerActivity"] == 2


def test_a_second_publication_has_nothing_to_do(file: ResultsFile, publish_here: Publish) -> None:
    """It says so, and sends no request at all."""
    file.record({file.elements[0]: TEXT, file.elements[1]: ()}, failed=[file.elements[1]])
    publish_here()
    file.emulator.ledger.clear()

    code, log, summary = publish_here()

    assert (code, summary["skipped"], calls(file)) == (0, 2, {})
    assert "nothing to publish" in log


def test_a_failed_element_does_not_hold_up_others_and_is_tried_again(file: ResultsFile, publish_here: Publish) -> None:
    """What the corpus lacks is one element's failure; once it is there, the same command publishes the rest."""
    first, second = file.elements[:2]
    file.record({first: (*TEXT, Child(type="sentence", polygon=[(0, 0), (0, 9), (9, 9)])), second: TEXT})

    code, log, summary = publish_here()

    assert (code, summary["processed"], summary["failed"]) == (0, 1, 1), log
    assert "has no element type 'sentence'" in log
    assert [file.states()[name] for name in (first, second)] == ["error", "processed"]
    file.emulator.add_type("sentence")
    code, log, summary = publish_here()
    assert (code, summary["processed"], summary["skipped"]) == (0, 1, 1), log
    assert file.states()[first] == "processed"
    assert kinds(file) == {"element": 1, "link": 1, "transcription": 2}


def test_a_refused_request_is_sent_again_alone(file: ResultsFile, publish_here: Publish) -> None:
    """Of an element that failed half-way, the next publication sends what was not accepted."""
    page = file.elements[0]
    file.record({page: rich_results(file.elements[5])})
    file.emulator.faults.add("CreateMetaDataBulk", Fault.answer(400, b"no"), times=1)

    code, log, _ = publish_here()
    assert (code, file.states()[page]) == (1, "error"), log
    before = calls(file)
    code, log, _ = publish_here()

    assert (code, file.states()[page]) == (0, "processed"), log
    assert (calls(file) - before)["CreateElements"] == 0
    assert kinds(file)["metadata"] == 4


def test_an_element_of_somebody_else_is_skipped(file: ResultsFile, publish_here: Publish) -> None:
    """What another process has processed gets nothing from here."""
    page = file.elements[0]
    file.record({page: TEXT})
    with file.emulator.database.transaction() as session:
        session.connection().exec_driver_sql("UPDATE activities SET state = 'processed'")

    code, log, summary = publish_here()

    assert (code, summary["skipped"], kinds(file)) == (0, 1, {}), log
    assert "another process has it" in log


def test_an_element_that_the_process_does_not_have(file: ResultsFile, publish_here: Publish) -> None:
    """Its start is refused with a conflict, so nothing is published, unless states are left out."""
    outside = file.elements[5]
    file.record({outside: TEXT})

    code, log, summary = publish_here()
    assert (code, summary["skipped"], kinds(file)) == (0, 1, {}), log
    assert "--no-worker-activity" in log
    code, log, _ = publish_here("--no-worker-activity")

    assert (code, kinds(file)) == (0, {"transcription": 1}), log
    assert calls(file)["UpdateWorkerActivity"] == 1


def test_a_start_that_is_refused(file: ResultsFile, publish_here: Publish) -> None:
    """It is that element's failure, and nothing of it is published."""
    file.record({file.elements[0]: TEXT, file.elements[1]: TEXT})
    refusal = Fault.answer(404, b"no such activity")
    file.emulator.faults.add("UpdateWorkerActivity", refusal, where=lambda call: call.body["element_id"] == element)
    element = file.elements[0]

    code, log, summary = publish_here()

    assert (code, summary["failed"], kinds(file)) == (0, 1, {"transcription": 1}), log
    assert "its start was refused" in log


def test_a_continued_file_is_published_again(file: ResultsFile, publish_here: Publish) -> None:
    """What failed first and was processed later is published, after its failure was."""
    page = file.elements[0]
    file.record({page: ()}, failed=[page])
    publish_here()
    file.record({page: TEXT})

    code, log, _ = publish_here()

    assert (code, kinds(file)) == (0, {"transcription": 1}), log
    assert file.emulator.ledger.history(page, file.run) == ["queued", "started", "error", "started", "processed"]


def test_what_was_published_in_the_middle_comes_first(file: ResultsFile, publish_here: Publish) -> None:
    """Results that user code published on any element are those of the line that they stand in."""
    page, other = file.elements[0], file.elements[5]
    part = Part(element=RecordedElement(id=other, corpus_id=file.corpus), results=TEXT)
    file.record({page: ()}, failed=[page], published=(part,))

    code, log, _ = publish_here()

    assert (code, file.states()[page]) == (1, "error"), log
    assert file.census() == {("transcription", other, "x", 1.0): 1}


@pytest.mark.parametrize("fault", [None, Fault.close(acted=True), Fault.close()], ids=["calm", "lost", "not sent"])
def test_results_on_others_are_published_with_the_rest(
    file: ResultsFile, publish_here: Publish, fault: Fault | None
) -> None:
    """On elements and stored transcriptions that are named in the file; looked for there where an answer was lost."""
    page, *others = file.elements[:1] + file.elements[4:]
    found: dict[str, Sequence[Any]] = {
        page: [On(Element(id=other), Transcription(text="there", confidence=1)) for other in others]
    }
    file.record(found)
    if fault is not None:
        file.emulator.faults.add("CreateTranscriptions", fault, times=1)

    code, log, _ = publish_here()

    assert (code, file.census()) == (0, {("transcription", other, "there", 1.0): 1 for other in others}), log


def test_entities_on_a_stored_transcription_are_published(file: ResultsFile, publish_here: Publish) -> None:
    """The text itself is not there twice."""
    page = file.elements[0]
    client = Client(Connection(url=file.emulator.url, token=file.emulator.token))
    body = {"text": "Paris", "confidence": 1.0, "orientation": "horizontal-lr", "worker_run_id": file.run}
    stored = StoredTranscription(id=client.request("CreateTranscription", body, id=page)["id"], text="Paris")
    client.close()
    file.record({page: [On(stored, Entity(type="place", offset=0, length=5))]})

    code, log, _ = publish_here()

    assert (code, kinds(file)) == (0, {"transcription": 1, "entity": 1}), log


def test_results_without_a_run_are_signed_by_the_one_that_is_named(file: ResultsFile, publish_here: Publish) -> None:
    """Whoever publishes says which; without that, nothing is sent."""
    file.record({file.elements[0]: TEXT}, header={"worker_run_id": None, "corpus_id": None})

    code, log, _ = publish_here()
    assert (code, calls(file)) == (78, {})
    assert "--worker-run-id" in log
    code, log, _ = publish_here("--worker-run-id", file.run)

    assert (code, kinds(file)) == (0, {"transcription": 1}), log


@pytest.mark.parametrize("change", [(), ("--worker-run-id",)])
def test_no_other_run_signs(file: ResultsFile, publish_here: Publish, change: tuple[str, ...]) -> None:
    """Neither a variable nor a flag mixes what belongs to different runs."""
    file.record({file.elements[0]: TEXT})
    other = file.emulator.add_worker_run()
    flags = (*change, other) if change else ()
    variables = {} if change else {"ARKINDEX_WORKER_RUN_ID": other}

    code, log, _ = publish_here(*flags, **variables)

    assert (code, calls(file)) == (78, {})
    assert ("--worker-run-id" if change else "ARKINDEX_WORKER_RUN_ID") in log


def test_the_whole_file_is_checked_first(file: ResultsFile, publish_here: Publish) -> None:
    """A damaged line is named, and not even the lines before it are published."""
    file.record({file.elements[0]: TEXT})
    file.path.write_bytes(file.path.read_bytes() + b'{"element":1}\n')

    code, log, _ = publish_here("--json")

    assert (code, calls(file)) == (78, {})
    assert json.loads(log)["problems"][0]["location"] == f"{file.path}:3"


def test_what_stands_in_a_damaged_line_is_not_shown(file: ResultsFile, publish_here: Publish) -> None:
    """Not even where a kind of result should stand: it may hold what a terminal obeys."""
    file.record({file.elements[0]: TEXT})
    file.path.write_bytes(file.path.read_bytes().replace(b'"kind":"transcription"', b'"kind":"\\u001b[31mred"'))

    code, log, _ = publish_here()

    assert (code, "red" in log) == (78, False)
    assert "results.0: 'kind' should be one of 'transcription', 'classification'," in log


def test_a_cut_line_is_told(file: ResultsFile, publish_here: Publish) -> None:
    """What is whole is published; that a run was killed while it wrote is said."""
    file.record({file.elements[0]: TEXT, file.elements[1]: TEXT})
    file.path.write_bytes(file.path.read_bytes()[:-9])

    code, log, summary = publish_here()

    assert (code, summary["processed"]) == (0, 1)
    assert "its last line was cut" in log


def other_journal(file: ResultsFile, content: bytes) -> tuple[str, ...]:
    path = file.path.with_name("other.journal")
    path.write_bytes(content)
    return "--journal", str(path)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (lambda file: other_journal(file, b"hello\n"), "not the journal"),
        (lambda file: other_journal(file, b'{"format":"arkworker publication","version":9}\n'), "not the journal"),
        (
            lambda file: other_journal(file, b'{"format":"arkworker publication","version":1,"batch_size":1e999}\n'),
            "not the journal",
        ),
        (lambda file: ("--journal", str(file.path)), "same file"),
        (lambda file: ("--summary", str(file.path)), "same file"),
        (lambda file: ("--journal", str(file.path.parent)), "  is a directory, not a file"),
        (lambda _: ("--journal", "/dev/full"), "not a regular file"),
        (lambda file: ("--journal", str(file.path / "x")), "cannot be written"),
        (lambda _: ("--publication-batch-size", "0"), "greater than or equal to 1"),
        (lambda _: ("--worker-run-id", "../x"), "should be an id"),
    ],
)
def test_what_cannot_work_is_refused_before_the_first_request(
    file: ResultsFile, publish_here: Publish, flags: Callable[[ResultsFile], tuple[str, ...]], reason: str
) -> None:
    """Nothing is sent, and no file is written over."""
    file.record({file.elements[0]: TEXT})
    before = file.path.read_bytes()

    code, log, _ = publish_here(*flags(file))

    assert (code, calls(file), file.path.read_bytes()) == (78, {}, before), log
    assert reason in log


@pytest.mark.parametrize("name", ["missing.jsonl", "folder", "journal"])
def test_files_that_are_none(file: ResultsFile, publish_here: Publish, name: str) -> None:
    """One line says what is wrong with what was named."""
    path = file.path.with_name(name)
    if name == "folder":
        path.mkdir()
    elif name == "journal":
        path.write_text("{}\n")
    file.path = path

    code, log, _ = publish_here("--journal", str(path.parent / "j"))

    assert (code, "Traceback" in log) == (78, False), log


def test_a_journal_of_another_instance_is_refused(file: ResultsFile, publish_here: Publish) -> None:
    """What was published there says nothing about here."""
    file.record({file.elements[0]: TEXT})
    publish_here()

    code, log, _ = publish_here(ARKINDEX_API_URL="https://other.example/")

    assert code == 78
    assert "belongs to a publication with the origin" in log


def test_an_instance_that_was_named_by_mistake(file: ResultsFile, publish_here: Publish) -> None:
    """Nothing was sent there: the journal is free for the right one."""
    file.record({file.elements[0]: TEXT})
    with Emulator() as wrong:
        refused, _, _ = publish_here(ARKINDEX_API_URL=f"{wrong.url}/api/v1/", ARKINDEX_API_TOKEN=wrong.token)

    code, log, _ = publish_here(**{name: file.environment[name] for name in ("ARKINDEX_API_URL", "ARKINDEX_API_TOKEN")})

    assert (refused, code, kinds(file)) == (78, 0, {"transcription": 1}), log


def test_a_server_that_is_gone(file: ResultsFile, publish_here: Publish) -> None:
    """Out of reach is worth a retry, and nothing is counted as failed."""
    file.record({file.elements[0]: TEXT, file.elements[1]: TEXT})
    file.emulator.faults.add("CreateTranscription", Fault.answer(503))

    code, log, summary = publish_here()

    assert (code, summary["failed"], summary["exit_code"]) == (69, 0, 69), log
    assert "publish the file again" in log
    file.emulator.faults.clear()
    code, log, summary = publish_here()
    assert (code, summary["processed"], kinds(file)) == (0, 2, {"transcription": 2}), log


def test_a_token_that_is_refused_ends_it(file: ResultsFile, publish_here: Publish) -> None:
    """It would be refused for every element."""
    file.record({file.elements[0]: TEXT})

    code, log, _ = publish_here(ARKINDEX_API_TOKEN="wrong")

    assert (code, calls(file)) == (78, {"RetrieveWorkerRun": 1})
    assert "ARKINDEX_API_TOKEN" in log


def test_results_that_are_there_in_part_are_left_to_a_person(file: ResultsFile, publish_here: Publish) -> None:
    """Where it cannot be told what became of a request, it is neither sent again nor taken for done."""
    page = file.elements[0]
    file.record({page: (Transcription(text="a", confidence=1), Transcription(text="b", confidence=1))})
    file.emulator.faults.add("CreateTranscriptions", Fault.close(), times=1)
    with file.emulator.database.transaction() as session:
        from arkworker.emulator.tables import Transcription as Row

        session.add(Row(element_id=page, text="a", confidence=1.0, worker_run_id=file.run))

    code, log, summary = publish_here()

    assert (code, summary["uncertain"], kinds(file)) == (75, 1, {"transcription": 1}), log
    assert "1 of its 2 results" in log


def test_results_that_were_there_before_are_none_of_ours(file: ResultsFile, publish_here: Publish) -> None:
    """Equal results of people and of other runs are not taken for what was sent."""
    page = file.elements[0]
    other = file.emulator.add_worker_run(elements=[])
    before = (*TEXT, Classification(class_name="clean", confidence=1), Link(children=[file.elements[5]]))
    file.record({page: before})
    publish_here()
    with file.emulator.database.transaction() as session:
        session.connection().exec_driver_sql("UPDATE transcriptions SET worker_run_id = ?", (other,))
    twin = file.path.with_name("twin.jsonl")
    file.path = twin
    file.record({page: TEXT})
    file.emulator.faults.add("CreateTranscription", Fault.close(), times=1)

    code, log, _ = publish_here("--no-worker-activity")

    assert (code, kinds(file)["transcription"]) == (0, 2), log


def test_two_publications_at_once_are_refused(file: ResultsFile, publish_here: Publish) -> None:
    """One of them would send what the other has in flight."""
    file.record({file.elements[0]: TEXT})
    path = file.path.with_name(file.path.name + ".journal")
    other = Journal(str(path), Owner("recording", file.run, file.emulator.url), 50)

    code, log, _ = publish_here()

    assert (code, calls(file)) == (78, {})
    assert "another process is publishing" in log
    other.close()


def test_a_signal_ends_it_in_good_order(file: ResultsFile) -> None:
    """What is in flight may finish, the rest is left; the same command goes on."""
    file.record({page: rich_results(file.elements[5]) for page in file.elements[:4]})
    file.emulator.faults.add("Create*", Fault.delay(0.05, acted=True))
    process = file.start("--summary", str(file.path.with_suffix(".first")))
    wait_until(lambda: calls(file)["CreateElements"] > 0)
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)

    assert process.returncode == 128 + signal.SIGTERM, log
    assert json.loads(file.path.with_suffix(".first").read_text())["exit_code"] == 128 + signal.SIGTERM
    assert '"time"' in file.path.with_name(file.path.name + ".journal").read_text()
    file.emulator.faults.clear()
    code, log, summary = file.publish()
    assert (code, summary["processed"]) == (0, 4), log
    assert kinds(file)["element"] == 8 * 4


def test_a_full_disk_stops_it_before_anything_is_sent_unnoted(file: ResultsFile, publish_here: Publish) -> None:
    """What cannot be noted is not sent."""
    import resource

    file.record({file.elements[0]: TEXT})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    try:
        code, log, _ = publish_here()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert (code, kinds(file)) == (78, {}), log
    assert "cannot be written: File too large" in log
    code, log, _ = publish_here()
    assert (code, kinds(file)) == (0, {"transcription": 1}), log


def test_a_summary_as_json(file: ResultsFile, publish_here: Publish) -> None:
    """For scripts."""
    file.record({file.elements[0]: TEXT})

    code, log, summary = publish_here("--json", "--log-format", "json")

    assert code == 0
    assert json.loads(log[log.index("{\n") :]) == summary


def test_nothing_is_left_open(file: ResultsFile, publish_here: Publish) -> None:
    """A publication returns its files and its connections."""
    file.record({file.elements[0]: TEXT})
    publish_here()
    before = len(list(os.scandir("/proc/self/fd")))
    for _ in range(3):
        publish_here()

    wait_until(lambda: len(list(os.scandir("/proc/self/fd"))) <= before)  # the server closes its ends later


@pytest.mark.parametrize("is_copy", [True, False])
@pytest.mark.parametrize("flags", [(), ("--no-worker-activity",)])
def test_what_another_copy_published_is_not_there_twice(
    file: ResultsFile, publish_here: Publish, *, is_copy: bool, flags: tuple[str, ...]
) -> None:
    """The copy has another id, or the journal is lost: the first request is looked for, and what is there stays."""
    claim_all(file)
    file.record({file.elements[0]: rich_results(file.elements[5]), file.elements[1]: TEXT}, claimed=True)
    publish_here(*flags)
    before = file.census()
    if is_copy:
        copy = file.path.with_name("copy.jsonl")
        copy.write_text(file.path.read_text().replace('"id":"recording"', '"id":"another"', 1))
        file.path = copy
    else:
        file.path.with_name(file.path.name + ".journal").unlink()

    code, log, summary = publish_here(*flags)

    assert (code, summary["skipped"], summary["uncertain"]) == (0, 2, 0), log
    assert file.census() == before
    assert f"element {file.elements[1]}: all its results were on Arkindex already, and not sent again" in log


def test_what_another_copy_began_is_completed(file: ResultsFile, publish_here: Publish) -> None:
    """Killed in the middle, and its journal is lost."""
    claim_all(file)
    page = file.elements[0]
    file.record({page: (*TEXT, Classification(class_name="clean", confidence=1))}, claimed=True)
    file.emulator.faults.add("CreateClassification", Fault.answer(400, b"no"), times=2)
    publish_here()
    file.path.with_name(file.path.name + ".journal").unlink()

    code, log, _ = publish_here("--no-worker-activity")

    assert (code, kinds(file)) == (0, {"transcription": 1, "classification": 1}), log
    assert f"element {page}: a part of its results were on Arkindex already, and not sent again" in log


def test_a_file_that_was_edited_is_not_sent_anew(file: ResultsFile, publish_here: Publish) -> None:
    """A line that moved is no new one; of a line that changed, only what is new is sent."""
    first, second = file.elements[:2]
    clean = Classification(class_name="clean", confidence=1)
    file.record({first: TEXT, second: (*TEXT, clean, Metadata(type="text", name="a", value="b"))}, claimed=True)
    publish_here("--no-worker-activity")
    header, one, two = file.path.read_text().splitlines(keepends=True)
    file.path.write_text(header + two.replace('"clean"', '"dirty"') + one)

    code, log, _ = publish_here("--no-worker-activity")

    assert (code, kinds(file)) == (0, {"transcription": 2, "classification": 2, "metadata": 1}), log


def test_equal_results_of_several_lines_on_one_element_stay(file: ResultsFile, publish_here: Publish) -> None:
    """Each line put the same on a common element: they are no copies of each other. Equal parts are no copy, either."""
    claim_all(file)
    first, second, third, common = file.elements[:4]
    target = Element.model_validate({"id": common, "type": "page", "corpus": {"id": file.corpus}})
    file.record(dict.fromkeys((first, second), (On(target=target, results=TEXT),)), claimed=True)
    file.record({third: TEXT}, claimed=True)
    publish_here()
    file.record({third: (*TEXT, Transcription(text="y", confidence=1))}, claimed=True)

    code, log, _ = publish_here("--no-worker-activity")

    assert (code, kinds(file)) == (0, {"transcription": 5}), log


def test_a_token_that_may_not_look_publishes(file: ResultsFile, publish_here: Publish) -> None:
    """A look that is refused says nothing."""
    file.record({file.elements[0]: TEXT}, claimed=True)
    file.emulator.faults.add("ListTranscriptions", Fault.answer(403, b"no"))

    code, log, _ = publish_here("--no-worker-activity")

    assert (code, kinds(file)) == (0, {"transcription": 1}), log
