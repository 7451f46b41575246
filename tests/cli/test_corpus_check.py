"""`run` and `check` look names up in the corpus before the first element."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from arkworker.arkindex.client import Client, Connection
from arkworker.emulator import Emulator, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import QuickClock, Result

WORKER = """
from arkworker import Classification, Creates, ElementsWorker, ElementType, Requires, UserConfiguration

class Group(UserConfiguration):
    word: ElementType | None = None

class Configuration(UserConfiguration):
    line: ElementType = "text_line"
    others: list[ElementType] = ["page"]
    group: Group = Group()
    text: str = "no_type"

class W(ElementsWorker[Configuration]):
    creates = CREATES

    def process_element(self, element, context, cache):
        context.worker_run_id
        return Classification(class_name="cat", confidence=1)
"""
NOTHING = "()"
STAIN = '("stain",)'
CLOSED = 'Creates(element_types=("stain",), classes=("dog",), entity_types=())'
REQUIRED = '()\n    requires = Requires(element_types=("page", "pagee"), classes=("dog",), entity_types=("person",))'


@dataclass
class Desk:
    """An emulated Arkindex with one page, and the worker above in a task of a worker run."""

    emulator: Emulator
    corpus: str
    command: Callable[..., Result]
    write_worker: Callable[[str], str]
    folder: Path

    def perform(self, verb: str, creates: str, *flags: str, **environment: str) -> Result:
        run = self.emulator.add_worker_run()
        self.emulator.ledger.clear()
        target = self.write_worker(WORKER.replace("CREATES", creates))
        variables = self.emulator.environment(run, data_dir=self.folder / "ponos") | environment
        return self.command(verb, target, *flags, **variables)

    def types(self) -> list[str]:
        client = Client(Connection(url=self.emulator.url, token=self.emulator.token))
        corpus = client.request("RetrieveCorpus", id=self.corpus)
        client.close()
        return [item["slug"] for item in corpus["types"]]

    def operations(self) -> list[str]:
        return [str(call.operation) for call in self.emulator.ledger.calls()]


@pytest.fixture
def desk(command: Callable[..., Result], write_worker: Callable[[str], str], tmp_path: Path) -> Iterator[Desk]:
    with Emulator() as emulator:
        corpus = emulator.add_corpus()
        emulator.add_element("page", "Page", image=(100, 100))
        yield Desk(emulator, corpus, command, write_worker, tmp_path)


@pytest.mark.parametrize("verb", ["check", "run"])
@pytest.mark.parametrize(
    ("flag", "path", "hint"),
    [
        ("--config.line=textline", "config.line", "did you mean text_line?"),
        ("--config.others=[page, xyz]", "config.others", "create it, or name it in `creates` of the worker"),
        ("--config.group.word=text_lines", "config.group.word", "did you mean text_line?"),
    ],
)
def test_an_option_names_a_type_that_the_corpus_lacks(desk: Desk, verb: str, flag: str, path: str, hint: str) -> None:
    """A configuration error that names the option, its place and the types that exist; no element is touched."""
    result = desk.perform(verb, NOTHING, "--json", flag)

    problem = result.problems[path]
    assert result.code == 78
    assert problem["source"] == "command line"
    assert problem["message"].endswith("; it has page, paragraph, text_line")
    assert problem["hint"] == hint
    assert "StartWorkerActivity" not in desk.operations()


def test_all_that_is_missing_is_told_at_once(desk: Desk) -> None:
    """And nothing is created while something may not be."""
    result = desk.perform("run", STAIN, "--json", "--config.line=a", "--config.group.word=b")

    assert sorted(result.problems) == ["config.group.word", "config.line"]
    assert desk.types() == ["page", "paragraph", "text_line"]


def test_check_creates_nothing_and_says_what_a_run_creates(desk: Desk) -> None:
    """Types, classes and entity types."""
    result = desk.perform("check", CLOSED, "--config.line=stain")

    assert result.code == 0, result.err
    assert "The corpus lacks the element type stain: it will be created" in result.err
    assert "The corpus lacks the class dog: it will be created" in result.err
    assert [operation for operation in desk.operations() if operation.startswith("Create")] == []


def test_run_creates_what_is_missing_before_the_first_element(desk: Desk) -> None:
    """And looks everything up once, for the elements as well."""
    result = desk.perform("run", STAIN)

    operations = desk.operations()
    assert result.code == 0, result.err
    assert desk.types() == ["page", "paragraph", "text_line", "stain"]
    assert operations.index("CreateElementType") < operations.index("StartWorkerActivity")
    assert [operations.count(name) for name in ("RetrieveCorpus", "ListCorpusMLClasses", "CreateMLClass")] == [1, 1, 1]


IN_SETUP = """()

    def setup(self, context):
        self.creates, self.requires = SET"""


def test_what_setup_assigns_is_created_before_the_first_element(desk: Desk) -> None:
    """The model may know what it finds; publishing knows it, too."""
    result = desk.perform("run", IN_SETUP.replace("SET", """Creates(("stain",), classes=("cat",)), ("page",)"""))

    operations = desk.operations()
    assert result.code == 0, result.err
    assert operations.index("CreateElementType") < operations.index("StartWorkerActivity")
    assert operations.index("CreateMLClass") < operations.index("StartWorkerActivity")


def test_what_setup_requires(desk: Desk) -> None:
    """It is looked up before the first element, too."""
    result = desk.perform("run", IN_SETUP.replace("SET", """(), ("pagee",)"""), "--json")

    assert (result.code, result.problems["requires"]["hint"]) == (78, "did you mean page?")
    assert "StartWorkerActivity" not in desk.operations()


def test_what_setup_assigns_that_holds_no_names(desk: Desk) -> None:
    """A mistake of the author."""
    result = desk.perform("run", IN_SETUP.replace("SET", """"stain", ()"""))

    assert (result.code, "creates: element_types should be a tuple of names" in result.err) == (2, True)


def test_what_setup_assigns_is_recorded(desk: Desk) -> None:
    """In a file of results, for whoever publishes it."""
    file = desk.folder / "r.jsonl"

    result = desk.perform("run", IN_SETUP.replace("SET", """("stain",), ()"""), "--results", str(file))

    assert result.code == 0, result.err
    assert json.loads(file.read_text().splitlines()[0])["creates"]["element_types"] == ["stain"]
    assert f"1 classification, recorded in {file}" in result.err


def test_a_closed_corpus_refuses_a_class(desk: Desk) -> None:
    """The element fails with a message that names the field; the declared class is there."""
    result = desk.perform("run", CLOSED)

    assert result.code == 1
    assert "results.0.class_name: the corpus has no class 'cat'" in result.err


@pytest.mark.parametrize("verb", ["check", "run"])
def test_what_the_worker_requires(desk: Desk, verb: str) -> None:
    """It is looked up before the first element and never created, although any class might be."""
    result = desk.perform(verb, REQUIRED, "--json")

    told = [(item["location"].partition(":W.")[2], item["message"], item["hint"]) for item in result.data["problems"]]
    assert result.code == 78
    assert told == [
        (
            "requires.element_types",
            "the corpus has no element type 'pagee'; it has page, paragraph, text_line",
            "did you mean page?",
        ),
        ("requires.classes", "the corpus has no class 'dog'; it has none", "create it"),
        ("requires.entity_types", "the corpus has no entity type 'person'; it has none", "create it"),
    ]
    assert [operation for operation in desk.operations() if operation.startswith(("Create", "StartWorkerA"))] == []


def test_who_may_not_create_a_type_is_told_before_the_first_element(desk: Desk) -> None:
    """With the attribute that wants it."""
    desk.emulator.faults.add("CreateElementType", Fault.answer(403))

    result = desk.perform("run", STAIN, "--json")

    assert result.code == 78
    assert result.problems["creates"]["location"].endswith(":W.creates.element_types")
    assert "refuses to create it" in result.problems["creates"]["message"]
    assert "StartWorkerActivity" not in desk.operations()


@pytest.mark.parametrize("verb", ["check", "run"])
def test_an_api_that_fails_here_is_worth_a_retry(desk: Desk, clock: QuickClock, verb: str) -> None:
    """Exit code 69 and one line."""
    desk.emulator.faults.add("RetrieveCorpus", Fault.answer(500), times=10)

    result = desk.perform(verb, NOTHING)

    assert result.code == 69
    assert result.err.splitlines()[-1].startswith("arkworker: RetrieveCorpus (status 500)")
    assert len(clock.waits) == 4


@pytest.mark.parametrize("flags", [("--offline",), ("--dev",)])
def test_without_arkindex_nothing_is_looked_up(desk: Desk, flags: tuple[str, ...]) -> None:
    """Developer mode and `check --offline` know of no corpus."""
    result = desk.perform("check", NOTHING, "--config.line=textline", *flags)

    assert result.code == 0, result.err
    assert desk.operations() == []


def test_a_worker_that_names_nothing_asks_nothing(desk: Desk, write_worker: Callable[[str], str]) -> None:
    """Start-up costs no request more."""
    desk.write_worker = lambda _: write_worker(
        "from arkworker import Worker\nclass W(Worker):\n    def run(self, c, s): ..."
    )

    desk.perform("run", NOTHING)

    assert "RetrieveCorpus" not in desk.operations()
