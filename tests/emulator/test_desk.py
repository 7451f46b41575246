"""The emulator at a desk: proxies, names of files, signals, and every kind of worker that a project can have."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from PIL import Image

from arkworker.emulator import Emulator, Fault, add_project, run_worker, serve
from arkworker.emulator.importing import import_export
from arkworker.emulator.project.reading import read_project
from arkworker.emulator.project.steps import arrange
from arkworker.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVE = """
import sys
from pathlib import Path
from arkworker.emulator import serve
tell = lambda line: print(line + "\\n", end="", flush=True)
echo = lambda piece: tell(piece.decode().rstrip())
sys.exit(serve(Path(sys.argv[1]), port=0, command=[sys.executable, "-c", sys.argv[2]], announce=tell, echo=echo))
"""
# Ends after that many signals; says which came, and to which group it belongs.
LISTEN = """
import os, signal
numbers = (signal.SIGINT, signal.SIGTERM)
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
os.write(1, b"group %d\\n" % os.getpgrp())
for _ in range({most}):
    os.write(1, b"signal %d\\n" % signal.sigwait(numbers))
"""
WORKER = '''
from pydantic import Field
from arkworker import Declaration, Element, ElementsWorker, Model, Transcription, UserConfiguration

class Configuration(UserConfiguration):
    text: str = Field("found", description="What is written.")
    base: Model | None = Field(None, description="A model.")

class Lines(ElementsWorker[Configuration]):
    """Writes."""

    declaration = Declaration(slug="lines", display_name="Lines", type="demo")

    def process_element(self, element, context, cache):
        (context.work_dir / "left.txt").write_text("left by the first")
        yield Transcription(text=f"{context.config.text} {element.name}", confidence=0.5)
'''


@pytest.fixture
def empty() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return path


def serve_once(project: Path | None, **options: Any) -> tuple[int, list[str], str]:
    """The exit code, what was announced, and what the workers wrote."""
    lines: list[str] = []
    log = bytearray()
    code = serve(project, port=0, once=True, announce=lines.append, echo=log.extend, **options)
    return code, lines, log.decode()


def test_a_proxy_is_not_asked_for_the_emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker behind a company's proxy reaches the emulator of its desk, and what it reached without before."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "internal.example, 10.0.0.0/8")
    project = write(tmp_path, "p.yml", "elements: [{size: [9, 9]}]")
    ask = (
        "import os, requests; print(requests.get(os.environ['ARKINDEX_API_URL'] + 'openapi/', timeout=30).status_code,"
        "os.environ['no_proxy'], os.environ['NO_PROXY'])"
    )

    code, _, log = serve_once(project, command=[sys.executable, "-c", ask])

    hosts = "internal.example,10.0.0.0/8,127.0.0.1"
    assert (code, log) == (0, f"200 {hosts} {hosts}\n")


def test_it_listens_on_the_loopback_of_ipv6() -> None:
    """Its addresses have brackets, and name what answers."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with Emulator(host="::1") as emulator, requests.Session() as session:
        emulator.add_corpus()
        page = emulator.add_element(image=(20, 30))
        session.headers["Authorization"] = f"Token {emulator.token}"
        zone = session.get(f"{emulator.url}/api/v1/element/{page}/", timeout=30).json()["zone"]
        image = requests.get(zone["url"], timeout=30)
        other = session.get(f"{emulator.url}/", headers={"Host": "arkindex.example"}, timeout=30)

    assert emulator.url.startswith("http://[::1]:")
    assert (image.status_code, other.status_code) == (200, 400)
    assert emulator.site.host == "::1"


