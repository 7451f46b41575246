"""Code from declarations: it says what the declaration said, and is formatted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from declarations import CONTENTS, MODELS, exports
from hypothesis import Phase, given, settings, strategies as some

from arkworker.declaration.content import FieldContent, WorkerContent, read_declaration, to_yaml
from arkworker.declaration.export import export
from arkworker.declaration.generation import Draft, generate
from arkworker.declaration.importing import import_file
from arkworker.declaration.metadata import Declaration
from arkworker.declaration.project import new_project, project_from
from arkworker.documents.text_file import TextFile

if TYPE_CHECKING:
    from arkworker import UserConfiguration

DATA = Path(__file__).parents[1] / "data"
#: Published declarations, where they are at hand.
PUBLISHED = Path(__file__).parents[3] / "shared" / "arkindex" / "declarations"


def written_and_read(content: WorkerContent) -> WorkerContent:
    return read_declaration(TextFile("worker.yml", to_yaml(content)))


@given(CONTENTS)
def test_a_declaration_is_read_as_it_was_written(content: WorkerContent) -> None:
    """No text is taken for a number, a boolean, a date or null, and no white space is lost."""
    assert written_and_read(content) == content


@given(CONTENTS)
def test_the_generated_code_declares_the_same(content: WorkerContent) -> None:
    """Names that Python cannot hold have aliases; nothing of the declaration is lost."""
    assert list(exports([Draft(content)])) == [content]


@given(MODELS)
def test_a_model_is_a_fixed_point_after_one_round(model: type[UserConfiguration]) -> None:
    """Model, file, model, file: both files are the same."""
    content = export(model, Declaration(), name="Generated", description="", command=None)
    assert list(exports([Draft(written_and_read(content))])) == [content]


def ruff(text: str, *flags: str) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--isolated", *flags, "-"]
    done = subprocess.run(command, input=text, capture_output=True, encoding="utf-8", check=False)
    return done.stdout or done.stderr


@given(some.lists(CONTENTS, min_size=10, max_size=10))
@settings(max_examples=5, phases=[Phase.generate])
def test_the_generated_code_is_formatted(contents: list[WorkerContent]) -> None:
    """`ruff format` changes nothing."""
    text = generate(list(map(Draft, contents))).text
    assert ruff(text) == text


NASTY = WorkerContent(
    "worker",
    'Say "it"',
    "t",
    'Ends with a quote "',
    configuration=(
        FieldContent("int", "Int", "int", default=1),
        FieldContent("float", "Float", "float", many=True, default=[1.0, 2.5]),
        FieldContent("list", "List", "string", many=True),
        FieldContent("class", "Class", "enum", choices=tuple(f"a long choice, number {n}" for n in range(9))),
        FieldContent("Field", "Field", "dict", default={"a": "b"}, editable=False, required=True),
        FieldContent("Literal", "Literal", "secret"),
        FieldContent("g.c", "Dotted", "model", required=True),
        FieldContent("UserConfiguration", "A", "group", children=(FieldContent("model_config", "M", "text"),)),
        FieldContent("worker", "B", "group", children=(FieldContent("x", "X", "worker_version", required=True),)),
        FieldContent("x" * 250, "C", "element_type", many=True, default=[], editable=False, help_text="h" * 200),
        FieldContent("bucket", "D", "s3_bucket"),
        FieldContent("export", "E", "corpus_export"),
        FieldContent("long", "F", "enum", default="y" * 40, choices=("x", "y" * 40)),
        FieldContent("huge", "G", "int", default=10**90),
    ),
)
CONSTANTS = {"deep": {"er": {"est": [1, {"a": None}], "empty": {}}, "n": 1}, "mixed": [1, "a"], "nothing": None}

LONG = "a_rather_long_name_that_goes_on_and_on_for_all_eternity"
LONG_NAMES = WorkerContent(
    LONG,
    "L",
    "t",
    "d",
    configuration=(
        FieldContent(LONG, "A", "group", children=(FieldContent(LONG, "B", "corpus_export", editable=False),)),
        FieldContent(f"{LONG}1", "C", "enum", choices=("a", "b" * 60), editable=False, required=True),
    ),
)


def test_long_names_are_defined_before_they_are_used() -> None:
    """Types that do not fit their line have a name of their own."""
    drafts = [Draft(LONG_NAMES, {f"{LONG}2": {f"{LONG}3": {"x": [1, "a"]}}}), Draft(LONG_NAMES)]
    assert list(exports(drafts)) == [LONG_NAMES, LONG_NAMES]
    text = generate(drafts).text
    assert ruff(text) == text


def test_the_hardest_names_work() -> None:
    """Types, keywords, imported names and pydantic's own as keys; values that only code can hold beside them."""
    assert list(exports([Draft(NASTY, CONSTANTS), Draft(NASTY)])) == [NASTY, NASTY]


def test_an_option_that_is_called_logger_needs_no_logger() -> None:
    """What the code defines is not what it uses: nothing is imported for it."""
    options = (FieldContent("logger", "Logger", "string", default="x"),)
    text = generate([Draft(WorkerContent("worker", "W", "t", "d", configuration=options))]).text
    assert "logging" not in text


@pytest.mark.parametrize("width", ["88", "100", "120"])
def test_the_line_length_is_the_projects_own(width: str) -> None:
    """Formatters with any line length of 88 or more leave the code alone."""
    body = ('logger.info("%s", context.config)', 'yield Text("a")')
    text = generate([Draft(NASTY, CONSTANTS)], ["a note"], body).text
    assert ruff(text, "--line-length", width) == text


def write_project(directory: Path, name: str, files: dict[str, str]) -> None:
    """The package of a project, and beside it the tests under names that others have not."""
    for path, text in files.items():
        if path.endswith(".py"):
            place = directory / path.replace("tests/", f"{name}_")
            place.parent.mkdir(exist_ok=True)
            place.write_text(text, encoding="utf-8")


def test_the_generated_code_is_typed(tmp_path: Path) -> None:
    """Mypy finds nothing to say, at its strictest, about made-up, former and published declarations, and projects."""
    drafts = {"nasty": [Draft(NASTY, CONSTANTS), Draft(NASTY)]}
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(PUBLISHED.glob("*.yml"))}
    for path in sorted((DATA / "convert-oracle").glob("*.json")):
        oracle = json.loads(path.read_text(encoding="utf-8"))
        texts[path.stem] = oracle["legacy"]
        for name, text in oracle["files"].items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
    for name, text in texts.items():
        drafts[name] = list(import_file(TextFile(name, text), tmp_path).drafts)
    for name, found in drafts.items():
        (tmp_path / f"{name.replace('.', '-')}.py").write_text(generate(found).text, encoding="utf-8")
    # One run for all: mypy reads arkworker itself every time.
    write_project(tmp_path, "new", new_project("new").files)
    write_project(tmp_path, "made-up", project_from("made-up", drafts["nasty"], ()).files)
    (tmp_path / "mypy.ini").write_text("[mypy]\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "mypy.ini"]
    files = [path.name for path in tmp_path.glob("*.py")]
    done = subprocess.run([*command, *files], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == (f"Success: no issues found in {len(files)} source files\n", 0)


@pytest.mark.parametrize(("slug", "name"), [("page-lines", "PageLines"), ("true", "TrueWorker"), ("1", "Worker1")])
def test_the_class_is_called_by_its_slug(slug: str, name: str) -> None:
    """As far as Python can."""
    assert generate([Draft(WorkerContent(slug, "D", "t", "d"))]).workers == (name,)
