"""The configuration file: two forms, every value with its place, and no line shown that could hold a secret."""

from __future__ import annotations

import pytest
from pydantic import Field
from resolving import settle

from arkworker import Secret, UserConfiguration


class Item(UserConfiguration):
    size: int = 1
    name: str = ""


class Inner(UserConfiguration):
    batch_size: int = 4
    names: list[str] = Field(default_factory=list)


class Configuration(UserConfiguration):
    threshold: float = Field(0.5, le=1)
    name: str = ""
    advanced: Inner = Inner()
    extra: Inner | None = None
    items: list[Item] = Field(default_factory=list)
    table: dict[str, int] = Field(default_factory=dict)
    depth: int = Field(3, alias="how-deep")
    token: Secret[str] | None = None


FLAT = """\
threshold: 0.7
advanced:
  batch_size: 8
how-deep: 5
items:
  - size: 2
"""
MODERN = """\
configuration:
  - {key: threshold, value: 0.7, secret: false}
  - key: advanced.batch_size
    value: 8
    secret: no
  - {key: how-deep, value: 5, secret: false}
  - {key: items, value: [{size: 2}], secret: false}
"""
JSON = '{"threshold": 0.7, "advanced": {"batch_size": 8}, "how-deep": 5, "items": [{"size": 2}]}'
DOTTED = "{threshold: 0.7, advanced.batch_size: 8, how-deep: 5, items: [{size: 2}]}"


@pytest.mark.parametrize("text", [FLAT, MODERN, JSON, DOTTED, f"\ufeff{FLAT}", FLAT.replace("\n", "\r\n")])
def test_all_forms_mean_the_same(text: str) -> None:
    """Flat, modern, JSON, dotted names, with a mark, with the line breaks of Windows."""
    expected = {"threshold": 0.7, "advanced": {"batch_size": 8}, "how-deep": 5, "items": [{"size": 2}]}

    assert settle(Configuration, file=text).config == Configuration.model_validate(expected)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}", "advanced:\n", "secrets:\nextras_dir: ~\n"])
def test_file_that_sets_nothing(text: str) -> None:
    """A file, a group or a reserved key that is empty leaves everything as it is."""
    assert settle(Configuration, file=text).config == Configuration()


class Optional(UserConfiguration):
    needed: Inner | None
    extra: Inner | None = None


@pytest.mark.parametrize(
    ("text", "needed", "extra"),
    [
        ("needed: {}", Inner(), None),
        ("needed: ~\nextra: {}", None, Inner()),
        ("needed.batch_size: 8\nneeded: {}", Inner(batch_size=8), None),
        ("needed: {}\nneeded.batch_size: 8", Inner(batch_size=8), None),
    ],
)
def test_empty_group_that_may_be_null(text: str, needed: Inner | None, extra: Inner | None) -> None:
    """It is there, with its defaults, as the schema says; beside its options it says nothing."""
    assert settle(Optional, file=text).config == Optional(needed=needed, extra=extra)


class Outer(UserConfiguration):
    class Middle(UserConfiguration):
        inner: Inner = Inner()

    middle: Middle | None = None


@pytest.mark.parametrize("text", ["middle: {}", "middle: {inner: {}}", "middle: {inner: ~}", "middle:\n  inner:"])
def test_empty_group_in_one_that_may_be_null(text: str) -> None:
    """The outer one is there, as the schema says, although nothing in it is given."""
    assert settle(Outer, file=text).config == Outer(middle=Outer.Middle())


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("extra: ~\nextra.batch_size: 8", "config.extra.batch_size"),
        ("extra.batch_size: 8\nextra: ~", "config.extra"),
        ("extra: 7\nextra.batch_size: 8", "config.extra.batch_size"),
    ],
)
def test_group_as_a_whole_and_an_option_of_it(text: str, path: str) -> None:
    """One of the two is too much, in either order."""
    assert settle(Configuration, file=text).told[path] == "given twice, first at worker.yml:1:1"


