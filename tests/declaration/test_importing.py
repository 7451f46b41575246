"""From declaration files, present and former, to workers in code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from declarations import exports, load
from hypothesis import given, strategies as some

from arkworker import ElementsWorker
from arkworker.declaration.content import read_declaration
from arkworker.declaration.generation import generate
from arkworker.declaration.importing import Imported, import_file
from arkworker.documents.text_file import TextFile, read_text_file
from arkworker.errors import ConfigurationError

if TYPE_CHECKING:
    from arkworker.declaration.content import FieldContent, WorkerContent

DATA = Path(__file__).parents[1] / "data"
ORACLES = sorted((DATA / "convert-oracle").glob("*.json"))
REAL = Path(__file__).parents[3] / "shared" / "arkindex" / "declarations"
FORMER = "version: 2\nworkers:\n- name: S\n  slug: s\n  type: t\n"
HEAD = "slug: s\ndisplay_name: S\ntype: t\ndescription: d\n"

#: Where the result is not that of the official converter, and why: what is ours instead of its, by oracle and worker.
DIFFERENCES: dict[tuple[str, str], str] = {
    ("bad-enum", "bad-enum"): "it refuses choices that are numbers; ours are text, and a note says so",
    ("shm-upper", "shm"): "it refuses a size in capitals; ours is written as Arkindex wants it",
    ("secrets-and-env", "with-secrets"): "it drops secrets; each is an option of type secret, and a note says so",
    ("ufcn-two-workers", "ufcn_line_historical"): "it drops a list without subtype; ours is a list of strings",
}


def imported(text: str, folder: Path = DATA) -> Imported:
    return import_file(TextFile("worker.yml", text), folder)


def worker(entries: str, folder: Path = DATA) -> tuple[WorkerContent, tuple[str, ...]]:
    """The one worker of a former declaration, and the notes without the name of the worker."""
    found = imported(f"version: 2\nworkers:\n- name: S\n  slug: s\n  type: t\n{entries}", folder)
    (draft,) = found.drafts
    return draft.content, tuple(note.removeprefix("s: ") for note in found.notes)


def user_option(attributes: str) -> tuple[FieldContent, tuple[str, ...]]:
    content, notes = worker(f"  user_configuration:\n    k: {{{attributes}}}\n")
    (field,) = content.configuration
    return field, tuple(note.removeprefix("user_configuration.k: ") for note in notes)


@pytest.mark.parametrize("path", ORACLES, ids=lambda path: path.stem)
def test_a_former_declaration_becomes_what_the_official_converter_makes_of_it(path: Path, tmp_path: Path) -> None:
    """Imported to code and exported again, except where the converter loses or refuses something."""
    oracle: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name, text in oracle["files"].items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = import_file(TextFile(".arkindex.yml", oracle["legacy"]), tmp_path)
    ours = {content.slug: content for content in exports(list(found.drafts))}
    theirs = {name.removesuffix(".yml"): text for name, text in oracle["modern"].items()}
    different = {slug for slug in ours if slug not in theirs or ours[slug] != read_declaration(_file(theirs[slug]))}
    assert different == {slug for stem, slug in DIFFERENCES if stem == path.stem}


def _file(text: str) -> TextFile:
    return TextFile("modern.yml", text)


@pytest.mark.parametrize("name", ["ufcn-two-workers", "secrets-and-env"])
def test_what_the_converter_loses_is_kept(name: str, tmp_path: Path) -> None:
    """All that it wrote, in its order, and the lost option besides."""
    oracle = json.loads((DATA / "convert-oracle" / f"{name}.json").read_text(encoding="utf-8"))
    (tmp_path / "path/to").mkdir(parents=True)
    for file, text in oracle["files"].items():
        (tmp_path / file).write_text(text)
    ours = import_file(TextFile(".arkindex.yml", oracle["legacy"]), tmp_path).drafts[0].content
    theirs = read_declaration(_file(oracle["modern"][f"{ours.slug}.yml"]))
    lost = [field for field in ours.configuration if field not in theirs.configuration]
    assert [field.key for field in lost] == [{"ufcn-two-workers": "classes", "secrets-and-env": "secret"}[name]]
    assert tuple(field for field in ours.configuration if field not in lost) == theirs.configuration


@pytest.mark.skipif(not REAL.is_dir(), reason="the published declarations are not here")
def test_published_declarations_are_imported() -> None:
    """Each becomes code that declares the same."""
    for path in sorted(REAL.iterdir()):
        drafts = list(import_file(read_text_file(str(path)), path.parent).drafts)
        assert list(exports(drafts)) == [draft.content for draft in drafts]


def test_a_size_that_everybody_gets_wrong_is_corrected() -> None:
    """`8G` is `8g`, with a note; any other problem is the file's own to solve."""
    found = imported(HEAD + "docker: {shm_size: 8G}\n")
    assert found.drafts[0].content.shm_size == "8g"
    assert found.notes == ("docker.shm_size: Arkindex refuses it as it is; 8g is used instead",)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (HEAD + "docker: {shm_size: much}\n", "docker.shm_size"),
        (HEAD + "docker: {shm_size: 8G}\nconfiguration: 1\n", "docker.shm_size"),
        (HEAD + "configuration: [{key: secrets, display_name: K, type: int}]\n", "configuration.secrets"),
        (HEAD + "configuration: [{key: a=b, display_name: K, type: int}]\n", "configuration.a=b"),
        (HEAD + "configuration: [{key: debug, display_name: K, type: int}]\n", "configuration.debug"),
        (HEAD + "x: 2001-02-30\n", "x"),
        (FORMER + "- {name: T, slug: s, type: t}\n", "slug"),
        (FORMER + "  configuration: {secrets: null}\n", "configuration.secrets"),
        (FORMER + "  configuration: {a: {b: {extras_dir: [1, x]}}}\n", "configuration.extras_dir"),
        (FORMER + "  configuration: {a: {a=b: null}}\n", "configuration.a=b"),
        ("a: [", ""),
        ("", ""),
        ("- a", ""),
        ("version: 2", ""),
        ("version: 2\nworkers: {}", ""),
        ("version: 2\nworkers: [{name: S}]", "slug"),
        ("version: 2\nworkers: [{name: S, slug: s s, type: t}]", "slug"),
    ],
)
def test_what_cannot_be_imported_is_a_problem(text: str, path: str) -> None:
    """It names the part, and no code is written."""
    with pytest.raises(ConfigurationError) as caught:
        imported(text)
    assert caught.value.problems[0].path == path