def test_names_of_files_need_not_be_utf_8(empty: Emulator, tmp_path: Path) -> None:
    """A folder, a volume and a scan with names of an older time are served, with what can be read of their names."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    (folder / os.fsdecode(b"b\xefte")).mkdir(parents=True)
    for name in (b"caf\xe9.png", b"b\xefte/\xe8.png"):
        Image.new("RGB", (30, 40)).save(folder / os.fsdecode(name))

    run = add_project(empty, folder)
    headers = {"Authorization": f"Token {empty.token}"}
    pages = [
        requests.get(f"{empty.url}/api/v1/element/{page}/", headers=headers, timeout=30).json()
        for page in empty.activity_states(run)
    ]

    assert [page["name"] for page in pages] == ["caf\ufffd", "\ufffd"]
    assert [requests.get(page["zone"]["url"], timeout=30).status_code for page in pages] == [200, 200]
    assert pages[0]["corpus"]["name"] == "caf\ufffd"


def test_a_worker_may_leave_a_name_that_is_not_utf_8(empty: Emulator) -> None:
    """Its artifact has what can be read of the name."""
    empty.add_corpus()
    run = empty.add_worker_run()
    leave = "import os; open(os.fsencode(os.environ['PONOS_DATA']) + b'/current/caf\\xe9', 'w').close()"

    assert run_worker(empty, run, [sys.executable, "-c", leave]) == 0


def test_a_folder_without_images_is_not_a_volume(empty: Emulator, tmp_path: Path) -> None:
    """Neither an empty one, nor one whose folders have none, nor one with other files."""
    for name in ("empty", "notes", "deep/deeper", "volume/inner"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "notes" / "read.txt").write_text("no scan")
    Image.new("RGB", (3, 4)).save(tmp_path / "volume" / "inner" / "a.png")
    (tmp_path / "volume" / "inner" / "a.txt").write_text("Bonjour\n")

    run = add_project(empty, tmp_path)

    url = f"{empty.url}/viewer/elements"
    top = requests.get(url, timeout=30).json()["elements"]
    (page,) = empty.activity_states(run)
    shown = requests.get(f"{url}/{page}", timeout=30).json()
    assert [item["name"] for item in top] == ["volume"]
    assert [item["name"] for item in shown["path"]] == ["volume", "inner"]
    assert [item["text"] for item in shown["transcriptions"]] == ["Bonjour"]


@pytest.mark.parametrize("most", [1, 2])
def test_ctrl_c_reaches_the_worker_once_each_time(tmp_path: Path, most: int) -> None:
    """A terminal signals all processes of the job; the worker hears of it from `serve` alone."""
    project = write(tmp_path, "p.yml", "elements: [{size: [9, 9]}]")
    command = [sys.executable, "-W", "error", "-c", SERVE, str(project), LISTEN.format(most=most)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line.strip())
            if lines[-1].startswith(("group", "signal")) and sum("signal" in item for item in lines) < most:
                os.killpg(process.pid, signal.SIGINT)

    heard = [line for line in lines if line.startswith("signal")]
    (group,) = [line for line in lines if line.startswith("group")]
    assert heard == [f"signal {signal.SIGTERM.value}"] * most
    assert group != f"group {process.pid}"
    assert lines[-1] == "worker 1 ended with exit code 0"


def test_a_misspelt_operation_is_refused(tmp_path: Path, empty: Emulator) -> None:
    """On the command line, in a project and in a test: a fault on it would never come."""
    project = write(tmp_path, "p.yml", "faults: [{operation: RetreiveElement, effect: reset}]")

    with pytest.raises(UsageError) as refused:
        serve_once(project.parent, faults=["StartWorkerActivty:reset"], command=["true"])
    with pytest.raises(ConfigurationError, match=r"p\.yml:1:22.*did you mean RetrieveElement\?"):
        read_project(project)
    with pytest.raises(ValueError, match=r"did you mean RetrieveCorpus\?"):
        empty.faults.add("RetriveCorpus", Fault.close())
    with pytest.raises(ValueError, match=r"there is no operation Destroy\*s"):
        empty.faults.add("Destroy*s", Fault.close())

    message = "operation: there is no operation StartWorkerActivty; did you mean StartWorkerActivity?"
    assert str(refused.value) == f"fault 'StartWorkerActivty:reset': {message}"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("elments: []", "did you mean elements?"),
        ("elements: [{transcription: [a]}]", "did you mean transcriptions?"),
        ("faults: [{operation: '*', effect: reste}]", "did you mean reset?"),
        ("worker: {configuration: [{key: size, type: int}]}\nvalues: {sise: 1}", "did you mean size?"),
        ("elements: [{name: Sheet, size: [9, 9]}]\ndatasets: {D: {train: [Shet]}}", "did you mean Sheet?"),
        ("secrets: {key: a}\nworker: {configuration: [{key: s, type: secret}]}\nvalues: {s: kye}", "did you mean key?"),
        ("runs: [Older]\nelements: [{worker_run: Oldr}]", "did you mean Older?"),
    ],
)
def test_the_nearest_name_is_told(empty: Emulator, tmp_path: Path, text: str, hint: str) -> None:
    """Of a key, of an effect, of an option, of an element, of a worker run."""
    with pytest.raises(ConfigurationError) as caught:
        add_project(empty, write(tmp_path, "p.yml", text))

    assert [problem.hint for problem in caught.value.problems] == [hint]


def test_workers_run_one_after_the_other(tmp_path: Path) -> None:
    """The second finds what the first has made, and the files that it left; options name a model."""
    write(tmp_path, "lines.py", WORKER)
    look = (
        "import os, pathlib; [print(p.read_text()) for p in pathlib.Path(os.environ['PONOS_DATA']).glob('*/left.txt')]"
    )
    project = write(
        tmp_path,
        "p.yml",
        f"""
        elements: [{{name: a, size: [9, 9], count: 2}}]
        models: [{{name: My model, id: 11111111-2222-4333-8444-555555555555}}]
        workers:
          - {{worker: "lines.py:Lines", values: {{text: new, base: My model}}}}
          - {{worker: {{slug: second}}, command: {json.dumps([sys.executable, "-c", look])}}}
        """,
    )

    code, lines, log = serve_once(project, database=tmp_path / "kept.sqlite")

    with closing(sqlite3.connect(tmp_path / "kept.sqlite")) as file:
        texts = [row[0] for row in file.execute("SELECT text FROM transcriptions ORDER BY text")]
        saved = json.loads(file.execute("SELECT saved FROM worker_runs").fetchone()[0])
    assert (code, lines[-2:]) == (0, [f"{name}, worker 1 ended with exit code 0" for name in ("lines", "second")])
    assert texts == ["new a 1", "new a 2"]
    assert saved == {"text": "new", "base": "11111111-2222-4333-8444-555555555555"}
    assert log.endswith("left by the first\n")


CACHED = '''
from uuid import UUID
from arkworker import ElementsWorker
from arkworker.storage.cache import CachedElement

class First(ElementsWorker):
    """Fills the cache."""

    uses_cache = True

    def process_element(self, element, context, cache):
        cache.add(CachedElement(id=UUID(element.id), type=element.type))

class Second(ElementsWorker):
    """Reads it."""

    uses_cache = True

    def process_element(self, element, context, cache):
        # In one write: nothing that the run logs meanwhile comes between the words.
        print(f"type {cache.get(CachedElement, UUID(element.id)).type}\\n", end="", flush=True)
'''


def test_a_first_cache_is_made_and_left_to_the_next_worker(tmp_path: Path) -> None:
    """At a desk there was nothing before."""
    write(tmp_path, "cached.py", CACHED)
    project = write(
        tmp_path,
        "p.yml",
        """
        elements: [{name: a, size: [9, 9], count: 2}]
        workers: [{worker: "cached.py:First", cache: true}, {worker: "cached.py:Second"}]
        """,
    )

    code, _, log = serve_once(project)

    assert (code, log.count("type page\n")) == (0, 2)


def test_the_page_runs_a_worker_again(tmp_path: Path) -> None:
    """With the values that were asked for, on the elements that were; what is wrong is said and runs nothing."""
    project = write(
        tmp_path,
        "p.yml",
        """
        elements: [{name: a, size: [9, 9]}, {name: b, size: [9, 9]}]
        worker: {slug: w, configuration: [{key: size, type: int, default: 1}]}
        """,
    )
    ask = (
        "import os, requests; r = os.environ['ARKINDEX_WORKER_RUN_ID']; h = {'Authorization': 'Ponos ' +"
        " os.environ['ARKINDEX_TASK_TOKEN']}; c = requests.get(os.environ['ARKINDEX_API_URL'] +"
        " f'workers/runs/{r}/configuration/', headers=h, timeout=30).json(); os.write(1, b'size %d\\n' %"
        " c['configuration'][0]['value'])"
    )
    command = [sys.executable, "-W", "error", "-c", SERVE, str(project), ask]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[3]
        ended = "worker 1 ended with exit code 0"
        lines = [next(line for line in process.stdout if line.startswith("size")).strip()]
        next(line for line in process.stdout if line.startswith(ended))
        (run,) = requests.get(f"{url}/viewer/summary", timeout=30).json()["runs"]
        page = requests.get(f"{url}/viewer/elements", timeout=30).json()["elements"][1]["id"]

        def ask_again(**body: Any) -> requests.Response:
            return requests.post(f"{url}/viewer/runs", json={"run": run["id"], **body}, timeout=30)

        refusals = [
            ask_again(values={"sise": 2}),
            ask_again(values={}, elements=["nowhere"]),
            ask_again(values=3),
            ask_again(values={}, run="x"),
        ]
        done = ask_again(values={"size": 7}, elements=[page])
        if done.status_code != 201:
            process.kill()  # or nothing below would come
        lines.append(next(line for line in process.stdout if line.startswith("size")).strip())
        next(line for line in process.stdout if line.startswith(ended))
        states = requests.get(f"{url}/viewer/summary", timeout=30).json()["runs"][0]["states"]
        process.send_signal(signal.SIGTERM)

    assert (lines, states) == (["size 1", "size 7"], {"queued": 1})
    assert [answer.status_code for answer in refusals] == [400] * 4
    assert "no option 'sise'" in refusals[0].json()["error"]
    assert (done.status_code, process.returncode) == (201, 0)


def test_a_first_worker_that_fails_ends_it(tmp_path: Path) -> None:
    """The second would find nothing."""
    project = write(
        tmp_path, "p.yml", "workers: [{worker: {slug: a}, command: 'false'}, {worker: {slug: b}, command: 'true'}]"
    )

    code, lines, _ = serve_once(project)

    assert (code, lines[-1]) == (1, "a, worker 1 ended with exit code 1")


def test_the_files_of_a_model_and_of_parents_are_found(tmp_path: Path) -> None:
    """Where a worker looks for them: the model's folder, and the parents' folders with the cache under its name."""
    for name in ("model", "left"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.bin").write_text(name)
    (tmp_path / "first.sqlite").write_text("cache")
    look = """
    import os, pathlib
    print(*sorted(os.listdir(os.environ["ARKINDEX_MODEL_DIR"])))
    data = pathlib.Path(os.environ["PONOS_DATA"])
    print(*sorted(path.name for path in data.glob("*/*") if not path.parent.is_symlink()))
    """
    project = write(
        tmp_path, "p.yml", "model: {name: M, files: model}\nparents: [left, {slug: lines, cache: first.sqlite}]"
    )

    code, _, log = serve_once(project, command=[sys.executable, "-c", textwrap.dedent(look)])

    assert (code, log) == (0, "model.bin\ndb.sqlite left.bin\n")


def test_a_model_given_as_a_folder_can_be_downloaded(empty: Emulator, tmp_path: Path) -> None:
    """Its archive is made when it is asked for."""
    (tmp_path / "weights").write_text("w" * 100)
    empty.add_corpus()
    version = empty.add_model_version(files=tmp_path)
    headers = {"Authorization": f"Token {empty.token}"}

    shown = requests.get(f"{empty.url}/api/v1/modelversion/{version}/", headers=headers, timeout=30).json()
    archive = requests.get(shown["s3_url"], timeout=30).content

    assert (shown["state"], shown["size"]) == ("available", len(archive))
    assert archive.startswith(b"\x28\xb5\x2f\xfd")


def test_sets_of_datasets_are_worked_on(empty: Emulator, tmp_path: Path) -> None:
    """All of them, or those that are named; with the ids that were chosen."""
    path = write(
        tmp_path,
        "p.yml",
        """
        elements: [{name: a, size: [9, 9], id: 11111111-2222-4333-8444-000000000001}, {name: b, size: [9, 9]}]
        datasets:
          D: {id: 11111111-2222-4333-8444-000000000002, sets: {train: [a], test: [b]}}
          E: {all: [a, b]}
        mode: dataset
        sets: [D/train, E]
        run_id: 11111111-2222-4333-8444-000000000003
        exports: [{name: X, dataset: D, id: 11111111-2222-4333-8444-000000000004}]
        """,
    )

    run = add_project(empty, path)

    headers = {"Authorization": f"Token {empty.token}"}
    base = f"{empty.url}/api/v1"
    process = requests.get(f"{base}/process/workers/{run}/", headers=headers, timeout=30).json()["process"]
    sets = requests.get(f"{base}/process/{process['id']}/sets/", headers=headers, timeout=30).json()["results"]
    export = requests.get(
        f"{base}/export/11111111-2222-4333-8444-000000000004/", headers=headers, timeout=30, allow_redirects=True
    )
    assert (run[-1], process["mode"], process["activity_state"]) == ("3", "dataset", "disabled")
    assert [(item["dataset"]["name"], item["set_name"]) for item in sets] == [("D", "train"), ("E", "all")]
    assert sets[0]["dataset"]["id"].endswith("2")
    assert export.content.startswith(b"SQLite format 3")


SEEDS = """
corpus: Letters
types: [{slug: page, color: 123456}]
entity_types: [{name: place, color: aabbcc}]
classes: [unused]
runs: [{name: Older, id: 11111111-2222-4333-8444-00000000000a}]
elements:
  - name: Turned
    size: [30, 20]
    rotation_angle: 90
    mirrored: true
    confidence: 0.5
    worker_run: Older
    transcriptions:
      - {text: In Paris, confidence: 0.9, worker_run: Older, entities: [{type: place, offset: 3, length: 5}]}
    classifications: [letter, {name: list, confidence: 0.25, worker_run: Older}]
    metadata: [{name: Year, value: 1850, type: numeric}]
    embeddings: [[0.5, 1]]
    children: [{name: Elsewhere, url: "https://iiif.example/a", size: [5, 6]}]
