"""Files that a run writes where a person named them: nothing else is written over, and mistakes are told at once."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from arkindex_stub import RUN_PATH
from PIL import Image

from arkworker.storage.cache import open_cache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from arkindex_stub import Stub

    from tests.cli.conftest import Result

    Run = Callable[..., Result]

WORKER = """
from arkworker import ElementsWorker

class W(ElementsWorker):
    uses_cache = True

    def setup(self, context):
        print("user code ran")

    def process_element(self, element, context, cache):
        return []
"""
SUMMARY = {"elements": 1, "processed": 1, "failed": 0, "skipped": 0, "uncertain": 0, "seconds": 1.0, "exit_code": 0}


@pytest.fixture
def run(tmp_path: Path, command: Callable[..., Result]) -> Run:
    """Runs a worker over one image in a folder that holds all that it could be given."""
    (tmp_path / "w.py").write_text(WORKER)
    (tmp_path / "empty.yml").write_text("")
    (tmp_path / "list.json").write_text('[{"id": "11111111-1111-1111-1111-111111111111"}]')
    (tmp_path / "notes.txt").write_text("precious")
    (tmp_path / "variables.env").write_text("")
    open_cache(tmp_path / "cache.sqlite", create=True).dispose()
    Image.new("RGB", (9, 9)).save(tmp_path / "page.png")

    def start(*flags: str) -> Result:
        place = [flag.replace("{}", str(tmp_path)) for flag in flags]
        return command("run", f"{tmp_path}/w.py:W", "--dev", *place)

    return start


VICTIMS = {
    "code": ("w.py", ("--image", "{}/page.png"), "is the same file as the code of w"),
    "configuration": ("empty.yml", ("--image", "{}/page.png", "-c", "{}/empty.yml"), "is the same file as --config"),
    "variables": ("variables.env", ("--image", "{}/page.png", "--env-file", "{}/variables.env"), "--env-file"),
    "list": ("list.json", ("--elements-list", "{}/list.json"), "is the same file as --elements-list"),
    "cache": ("cache.sqlite", ("--image", "{}/page.png", "-d", "{}/cache.sqlite"), "is the same file as --database"),
    "image": ("page.png", ("--image", "{}/page.png"), "is the same file as an --image"),
    "notes": ("notes.txt", ("--image", "{}/page.png"), "holds something other than"),
}


@pytest.mark.parametrize("spelling", ["plain", "symbolic link", "hard link", "dots"])
@pytest.mark.parametrize("flag", ["--summary", "--report", "--results"])
@pytest.mark.parametrize(("victim", "flags", "reason"), VICTIMS.values(), ids=VICTIMS)
def test_other_files_are_left_alone(
    run: Run, tmp_path: Path, victim: str, flags: tuple[str, ...], reason: str, flag: str, spelling: str
) -> None:
    """A summary, a report or results are written over nothing else, however it is spelt; user code does not begin."""
    if "link" in spelling:
        (tmp_path / "link").hardlink_to(tmp_path / victim) if "hard" in spelling else (tmp_path / "link").symlink_to(
            victim
        )
    name = "link" if "link" in spelling else f"./../{tmp_path.name}/{victim}" if spelling == "dots" else victim
    before = (tmp_path / victim).read_bytes()

    ended = run(*flags, flag, f"{{}}/{name}")

    assert (ended.code, ended.out) == (78, "")
    assert (tmp_path / victim).read_bytes() == before
    assert reason in ended.err


def test_a_cache_that_is_still_to_be_made(run: Run, tmp_path: Path) -> None:
    """Two files that do not exist yet are one all the same."""
    ended = run("--image", "{}/page.png", "-d", "{}/new", "--summary", "{}/./new")
    assert (ended.code, (tmp_path / "new").exists()) == (78, False)
    assert "is the same file as --database" in ended.err


@pytest.mark.parametrize("flag", ["--summary", "--report", "--results"])
@pytest.mark.parametrize(("place", "reason"), [("absent/file", "there is no directory"), ("", "is a directory")])
def test_what_cannot_be_written_is_told_before_the_work(run: Run, flag: str, place: str, reason: str) -> None:
    """One line names it, and user code does not begin."""
    ended = run("--image", "{}/page.png", flag, f"{{}}/{place}")
    assert (ended.code, ended.out) == (78, "")
    assert reason in ended.err


@pytest.mark.parametrize("flag", ["--summary", "--report", "--results"])
@pytest.mark.parametrize(("name", "reason"), [("{}/pipe", "no process reads this pipe"), ("/dev/full", "No space")])
def test_a_stream_that_takes_nothing_is_told_before_the_work(
    run: Run, tmp_path: Path, flag: str, name: str, reason: str
) -> None:
    """A pipe without a reader and a device that is full, too; results cannot go to a stream at all."""
    os.mkfifo(tmp_path / "pipe")
    ended = run("--image", "{}/page.png", flag, name)
    assert (ended.code, ended.out) == (78, "")
    assert ("is not a regular file" if flag == "--results" else reason) in ended.err


NOTHING = {
    "an empty list": (("--elements-list", "{}/none.json"), 1, "the list of elements is empty"),
    "no cache": ((), 78, "there are no elements to work on"),
    "an empty cache": (("-d", "{}/cache.sqlite"), 78, "there are no elements to work on"),
    "out of reach": (("--set", "11111111-1111-1111-1111-111111111111:train"), 78, "whose address is not set"),
    "an element out of reach": (
        ("--element", "11111111-1111-1111-1111-111111111111"),
        78,
        "whose address is not set",
    ),
}


@pytest.mark.parametrize(("flags", "code", "reason"), NOTHING.values(), ids=NOTHING)
def test_nothing_to_work_on_is_told_before_setup(
    run: Run, tmp_path: Path, flags: tuple[str, ...], code: int, reason: str
) -> None:
    """A model is not loaded for it; the summary is not that of the run before."""
    (tmp_path / "none.json").write_text("[]")
    (tmp_path / "s.json").write_text(json.dumps(SUMMARY))
    ended = run(*flags, "--summary", "{}/s.json")
    assert (ended.code, ended.out) == (code, "")
    assert reason in ended.err
    assert json.loads((tmp_path / "s.json").read_text())["exit_code"] == code


def test_the_summary_of_a_run_that_fails_in_setup(run: Run, tmp_path: Path) -> None:
    """It is not that of the run before."""
    (tmp_path / "w.py").write_text(WORKER.replace("print", "raise ValueError"))
    (tmp_path / "s.json").write_text(json.dumps(SUMMARY))
    ended = run("--image", "{}/page.png", "--summary", "{}/s.json")
    assert (ended.code, json.loads((tmp_path / "s.json").read_text())["exit_code"]) == (1, 1)


@pytest.mark.parametrize(
    "environ",
    [{}, {"ARKINDEX_API_URL": "ftp://arkindex.example"}, {"ARKINDEX_WORKER_RUN_ID": "run-1"}],
    ids=["token", "address", "id"],
)
def test_the_summary_of_a_run_that_is_refused_before_its_worker_run_is_known(
    tmp_path: Path, command: Callable[..., Result], arkindex: Stub, environ: dict[str, str]
) -> None:
    """It is not that of the run before, neither for a mistake in the settings nor for what Arkindex answers."""
    (tmp_path / "w.py").write_text(WORKER)
    (tmp_path / "s.json").write_text(json.dumps(SUMMARY))
    arkindex.answers[RUN_PATH] = (401, {"detail": "no"})
    variables = arkindex.environment | environ
    ended = command("run", f"{tmp_path}/w.py:W", "--summary", str(tmp_path / "s.json"), **variables)
    assert ended.code == json.loads((tmp_path / "s.json").read_text())["exit_code"] == 78, ended.err


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--element", "page-1"), "is not the id of an element"),
        (("--elements-list", "{}/absent.json"), "no such file"),
        (("--elements-list", "{}/empty.yml"), "should be a JSON list of objects, each with an id"),
        (("--image", "{}/absent.png"), "there is no file"),
        (("--image", "{}/" + 300 * "a"), "there is no file"),
        (("--set", "train"), "should be the id of a dataset, a colon and the name of a set"),
        (("--image", "{}/page.png", "--extras-dir", "{}/absent"), "there is no directory"),
        (("--image", "{}/page.png", "--elements-list", "{}/list.json"), "the elements are already given"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "check"])
def test_what_cannot_be_worked_on_is_told_before_the_work(
    run: Run, tmp_path: Path, command: Callable[..., Result], verb: str, flags: tuple[str, ...], reason: str
) -> None:
    """A model is not loaded for a list that is missing, and `check` finds it, too."""
    places = [flag.replace("{}", str(tmp_path)) for flag in flags]
    ended = run(*flags) if verb == "run" else command("check", f"{tmp_path}/w.py:W", "--dev", *places)
    assert (ended.code, ended.out) == (78, "")
    assert reason in ended.err


@pytest.mark.parametrize(("name", "reason"), [("absent.pem", "does not exist"), ("w.py", "holds no certificates")])
@pytest.mark.parametrize("verb", ["run", "check"])
def test_certificates_that_are_none_are_told_before_the_work(
    tmp_path: Path, command: Callable[..., Result], verb: str, name: str, reason: str
) -> None:
    """Although developer mode may need none."""
    (tmp_path / "w.py").write_text(WORKER)
    flags = ["--image", str(tmp_path)] if verb == "run" else []
    ended = command(verb, f"{tmp_path}/w.py:W", *flags, ARKINDEX_API_CA_BUNDLE=str(tmp_path / name))
    assert (ended.code, ended.out) == (78, "")
    assert reason in ended.err
    assert "ARKINDEX_API_CA_BUNDLE" in ended.err


@pytest.mark.parametrize("jobs", ["many", "0", "1025", "-1", "1.5"])
def test_a_number_of_jobs_that_cannot_be(run: Run, jobs: str) -> None:
    """The message has all that may be said; the help page has it, too."""
    ended = run("--image", "{}/page.png", f"--jobs={jobs}")
    assert (ended.code, ended.out) == (78, "")
    assert "should be auto, or a number of processes from 1 to 1024" in ended.err
    assert "auto uses one for each core" in " ".join(run("--help").out.split())
    assert "1…1024" in " ".join(run("--help").out.split())


@pytest.mark.parametrize("verb", ["run", "check"])
@pytest.mark.parametrize(("name", "code"), [("absent.sqlite", 78), ("page.png", 0)])
def test_a_cache_that_the_worker_does_not_use(
    tmp_path: Path, command: Callable[..., Result], verb: str, name: str, code: int
) -> None:
    """A misspelt name is refused; a file that is there is ignored with a warning."""
    (tmp_path / "plain.py").write_text(WORKER.replace("uses_cache = True", ""))
    image = str(tmp_path / "page.png")
    Image.new("RGB", (9, 9)).save(image)
    ended = command(verb, f"{tmp_path}/plain.py:W", "--dev", "--image", image, "-d", str(tmp_path / name))
    assert (ended.code, "this worker does not use a cache" in ended.err) == (code, True)


@pytest.mark.parametrize("verb", ["run", "check"])
@pytest.mark.parametrize(
    ("flag", "value"), [("--image", "page.png"), ("--element", "11111111-1111-1111-1111-111111111111")]
)
def test_elements_for_a_worker_of_sets(
    tmp_path: Path, command: Callable[..., Result], verb: str, flag: str, value: str
) -> None:
    """It would not look at them: that is told before its code begins."""
    (tmp_path / "sets.py").write_text(
        "from arkworker import DatasetWorker\n"
        "class W(DatasetWorker):\n"
        "    def setup(self, context):\n"
        "        print('user code ran')\n"
        "    def process_set(self, dataset_set, export, context, cache):\n"
        "        pass\n"
    )
    ended = command(verb, f"{tmp_path}/sets.py:W", "--dev", flag, value, "--json" if verb == "check" else "--strict")
    assert (ended.code, "user code ran" in ended.out) == (78, False)
    assert "this worker works on the sets of datasets" in ended.out + ended.err


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everything")
def test_a_directory_that_is_not_ours(run: Run, tmp_path: Path) -> None:
    """No permission is told before the work, too."""
    (tmp_path / "locked").mkdir(mode=0o500)
    ended = run("--image", "{}/page.png", "--summary", "{}/locked/summary.json")
    assert (ended.code, ended.out) == (78, "")
    assert "Permission denied" in ended.err


def test_the_summary_of_a_run_before_is_replaced(run: Run, tmp_path: Path) -> None:
    """It is known by what it holds."""
    (tmp_path / "summary.json").write_text(json.dumps(SUMMARY | {"elements": 7}))
    ended = run("--image", "{}/page.png", "--summary", "{}/summary.json")
    assert (ended.code, json.loads((tmp_path / "summary.json").read_text())["elements"]) == (0, 1)


def test_no_temporary_directory(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told before the work; a worker that needs none does its work."""

    def refuse() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", refuse)
    ended = run("--image", "{}/page.png")
    assert ended.code == 0
    assert "there is no temporary directory that can be written" in ended.err