@pytest.mark.parametrize(
    ("attributes", "expected", "notes"),
    [
        ("type: int, default: '5'", ("int", 5), ("its default was changed to its type",)),
        ("type: int, default: 5.5", ("int", None), ("its default is not of its type; was left out",)),
        ("type: int, default: true", ("int", None), ("its default is not of its type; was left out",)),
        ("type: int, default: .inf", ("int", None), ("its default is not of its type; was left out",)),
        ("type: float, default: 1e-3", ("float", 0.001), ("its default was changed to its type",)),
        ("type: string, default: yes", ("string", "true"), ("its default was changed to its type",)),
        ("type: bool, default: 'yes'", ("bool", None), ("its default is not of its type; was left out",)),
        ("type: dict, default: {a: 1}", ("dict", {"a": "1"}), ("its default was changed to its type",)),
        ("type: dict, default: {a: [1]}", ("dict", None), ("its default is not of its type; was left out",)),
        ("type: enum, choices: [a], default: a", ("string", "a"), ("an enum needs two choices; it is a string now",)),
        ("type: enum, choices: [1, 2], default: 1", ("enum", "1"), None),
        ("type: list, default: [1]", ("int", [1]), ("its list has no subtype; int is used instead",)),
        ("type: list, subtype: int, default: 1", ("int", None), ("its default is not of its type; was left out",)),
        (
            "type: list, subtype: bool",
            ("string", None),
            ("Arkindex has no lists of bool; it is a list of strings now",),
        ),
        ("type: string, step: 1", ("string", None), ("step has no counterpart; was left out",)),
    ],
)
def test_an_option_that_does_not_fit_is_made_to(
    attributes: str, expected: tuple[str, Any], notes: tuple[str, ...] | None
) -> None:
    """Nothing changes without a note."""
    field, found = user_option(attributes)
    assert (field.type, field.default) == expected
    assert found == notes if notes is not None else found


#: What Python, pydantic, a formatter or a configuration of arkworker means something else by.
# ruff: noqa: SIM905 - a list of sixty quoted words is hard to read
HARD_KEYS = some.sampled_from(
    """a A a-b a.b a_b class None import match type self cls mro int dict list Any Field Text Literal Iterator logger
    I l model_config model_dump copy __init__ _ 0 1a é ß ﬁ 名 🙂 a=b debug DEBUG secrets extras_dir {x} %s a' a"b
    """.split()
) | some.sampled_from(["", " a", "a\nb", "\\", "\u200b", "\u2028", "x" * 250])
FIXED_VALUES = some.recursive(
    some.sampled_from([None, True, 0, 10**400, -0.0, 5e-324, "", "a\nb", "'\"", '"""', "\\", "é", "\x07", "w" * 99]),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(HARD_KEYS, inner, max_size=3),
    max_leaves=8,
)
USERS_OPTIONS = some.fixed_dictionaries(
    {"title": HARD_KEYS, "type": some.sampled_from(["int", "float", "string", "bool", "enum", "list", "dict", "text"])},
    optional={"default": FIXED_VALUES, "choices": some.lists(FIXED_VALUES, max_size=4), "required": some.booleans()},
)