def test_origin_is_the_place_of_the_key() -> None:
    """`explain` leads to the line."""
    origins = settle(Configuration, file=FLAT).origins

    assert {name: origins[f"config.{name}"].location for name in ("threshold", "advanced.batch_size", "items")} == {
        "threshold": "worker.yml:1:1",
        "advanced.batch_size": "worker.yml:3:3",
        "items": "worker.yml:5:1",
    }


PROBLEMS: list[tuple[str, str, str, str]] = [
    ("[1]", "", "1:1", "should be a mapping of options"),
    ("just text", "", "1:1", "should be a mapping of options"),
    ("null", "", "1:1", "should be a mapping of options"),
    ("threshold: [1", "", "1:12", "this '[' is not closed, or a comma is missing in it"),
    ("threshold: 0.1\nthreshold: 0.2\n", "", "2:1", "the key 'threshold' is given twice, first on line 1"),
    ('{"threshold": 0.1, "threshold": 0.2}', "", "1:20", "the key 'threshold' is given twice, first on line 1"),
    ("thresold: 1\n", "config.thresold", "1:1", "unknown option; did you mean threshold?"),
    ("Threshold: 1\n", "config.Threshold", "1:1", "unknown option; did you mean threshold?"),
    ("depth: 1\n", "config.depth", "1:1", "unknown option"),
    (
        "advanced:\n  batchsize: 1\n",
        "config.advanced.batchsize",
        "2:3",
        "unknown option; did you mean advanced.batch_size?",
    ),
    ("items:\n  - sice: 1\n", "config.items.0.sice", "2:5", "unknown option; did you mean size?"),
    ("advanced: 5\n", "config.advanced", "1:11", "this is a group: give its options below it"),
    ("advanced: [1]\n", "config.advanced", "1:11", "this is a group: give its options below it"),
    ("threshold: 1.7\n", "config.threshold", "1:12", "Input should be less than or equal to 1"),
    ("items:\n  - size: x\n", "config.items.0.size", "2:11", "Input should be a valid integer"),
    (
        "advanced.batch_size: 1\nadvanced: {batch_size: 2}\n",
        "config.advanced.batch_size",
        "2:12",
        "given twice, first at worker.yml:1:1",
    ),
    (
        "advanced: {batch_size: 2}\nadvanced.batch_size: 1\n",
        "config.advanced.batch_size",
        "2:1",
        "given twice, first at worker.yml:1:12",
    ),
    (
        "configuration: {threshold: 1}\n",
        "configuration",
        "1:16",
        "should be a list of items with key, value and secret",
    ),
    ("configuration: threshold\n", "configuration", "1:16", "should be a list of items with key, value and secret"),
    (
        "configuration: [5]\n",
        "configuration.0",
        "1:17",
        "should be an item with key, value and secret (true or false), and nothing more",
    ),
    (
        "configuration: [{key: threshold, value: 1}]\n",
        "configuration.0",
        "1:17",
        "should be an item with key, value and secret (true or false), and nothing more",
    ),
    (
        "configuration: [{key: threshold, value: 1, secret: maybe}]\n",
        "configuration.0",
        "1:17",
        "should be an item with key, value and secret (true or false), and nothing more",
    ),
    (
        "configuration: [{key: [a], value: 1, secret: no}]\n",
        "configuration.0",
        "1:17",
        "should be an item with key, value and secret (true or false), and nothing more",
    ),
    (
        "configuration: [{key: a, value: 1, secret: no, more: 1}]\n",
        "configuration.0",
        "1:17",
        "should be an item with key, value and secret (true or false), and nothing more",
    ),
    (
        "configuration: [{key: ~, value: 1, secret: no}]\n",
        "configuration.0",
        "1:17",
        "should be an item with key, value and secret (true or false), and nothing more",
    ),
    ("configuration: [{key: zzz, value: 1, secret: no}]\n", "config.zzz", "1:23", "unknown option"),
    (
        "configuration:\n- {key: name, value: a, secret: no}\n- {key: name, value: b, secret: no}\n",
        "config.name",
        "3:9",
        "given twice, first at worker.yml:2:9",
    ),
    (
        "configuration:\n- {key: threshold, value: ~, secret: no}\n- {key: threshold, value: 1, secret: no}\n",
        "config.threshold",
        "3:9",
        "given twice, first at worker.yml:2:9",
    ),
    (
        "configuration: [{key: name, value: a, secret: true}]\n",
        "config.name",
        "1:36",
        "a secret on Arkindex, but not in code",
    ),
    ("name: a\nconfiguration: []\n", "config.name", "1:1", "not allowed next to a configuration list"),
    ("secrets: token\n", "secrets", "1:10", "should be a list of names of secrets"),
    ("secrets: [a, ~]\n", "secrets", "1:10", "should be a list of names of secrets"),
    ("secrets: [a, [b]]\n", "secrets", "1:10", "should be a list of names of secrets"),
    ("secrets: {a: b}\n", "secrets", "1:10", "should be a list of names of secrets"),
    ("extras_dir: [a]\n", "extras_dir", "1:13", "should be the path of a directory"),
    ("debug: maybe\n", "debug", "1:1", "Input should be true or false"),
    ("token: {a: b}\n", "config.token", "1:8", "a secret is given by reference"),
    ("name: !!python/object:os.system a\n", "", "1:7", "the tag !!python/object:os.system is not allowed"),
    ("name: *nowhere\n", "", "1:7", "this alias has no anchor before it"),
    ("threshold: 0.5\n---\nname: a\n", "", "2:1", "a second document"),
]