@pytest.mark.parametrize("spelling", ["plain", "link"])
def test_a_schema_is_not_written_over_its_worker(tmp_path: Path, command: Callable[..., Result], spelling: str) -> None:
    """Its code stays, under each of its names."""
    (tmp_path / "w.py").write_text(WORKER)
    (tmp_path / "link").symlink_to("w.py")
    name = "w.py" if spelling == "plain" else "link"

    ended = command("schema", f"{tmp_path}/w.py:W", "--output", str(tmp_path / name))

    assert (ended.code, (tmp_path / "w.py").read_text()) == (2, WORKER)
    assert "is the same file as the code of w" in ended.err


@pytest.mark.parametrize("verb", ["schema", "import"])
def test_texts_are_written_through_links_and_streams(tmp_path: Path, process: Callable[..., Result], verb: str) -> None:
    """What a link leads to gets the text and the link stays; `/dev/stdout` is standard output."""
    (tmp_path / "w.py").write_text(WORKER)
    (tmp_path / "arkindex").mkdir()
    (tmp_path / "arkindex" / "w.yml").write_text("slug: s\ndisplay_name: S\ntype: t\ndescription: d\n")
    (tmp_path / "shared").mkdir()
    (tmp_path / "link").symlink_to("shared/text")
    argv = ["schema", "w.py:W"] if verb == "schema" else ["import", "arkindex/w.yml"]
    plain = process(*argv)

    ended = [process(*argv, "--output", name) for name in ("link", "/dev/stdout")]

    assert [result.code for result in ended] == [0, 0], ended
    assert ((tmp_path / "link").is_symlink(), (tmp_path / "shared" / "text").read_text()) == (True, plain.out)
    assert [result.out for result in ended] == ["", plain.out]
