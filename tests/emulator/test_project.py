"""Projects: what a person writes, and what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from PIL import Image

from arkworker.emulator import Emulator, Fault, add_project
from arkworker.emulator.project.reading import read_fault, read_project
from arkworker.emulator.project.steps import arrange as lay_out
from arkworker.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = """
corpus: Letters
types: [text_line, {slug: register, name: Register, folder: true}]
images: scans
elements:
  - name: Register 1
    type: register
    children:
      - {name: Inside, size: [100, 200], polygon: [[0, 0], [0, 50], [50, 50]]}
  - {name: Sheet, size: [300, 400], count: 3}
  - {name: Read, size: [300, 400], transcriptions: ["Bonjour", "Bonsoir"]}
secrets: {key: sesame}
worker: worker.yml
values: {threshold: 0.7, key: key}
model: {name: M, configuration: {size: 9}}
datasets: {D: {train: [Inside, Sheet 2]}}
chunks: 2
faults: [{operation: RetrieveCorpus, effect: answer, status: 503, retry_after: "3", times: 1}]
"""
WORKER = """
slug: lines
display_name: Lines
configuration:
  - {key: threshold, type: float, display_name: T, default: 0.5}
  - {key: size, type: int, display_name: S, default: 1}
  - {key: key, type: secret, display_name: K}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scans" / "volume 2").mkdir(parents=True)
    for name in ("b.png", "a.jpg", "volume 2/c.jpg", ".hidden.jpg"):
        Image.new("RGB", (30, 40)).save(tmp_path / "scans" / name)
    (tmp_path / "scans" / "notes.txt").write_text("no image")
    (tmp_path / "project.yml").write_text(PROJECT)
    (tmp_path / "worker.yml").write_text(WORKER)
    return tmp_path


@pytest.fixture
def empty() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def arrange(emulator: Emulator, path: Path) -> str:
    return add_project(emulator, path)