@given(some.dictionaries(HARD_KEYS, FIXED_VALUES, max_size=4), some.dictionaries(HARD_KEYS, USERS_OPTIONS, max_size=3))
def test_what_is_imported_can_be_imported(fixed: dict[str, Any], users: dict[str, Any]) -> None:
    """Whatever a former declaration holds, it is refused, or becomes a module that Python takes."""
    data = {"slug": "s", "name": "S", "type": "t", "configuration": fixed, "user_configuration": users}
    try:
        found = imported(yaml.safe_dump({"workers": [data]}, allow_unicode=True, sort_keys=False))
    except ConfigurationError:
        return
    module = generate(found.drafts, found.notes)
    assert issubclass(getattr(load(module.text), module.workers[0]), ElementsWorker)


def test_titles_that_are_no_labels_become_help() -> None:
    """As the official converter does it."""
    field, _ = user_option('type: int, title: "One\\nTwo"')
    assert (field.display_name, field.help_text) == ("k", "One\nTwo")


def test_fixed_values_that_have_parts_become_groups_or_stay_in_code() -> None:
    """One level is a group of fields that cannot be edited; what is deeper is a frozen model off the form."""
    values = "{a: {b: 1, c: x}, d: {e: {f: {g: 1}}}, h: null, i: [1, 2], j: 2024-01-02}"
    text = f"  configuration: {values}\n"
    found = imported(f"version: 2\nworkers:\n- name: S\n  slug: s\n  type: t\n{text}")
    (draft,) = found.drafts
    group, items, date = draft.content.configuration
    children = [(child.key, child.default, child.editable) for child in group.children]
    assert children == [("b", 1, False), ("c", "x", False)]
    assert (items.many, items.default, date.default) == (True, [1, 2], "2024-01-02")
    assert draft.constants == {"d": {"e": {"f": {"g": 1}}}, "h": None}
    assert [note.split(":")[1].strip() for note in found.notes] == [
        "configuration.d",
        "configuration.h",
        "configuration.j",
    ]
    assert list(exports([draft])) == [draft.content]


def test_what_users_may_set_is_told_once() -> None:
    """A fixed value of the same name gives way, with a note."""
    content, notes = worker("  configuration: {k: 1}\n  user_configuration: {k: {type: int, title: K}}\n")
    assert [field.key for field in content.configuration] == ["k"]
    assert notes == ("configuration.k: users may set it, under user_configuration; that one counts",)


def test_all_that_has_no_counterpart_is_listed() -> None:
    """One note for each part that is left out or changed."""
    text = (
        "  model_usage: true\n  environment: {A: b}\n"
        "  docker: {build: Dockerfile, environment: {A: b}, shm_size: big}\n"
        "  secrets: [a/b.json, b.json]\n  user_configuration: {k: {type: odd}, l: 1}\n  configuration: {x: .inf}\n"
    )
    found = imported(
        f"version: 2\nmodels: [{{name: m}}]\nother: 1\nworkers:\n- name: S\n  slug: s\n  type: t\n{text}- 5\n"
    )
    parts = [note.removeprefix("s: ").partition(":")[0] for note in found.notes]
    assert parts == [
        *("other", "models", "workers", "user_configuration.k", "user_configuration.l", "configuration.x"),
        *("secrets.a/b.json", "secrets.b.json", "docker.build", "docker.environment"),
        *("docker.shm_size", "environment", "model_usage"),
    ]
    assert [field.key for field in found.drafts[0].content.configuration] == ["b", "b_secret"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret.md", "absent.md", "", "**/../x", "folder"])
def test_no_file_outside_the_folder_is_read(name: str, tmp_path: Path) -> None:
    """Neither as a description nor as a worker; there is a note."""
    (tmp_path / "secret.md").write_text("top secret")
    folder = tmp_path / "repository"
    (folder / "folder").mkdir(parents=True)
    content, notes = worker(f"  description: {json.dumps(name)}\n- {json.dumps(name)}\n", folder)
    assert content.description == "S"
    assert len(notes) == 2


@given(some.text(alphabet="slugkey:-?[]{},&*!|>'\"#~<=\n 01.", max_size=80), some.integers(0, 200))
def test_no_damage_to_a_former_declaration_is_a_crash(insertion: str, position: int) -> None:
    """Whatever is typed into it, the answer is code that works, or problems."""
    text = (
        "version: 2\nworkers:\n- name: S\n  slug: s\n  type: t\n  docker: {shm_size: 1g}\n  secrets: [a]\n"
        "  configuration: {a: {b: 1}}\n  user_configuration: {k: {type: enum, choices: [a, b], title: K}}\n"
    )
    try:
        found = imported(text[:position] + insertion + text[position:])
    except ConfigurationError:
        return
    assert list(exports(list(found.drafts))) == [draft.content for draft in found.drafts]


def test_notes_are_in_the_code() -> None:
    """What is to be checked by hand is found again where the work goes on."""
    assert "\n# To be checked by hand:\n# a note\n" in generate(imported(HEAD).drafts, ["a note"]).text