datasets: {D: {train: [Turned]}}
exports: [{name: X, dataset: D}]
"""


def shown(emulator: Emulator, run: str) -> dict[str, Any]:
    """What the page shows of the first element of the queue, without moments and addresses of the emulator."""
    page = next(iter(emulator.activity_states(run)))
    found: dict[str, Any] = requests.get(f"{emulator.url}/viewer/elements/{page}", timeout=30).json()
    return found


def test_seeds_are_there(empty: Emulator, tmp_path: Path) -> None:
    """Whatever can be on an element, signed by a run of the past, or by nobody."""
    run = add_project(empty, write(tmp_path, "p.yml", SEEDS))

    page = shown(empty, run)

    assert (page["color"], page["rotation_angle"], page["mirrored"], page["confidence"]) == ("123456", 90, True, 0.5)
    assert page["worker_run"] == {"id": "11111111-2222-4333-8444-00000000000a", "summary": "Older"}
    (text,) = page["transcriptions"]
    assert [(e["type"]["name"], e["type"]["color"], e["offset"]) for e in text["entities"]] == [("place", "aabbcc", 3)]
    assert [(c["ml_class"]["name"], c["confidence"]) for c in page["classifications"]] == [
        ("letter", 1),
        ("list", 0.25),
    ]
    assert [(m["name"], m["value"]) for m in page["metadata"]] == [("Year", 1850)]
    assert (page["embeddings"], [child["name"] for child in page["children"]]) == (1, ["Elsewhere"])


def without_summary(item: dict[str, Any]) -> dict[str, Any]:
    """A result, or an entity, with the id of its run alone, and no id of its class, which an export does not tell."""
    run = item["worker_run"] and item["worker_run"]["id"]
    entities = [without_summary(entity) for entity in item.get("entities", ())]
    return {**item, "worker_run": run, "entities": entities, "ml_class": item.get("ml_class", {}).get("name")}


def test_an_export_is_served_as_what_it_was_made_of(tmp_path: Path) -> None:
    """Elements, results, runs and datasets of an export are there under their ids; a project may name them."""
    file = tmp_path / "letters-2026.sqlite"
    with Emulator() as first:
        run = add_project(first, write(tmp_path, "p.yml", SEEDS))
        headers = {"Authorization": f"Token {first.token}"}
        corpus = shown(first, run)["corpus"]
        exported = first.add_export(None)
        answer = requests.get(f"{first.url}/api/v1/export/{exported}/", headers=headers, timeout=30)
        file.write_bytes(answer.content)
        before = shown(first, run)

    with Emulator() as second:
        import_export(second, file)
        project = read_project(write(tmp_path, "q.yml", "mode: dataset\ndatasets: {E: {all: [Turned]}}"))
        (step,) = arrange(second, project)
        step.start(())
        run = second.add_worker_run()
        after = shown(second, run)

    # What an export does not tell: colours of types, histories; images are elsewhere, and runs have other words.
    kept = {"id", "name", "type", "polygon", "confidence", "rotation_angle", "mirrored", "created", "embeddings"}
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept}
    for key in ("transcriptions", "classifications", "metadata"):
        assert [without_summary(item) for item in after[key]] == [without_summary(item) for item in before[key]]
    assert [child["id"] for child in after["children"]] == [child["id"] for child in before["children"]]
    assert (corpus, after["corpus"], after["image"]["width"]) == ("Letters", "letters-2026", 30)


TABLES = """
CREATE TABLE element (id, name, type, image_id, polygon);
CREATE TABLE element_path (parent_id, child_id, ordering);
CREATE TABLE image (id, url, width, height)"""
PAGE = "11111111222243338444000000000001"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "it is missing, or is not a file"),
        (b"no database at all, but long enough to be one", "file is not a database"),
        ("CREATE TABLE a (b)", "it is not an Arkindex export: it has no table element"),
        (f"{TABLES}; INSERT INTO element_path VALUES ('x', 'y', 0)", "badly formed hexadecimal UUID string"),
        (f"{TABLES}; INSERT INTO element_path VALUES ('{PAGE}', '{PAGE}', 0)", "FOREIGN KEY constraint failed"),
    ],
)
def test_what_is_not_an_export_is_refused(tmp_path: Path, content: str | bytes | None, reason: str) -> None:
    """In one line with its reason."""
    path = tmp_path / "export.sqlite"
    if isinstance(content, str):
        with closing(sqlite3.connect(path)) as file:
            file.executescript(content)
    elif content is not None:
        path.write_bytes(content)

    with pytest.raises(UsageError if content is not None else ConfigurationError) as refused:
        serve_once(None, from_export=path, command=["true"])

    told = "cannot read the export" if content is not None else "export"
    where = f"{path}" if content is not None else f"({path})"
    assert str(refused.value) == f"{told} {where}: {reason}"


def test_what_is_lacking_is_told_at_the_end(tmp_path: Path) -> None:
    """Each operation once, with how often it was asked for."""
    project = write(tmp_path, "p.yml", "elements: [{size: [9, 9]}]")
    ask = "import os, requests; [requests.get(os.environ['ARKINDEX_API_URL'] + 'user/', timeout=30) for _ in 'ab']"

    _, lines, _ = serve_once(project, command=[sys.executable, "-c", ask])

    assert lines[-1] == "The emulator has no operation RetrieveUser, which was asked for 2 times"


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"])
def test_pages_of_another_origin_change_nothing(empty: Emulator, name: str) -> None:
    """On whatever loopback name it is called, a browser's request is obeyed from its own page alone."""
    port = empty.url.rpartition(":")[2]
    task = "11111111-2222-4333-8444-555555555555"
    statuses = [
        requests.put(
            f"{empty.url}/viewer/tasks/{task}/log",
            data="a",
            headers={"Host": f"{name}:{port}", **({"Origin": origin} if origin else {})},
            timeout=30,
        ).status_code
        for origin in (None, f"http://{name}:{port}", "http://evil.example", "null", f"http://{name}:1")
    ]
    rebound = requests.get(empty.url, headers={"Host": f"evil.example:{port}"}, timeout=30).status_code

    assert statuses == [204, 204, 403, 403, 403]
    assert rebound == 400