@pytest.mark.parametrize(("text", "path", "place", "message"), PROBLEMS, ids=lambda value: ascii(value)[:30])
def test_problem_names_line_and_column(text: str, path: str, place: str, message: str) -> None:
    """Each mistake in a file is told once, at its place."""
    problem = settle(Configuration, file=text).problem

    assert (problem.source, problem.path, problem.message) == ("configuration file", path, message)
    assert problem.location == f"worker.yml:{place}"


def test_all_problems_are_told_at_once() -> None:
    """Unknown names, wrong kinds and broken bounds of one file come together."""
    outcome = settle(Configuration, file="threshold: 1.7\nnam: a\nadvanced: {batch_size: x}\nitems: [{size: y}, 5]\n")

    assert sorted(outcome.told) == [
        "config.advanced.batch_size",
        "config.items.0.size",
        "config.items.1",
        "config.nam",
        "config.threshold",
    ]


def test_missing_file_is_an_error() -> None:
    """A file that a person named must exist."""
    problem = settle(Configuration, "-c", "nowhere.yml").problem

    assert (problem.path, problem.source, problem.location, problem.message) == (
        "config_file",
        "configuration file",
        "-c nowhere.yml",
        "no such file",
    )


EXCERPTS: list[tuple[str, str]] = [
    ("threshold: 1.7\n", "threshold: 1.7"),
    ("threshold: 1.7 # s3cr3t\n", "threshold: 1.7"),
    ("threshold:    1.7\t# s3cr3t\n", "threshold:    1.7"),
    ("{threshold: 1.7, name: a}\n", "{threshold: 1.7, name: a}"),
    ("{threshold: 1.7, zzz: s3cr3t}\n", ""),
    ("{zzz: s3cr3t, threshold: 1.7}\n", ""),
    ("{threshold: 1.7, token: s3cr3t}\n", ""),
    ('{"token": "s3cr3t", "threshold": 1.7}\n', ""),
    ("token: >\n  s3cr3t\nthreshold: 1.7\n", "threshold: 1.7"),
    ("zzz: &a 1.7 \nthreshold: *a\n", ""),
    ("configuration: [{key: threshold, value: 1.7, secret: no}]\n", ""),
    ("advanced: s3cr3t\n", ""),
    ("advanced: [s3cr3t]\n", ""),
    ("advanced: {names: [a], batch_size: x}\n", "advanced: {names: [a], batch_size: x}"),
    ("advanced:\n  zzz:\n    a: s3cr3t\n  batch_size: x\n", "  batch_size: x"),
    ("advanced:\n  zzz: |\n    s3cr3t\n\n    s3cr3t\nthreshold: 1.7\n", "threshold: 1.7"),
    ("items: [{size: x, zzz: s3cr3t}]\n", ""),
    ("items:\n  - size: x\n    zzz: s3cr3t\n", ""),
    (f"{{name: '{'a' * 200}', threshold: 1.7}}\n", ""),
]