def get(emulator: Emulator, path: str, **query: Any) -> Any:
    headers = {"Authorization": f"Token {emulator.token}"}
    answer = requests.get(f"{emulator.url}/api/v1{path}", headers=headers, params=query, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def names(emulator: Emulator, run: str) -> list[str]:
    """The names of the queue."""
    return [get(emulator, f"/element/{element}/")["name"] for element in emulator.activity_states(run)]


def test_a_project_becomes_a_corpus_and_a_run(empty: Emulator, folder: Path) -> None:
    """Images, elements, model, values and secrets are all there."""
    run = arrange(empty, folder / "project.yml")

    items = get(empty, f"/workers/runs/{run}/configuration/")["configuration"]
    assert {item["key"]: item["value"] for item in items[:2]} == {"threshold": 0.7, "size": 9}
    assert get(empty, f"/secret/{items[2]['value']}")["content"] == "sesame"
    assert names(empty, run) == ["a", "b", "c", "Inside", "Sheet 1", "Sheet 2", "Sheet 3", "Read"]
    assert len(empty.tasks(run)) == 2


def test_elements_are_where_the_file_puts_them(empty: Emulator, folder: Path) -> None:
    """Folders become volumes, children stand below their parents with their polygons."""
    run = arrange(empty, folder / "project.yml")
    corpus = get(empty, f"/process/workers/{run}/")["process"]["corpus"]
    empty.faults.clear()

    top = {item["name"]: item for item in get(empty, f"/corpus/{corpus}/elements/", top_level=True)["results"]}
    (inside,) = get(empty, f"/elements/{top['Register 1']['id']}/children/")["results"]
    (scan,) = get(empty, f"/elements/{top['volume 2']['id']}/children/")["results"]

    assert list(top) == ["a", "b", "volume 2", "Register 1", "Sheet 1", "Sheet 2", "Sheet 3", "Read"]
    assert inside["zone"]["polygon"] == [[0, 0], [0, 50], [50, 50], [0, 0]]
    assert (scan["name"], scan["zone"]["image"]["width"]) == ("c", 30)


def test_faults_of_a_project_are_in_force(empty: Emulator, folder: Path) -> None:
    """The first call of the operation fails, as the file says."""
    run = arrange(empty, folder / "project.yml")
    corpus = get(empty, f"/process/workers/{run}/")["process"]["corpus"]
    headers = {"Authorization": f"Token {empty.token}"}
    url = f"{empty.url}/api/v1/corpus/{corpus}/"

    answers = [requests.get(url, headers=headers, timeout=30) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [503, 200]
    assert answers[0].headers["retry-after"] == "3"


def test_a_folder_of_images_is_a_project(empty: Emulator, folder: Path) -> None:
    """Every image is a page, in the order of names."""
    run = arrange(empty, folder / "scans")

    assert names(empty, run) == ["a", "b", "c"]


def test_the_queue_can_be_of_one_type(empty: Emulator, tmp_path: Path) -> None:
    """Only elements of that type are worked on."""
    (tmp_path / "p.yml").write_text(
        "queue: text_line\nelements: [{size: [9, 9], children: [{type: text_line, name: l}]}]"
    )

    assert names(empty, arrange(empty, tmp_path / "p.yml")) == ["l"]


def test_a_queue_of_a_type_that_is_not_there(empty: Emulator, tmp_path: Path) -> None:
    """An empty queue would look like work that is done."""
    (tmp_path / "p.yml").write_text("elements: [{size: [9, 9]}]\nqueue: pages")

    with pytest.raises(ConfigurationError) as caught:
        arrange(empty, tmp_path / "p.yml")
    (problem,) = caught.value.problems
    assert (problem.location, problem.message) == (f"{tmp_path}/p.yml:2:8", "no element type is named 'pages'")
    assert problem.hint == "did you mean page?"


def test_a_later_queue_of_a_type_that_nobody_has_created(empty: Emulator, tmp_path: Path) -> None:
    """What the workers before it create is there when it starts, even if they find nothing."""
    workers = "workers: [{command: 'true'}, {command: 'true', queue: line}, {command: 'true', queue: volume}]"
    (tmp_path / "p.yml").write_text(f"types: [line]\nelements: [{{size: [9, 9]}}]\n{workers}")
    first, second, third = lay_out(empty, read_project(tmp_path / "p.yml"))
    first.start(())
    second.start(())

    with pytest.raises(ConfigurationError) as caught:
        third.start(())
    (problem,) = caught.value.problems
    assert (problem.path, problem.message) == ("workers.2.queue", "no element type is named 'volume'")
    assert problem.hint == "there are: line, page"


def test_sets_of_two_datasets_of_the_same_name(empty: Emulator, tmp_path: Path) -> None:
    """As an export can bring them: those of both are worked on."""
    empty.add_corpus()
    other = empty.add_dataset("Truth", {"test": [empty.add_element("page", "Other", image=(9, 9))]})
    (tmp_path / "p.yml").write_text(
        "elements: [{name: a, size: [9, 9]}]\ndatasets: {Truth: {train: [a]}}\nmode: dataset\nsets: [Truth]"
    )
    run = add_project(empty, tmp_path / "p.yml")

    process = get(empty, f"/process/workers/{run}/")["process"]["id"]
    sets = get(empty, f"/process/{process}/sets/")["results"]
    assert {item["set_name"] for item in sets} == {"test", "train"}
    assert other in {item["dataset"]["id"] for item in sets}


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("datasets: {Truth: {train: [a]}}", "list it under `elements`"),
        ("exports: [{name: e, dataset: Truth}]", "list it under `datasets`"),
        ("elements: [{transcriptions: [{text: a, worker_run: Reader}]}]", "list it under `runs`"),
    ],
)
def test_a_name_that_is_like_no_other(empty: Emulator, tmp_path: Path, text: str, hint: str) -> None:
    """The problem says where such names are listed."""
    (tmp_path / "p.yml").write_text(text)

    with pytest.raises(ConfigurationError) as caught:
        arrange(empty, tmp_path / "p.yml")
    assert [problem.hint for problem in caught.value.problems] == [hint]