@pytest.mark.parametrize(("text", "excerpt"), EXCERPTS, ids=lambda value: ascii(value)[:40])
def test_line_is_shown_when_it_holds_known_options_only(text: str, excerpt: str) -> None:
    """A line with a secret, an unknown option or a comment on it is shown as far as it is none."""
    outcome = settle(Configuration, file=text)
    shown = [problem.excerpt for problem in outcome.problems if "unknown" not in problem.message]

    assert shown == [excerpt]
    assert "s3cr3t" not in outcome.everything


def test_reserved_keys_are_no_options() -> None:
    """Names of secrets, the directory of extra files, and DEBUG."""
    outcome = settle(Configuration, file="secrets: [a, b.json, a]\nextras_dir: models\ndebug: yes\nname: x\n")

    assert outcome.resolution.secret_names == ("a", "b.json")
    assert outcome.resolution.settings.extras_dir == "models"
    assert outcome.resolution.wants_debug
    assert outcome.config == Configuration(name="x")


def test_declared_debug_option_is_an_option() -> None:
    """A worker that declares `debug` has it in its configuration."""

    class WithDebug(UserConfiguration):
        debug: bool = False

    assert settle(WithDebug, file="debug: true\n").config.debug


def test_null_is_a_value_where_it_is_accepted() -> None:
    """A group that may be absent, an option that may be null."""
    outcome = settle(Configuration, "--config.extra.batch_size", "1", file="extra: ~\ntoken: null\n")

    assert outcome.config.extra == Inner(batch_size=1)
    assert settle(Configuration, file="extra: ~\n").config.extra is None


def test_free_mapping_keeps_everything() -> None:
    """Nested values, dotted names, and the scalars of YAML 1.1."""
    outcome = settle(file="a.b: 1\na: {b: [no, 1.10, 2024-01-02]}\nc: ~\n")

    assert outcome.config == {"a.b": 1, "a": {"b": [False, 1.1, "2024-01-02"]}, "c": None}


def test_free_mapping_masks_secret_items() -> None:
    """The modern form says which items are secret: they are references, in stronger sources, too."""
    text = "configuration: [{key: a, value: s3cr3t, secret: yes}, {key: b, value: plain, secret: no}]\n"

    outcome = settle(None, "--config.a", "s3cr3t-too", file=text)

    assert [request.path for request in outcome.resolution.secrets] == [("config", "a")]
    assert "s3cr3t" not in outcome.everything
    assert outcome.config["b"] == "plain"


@pytest.mark.parametrize("item", ["{key: token, value: name, secret: yes}", "{key: token, value: name, secret: no}"])
def test_secret_option_is_a_reference_in_both_forms(item: str) -> None:
    """What the code declares as secret is one, whatever the file says."""
    (request,) = settle(Configuration, file=f"configuration: [{item}]\n").resolution.secrets

    assert (request.path, request.reference.value) == (("config", "token"), "name")


def test_file_is_ignored_beside_a_worker_run() -> None:
    """It is not even read; a warning says what to do."""
    outcome = settle(Configuration, items=[], file="threshold: [\n")

    assert outcome.config == Configuration()
    assert [(warning.path, warning.hint) for warning in outcome.warnings] == [("config_file", "add --dev to use it")]


def test_developer_mode_reads_the_file_beside_a_worker_run() -> None:
    """`--dev` makes it a desk."""
    outcome = settle(Configuration, "--dev", environ={"ARKINDEX_WORKER_RUN_ID": "a"}, file="name: x\n")

    assert outcome.config.name == "x"