def test_a_legacy_declaration_file(empty: Emulator, tmp_path: Path) -> None:
    """Of a file with several workers, the first one runs, in the legacy generation."""
    legacy = "version: 2\nworkers: [{name: W, slug: w, type: t, configuration: {a: 1}}]"
    (tmp_path / ".arkindex.yml").write_text(legacy)
    (tmp_path / "p.yml").write_text("worker: .arkindex.yml")

    run = arrange(empty, tmp_path / "p.yml")

    version = get(empty, f"/process/workers/{run}/")["worker_version"]
    assert version["configuration"] == {"configuration": {"a": 1}}


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("corpus: 3\nelements: [{sizes: 3}]", ["p.yml:1:9", "p.yml:2:20"]),
        ("chunks: 0", ["p.yml:1:9"]),
        ("a: [", ["p.yml:1:5"]),
        ("[]", ["p.yml"]),
        ("corpus: a\ncorpus: b", ["p.yml:2:1"]),
        ("images: nowhere", ["p.yml:1:9"]),
        ("elements: [{image: nowhere.jpg}]", ["p.yml:1:20"]),
        ("elements: [{image: p.yml, count: 2}]", ["p.yml:1:20"]),
        ("worker: nowhere.yml", ["nowhere.yml"]),
        ("worker: {slug: w, display_name: W}\nvalues: {a: 1}", ["p.yml:2:13"]),
        ("worker: {configuration: [a]}", ["p.yml:1:9"]),
        ("worker: {configuration: [{key: a}]}", ["p.yml:1:9"]),
        ("worker: {user_configuration: [a]}", ["p.yml:1:9"]),
        ("worker: [a]", ["p.yml:1:9"]),
        ("datasets: {D: {train: [nobody]}}", ["p.yml:1:24"]),
        ("faults: [{operation: X, effect: boom}]", ["p.yml:1:22", "p.yml:1:33"]),
        ("values: {a: 123456789012345678901234567890123456789012345678901234567890}", ["p.yml:1:13"]),
        ("worker: nowhere.py:Name", ["p.yml:1:9"]),
        ("model: {files: nowhere}", ["p.yml:1:16"]),
        ("parents: [nowhere]", ["p.yml:1:11"]),
        ("parents: [{cache: nowhere}]", ["p.yml:1:19"]),
        ("mode: dataset", ["p.yml:1:7"]),
        ("mode: dataset\nsets: [D/tran]\ndatasets: {D: {train: []}}", ["p.yml:2:8"]),
        ("sets: [a]", ["p.yml:1:7"]),
        ("workers: [{worker: {slug: a}}, {worker: {slug: b}}]", ["p.yml:1:11"]),
        ("elements: [{name: a, worker_run: old}]", ["p.yml:1:34"]),
        ("elements: [{transcriptions: [{text: ab, entities: [{type: t, offset: 1, length: 2}]}]}]", ["p.yml:1:52"]),
        ("worker: {slug: w, configuration: [{key: m, type: model}]}\nvalues: {m: Mine}", ["p.yml:2:13"]),
        ("elements: [{url: 'https://a/b'}]", ["p.yml:1:12"]),
    ],
)
def test_mistakes_are_said_with_their_place(empty: Emulator, tmp_path: Path, text: str, places: list[str]) -> None:
    """One line for each, which names the file, the line and the column where they are known."""
    path = tmp_path / "p.yml"
    path.write_text(text)

    with pytest.raises(ConfigurationError) as caught:
        arrange(empty, path)

    found = [str(Path(problem.location).name) for problem in caught.value.problems]
    assert found == places
    assert "\n" not in str(caught.value)


def test_code_of_a_worker_that_is_not_there(tmp_path: Path, empty: Emulator) -> None:
    """What `schema` says of it, as the message of the place in the file."""
    (tmp_path / "p.yml").write_text("worker: nowhere.py:Name")

    with pytest.raises(ConfigurationError) as caught:
        arrange(empty, tmp_path / "p.yml")

    [problem] = caught.value.problems
    assert problem.message == "there is no file nowhere.py"


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """No traceback for a misspelt name."""
    with pytest.raises(ConfigurationError, match=r"nothing\.yml"):
        read_project(tmp_path / "nothing.yml")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("value: {a: 1}", "did you mean values?"),
        ("elements: [{sise: [1, 1]}]", "did you mean size?"),
        ("elements: [{children: [{transcriptions: [{txt: a}]}]}]", "did you mean text?"),
        ("workers: [{worker: a.py:A, qeue: page}]", "did you mean queue?"),
    ],
)
def test_a_misspelt_key_is_told_by_those_of_its_place(tmp_path: Path, text: str, hint: str) -> None:
    """What another part of a project has is not proposed."""
    (tmp_path / "project.yml").write_text(text)

    with pytest.raises(ConfigurationError) as caught:
        read_project(tmp_path / "project.yml")

    assert hint in [problem.hint for problem in caught.value.problems]


@pytest.mark.parametrize("text", ["elements: [{name: 1871}]", "elements: [{transcriptions: [12.5]}]"])
def test_a_number_where_text_belongs(tmp_path: Path, text: str) -> None:
    """YAML reads a year as a number: quotes make text of it."""
    (tmp_path / "project.yml").write_text(text)

    with pytest.raises(ConfigurationError) as caught:
        read_project(tmp_path / "project.yml")

    assert [problem.hint for problem in caught.value.problems] == ["put text in quotes"]


def test_transcriptions_are_entered_by_a_person(folder: Path, empty: Emulator) -> None:
    """What an element of the project has on it was found by no worker."""
    run = arrange(empty, folder / "project.yml")
    read = list(empty.activity_states(run))[-1]
    found = get(empty, f"/element/{read}/transcriptions/", worker_run="False")["results"]

    assert [item["text"] for item in found] == ["Bonjour", "Bonsoir"]


def test_a_fault_is_written_on_a_command_line() -> None:
    """Operation, effect, and what else there is to say."""
    fault = read_fault("Create*:answer,status=429,retry_after=3,acted=true,rate=0.5,times=2")

    assert fault.fault() == Fault.answer(429, acted=True, retry_after="3")
    assert (fault.operation, fault.rate, fault.times, fault.seed) == ("Create*", 0.5, 2, 0)
    assert read_fault("*:expired_token").fault() == Fault.expired_token()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reset", "a fault is written OPERATION:EFFECT[,NAME=VALUE…], not 'reset'"),
        ("*:explode", "fault '*:explode': effect: Input should be"),
        ("*:delay,seconds=long", "fault '*:delay,seconds=long': seconds: Input should be"),
        ("*:delay,second=1", "fault '*:delay,second=1': second: "),
        ("*:delay,rate=2", "fault '*:delay,rate=2': rate: Input should be less than or equal to 1"),
        ("*:delay", "fault '*:delay': effect: delay needs seconds=, more than 0"),
        ("*:close,seconds=2", "fault '*:close,seconds=2': seconds: close has no such option; delay, slow have"),
        ("*:cut,acted=false", "fault '*:cut,acted=false': acted: cut has no such option; delay, answer, close, reset"),
        ("*:reset,status=503", "fault '*:reset,status=503': status: reset has no such option; answer has"),
        ("*:expired_token,acted=true", "fault '*:expired_token,acted=true': acted: expired_token has no such option"),
        ("*:close,rate=0.1,rate=0.2", "fault '*:close,rate=0.1,rate=0.2': rate: it is given twice"),
    ],
)
def test_a_wrong_fault_is_one_line(text: str, message: str) -> None:
    """It names the part, as every mistake on a command line."""
    with pytest.raises(UsageError) as refused:
        read_fault(text)

    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_a_worker_in_the_place_of_a_project(tmp_path: Path) -> None:
    """As after `run`: the problem says where it goes."""
    with pytest.raises(ConfigurationError) as caught:
        read_project(tmp_path / "reader.py:Reader")

    (problem,) = caught.value.problems
    assert (problem.message, problem.hint.partition(",")[0]) == (
        "this is the code of a worker",
        "give its command after --",
    )
