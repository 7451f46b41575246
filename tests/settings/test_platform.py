"""Every variable and every flag that a worker of any release reads has its place, typed, with a description."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from resolving import settle

import arkworker
from arkworker.settings.platform import GONE_VARIABLES, Settings, flag_of, platform_fields, variable_of

# Variable, path of its field, a text, what it is read as.
VARIABLES: list[tuple[str, str, str, Any]] = [
    ("PONOS_DATA", "data_dir", "/data", "/data"),
    ("PONOS_TASK", "task_id", "a-1", "a-1"),
    ("ARKINDEX_TASK_CHUNK", "task_chunk", "3", "3"),
    ("ARKINDEX_WORKER_RUN_ID", "worker_run_id", "a-1", "a-1"),
    ("ARKINDEX_CORPUS_ID", "corpus_id", "a-1", "a-1"),
    ("ARKINDEX_MODEL_ID", "model_id", "a-1", "a-1"),
    ("ARKINDEX_MODEL_VERSION_ID", "model_version_id", "a-1", "a-1"),
    ("ARKINDEX_MODEL_VERSION", "bootstrap_model_version", "a-1", "a-1"),
    ("ARKINDEX_MODEL_DIR", "model_dir", "/m", "/m"),
    ("TASK_ELEMENTS", "elements_list", "/e.json", "/e.json"),
    ("SKIP_TASK_ELEMENTS", "no_elements_list", "1", True),
    ("TASK_BOOTSTRAP", "bootstrap", "true", True),
    ("TASK_PARENTS", "bootstrap_parents", '{"a": "b"}', {"a": "b"}),
    ("CONTAINER_ID", "container_id", "12", "12"),
    ("CONTAINER_API_KEY", "container_api_key", "k3y", "k3y"),
    ("VAST_URL", "vast_url", "http://localhost", "http://localhost"),
    ("ARKINDEX_DEBUG", "verbose", "1", True),
    ("ARKINDEX_MAX_IMAGE_PIXELS", "max_image_pixels", "0", 0),
    ("XDG_DATA_HOME", "xdg_data_home", "/x", "/x"),
    ("XDG_CONFIG_HOME", "xdg_config_home", "/x", "/x"),
    ("ARKINDEX_API_URL", "api.url", "http://localhost/", "http://localhost/"),
    ("ARKINDEX_TASK_TOKEN", "api.task_token", "t0ken", "t0ken"),
    ("ARKINDEX_API_TOKEN", "api.token", "t0ken", "t0ken"),
    ("ARKINDEX_API_AUTH_SCHEME", "api.auth_scheme", "Bearer", "Bearer"),
    ("ARKINDEX_API_SCHEMA_URL", "api.schema_url", "/s.json", "/s.json"),
    ("ARKINDEX_API_CSRF_COOKIE", "api.csrf_cookie", "c", "c"),
    ("REQUESTS_USER_AGENT", "user_agent", "me/1", "me/1"),
    ("SLURM_JOB_ID", "slurm_job_id", "7", "7"),
    ("SLURM_ARRAY_TASK_ID", "slurm_array_task_id", "7", 7),
    ("SLURM_ARRAY_TASK_COUNT", "slurm_array_task_count", "8", 8),
    ("SLURM_ARRAY_TASK_MIN", "slurm_array_task_min", "1", 1),
    ("JOB_COMPLETION_INDEX", "job_completion_index", "7", 7),
    ("ARKINDEX_SHARD", "shard", "2/8", "2/8"),
    ("ARKINDEX_JOBS", "jobs", "4", 4),
    ("ARKINDEX_EXECUTOR", "executor", "submitit:local", "submitit:local"),
    # Our own, for what the published client infers.
    ("ARKINDEX_API_VERIFY", "api.verify", "no", False),
    ("ARKINDEX_API_CA_BUNDLE", "api.ca_bundle", "/c.pem", "/c.pem"),
    ("ARKINDEX_PUBLICATION_BATCH_SIZE", "publication_batch_size", "20", 20),
]

# Spellings of a flag, path of its field, arguments, what they are read as.
FLAGS: list[tuple[tuple[str, ...], str, list[str], Any]] = [
    (("-c", "--config"), "config_file", ["worker.yml"], "worker.yml"),
    (("-d", "--database"), "database", ["db.sqlite"], "db.sqlite"),
    (("-v", "--verbose", "--debug"), "verbose", [], True),
    (("--dev",), "dev", [], True),
    (("--publication-batch-size",), "publication_batch_size", ["1"], 1),
    (("--extras-dir",), "extras_dir", ["d"], "d"),
    (("--bootstrap",), "bootstrap", [], True),
    (("--elements-list",), "elements_list", ["e.json"], "e.json"),
    (("--no-elements-list",), "no_elements_list", [], True),
    (("--element",), "element", ["a", "b"], ("a", "b")),
    (("--image",), "image", ["a.jpg", "b c.png"], ("a.jpg", "b c.png")),
    (("--no-worker-activity",), "no_worker_activity", [], True),
    (("--set",), "set", ["a:train", "a:un\u00a0nom"], ("a:train", "a:un\u00a0nom")),
]


def value_of(settings: Settings, path: str) -> Any:
    """The value of a field, a token as its text."""
    value: Any = settings
    for name in path.split("."):
        value = getattr(value, name)
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


@pytest.mark.parametrize(("variable", "path", "text", "expected"), VARIABLES, ids=[row[0] for row in VARIABLES])
def test_variable_is_read(variable: str, path: str, text: str, expected: Any) -> None:
    """Each variable of any release fills its field, from the environment and from an env file."""
    from_environment = settle(environ={variable: text}, elements=True)
    from_file = settle(env_file=f"{variable}='{text}'\n", elements=True)

    assert from_environment.problems == ()
    assert value_of(from_environment.resolution.settings, path) == expected
    assert value_of(from_file.resolution.settings, path) == expected


def test_no_variable_is_unlisted() -> None:
    """The table above is all that is read."""
    read = {variable_of(field) for field in platform_fields().values()} - {None}

    assert read == {row[0] for row in VARIABLES}
    assert read.isdisjoint(GONE_VARIABLES)


@pytest.mark.parametrize(("spellings", "path", "arguments", "expected"), FLAGS, ids=[row[0][-1] for row in FLAGS])
def test_flag_is_read(spellings: tuple[str, ...], path: str, arguments: list[str], expected: Any) -> None:
    """Each flag of any release keeps its spellings."""
    for spelling in spellings:
        outcome = settle(None, spelling, *arguments, elements=True, file="" if path == "config_file" else None)

        assert value_of(outcome.resolution.settings, path) == expected


OFF = ("", "0", "false", "False", "no", "OFF", " 0 ")
ON = ("1", "true", "True", "yes", "on", "anything")
SWITCHES = ["ARKINDEX_DEBUG", "SKIP_TASK_ELEMENTS", "TASK_BOOTSTRAP"]


@pytest.mark.parametrize("variable", SWITCHES)
@pytest.mark.parametrize(
    ("text", "expected"),
    [*((text, False) for text in OFF), *((text, True) for text in ON)],
)
def test_switch_says_what_it_means(variable: str, text: str, expected: bool) -> None:  # noqa: FBT001 - what is expected
    """Presence does not count, nor one exact spelling: 0, false, no, off and nothing are off, all else is on."""
    path = next(row[1] for row in VARIABLES if row[0] == variable)

    assert value_of(settle(environ={variable: text}).resolution.settings, path) is expected


@pytest.mark.parametrize("variable", [row[0] for row in VARIABLES])
def test_empty_variable_is_an_absent_one(variable: str) -> None:
    """An empty worker run id means developer mode, an empty directory means none, an empty switch is off."""
    outcome = settle(environ={variable: ""}, elements=True)

    assert outcome.problems == ()
    assert outcome.resolution.settings == settle(elements=True).resolution.settings


REFUSED: list[tuple[str, str]] = [
    ("PONOS_TASK", "../escape"),
    ("PONOS_TASK", "a/b"),
    ("PONOS_TASK", "."),
    ("PONOS_TASK", ".."),
    ("PONOS_TASK", "a\nb"),
    ("PONOS_TASK", "é"),
    ("PONOS_TASK", "a" * 256),
    ("ARKINDEX_TASK_CHUNK", "1/../.."),
    ("ARKINDEX_WORKER_RUN_ID", "a b"),
    ("ARKINDEX_WORKER_RUN_ID", "a?b"),
    ("ARKINDEX_CORPUS_ID", "%2e%2e"),
    ("PONOS_DATA", "a\0b"),
    ("TASK_PARENTS", "not json"),
    ("TASK_PARENTS", "[1]"),
    ("TASK_PARENTS", '{"../a": "b"}'),
    ("TASK_PARENTS", '{"a": "../b"}'),
    ("TASK_PARENTS", "[" * 100_000),
    ("ARKINDEX_API_URL", "arkindex.teklia.com"),
    ("ARKINDEX_API_URL", "ftp://localhost"),
    ("ARKINDEX_API_URL", "http://"),
    ("ARKINDEX_API_URL", "http://a b"),
    ("ARKINDEX_API_URL", "http://localhost:port"),
    ("ARKINDEX_API_URL", "http://[::1"),
    ("ARKINDEX_API_URL", "http://me:s3cr3t@localhost"),
    ("ARKINDEX_API_AUTH_SCHEME", "Token\r\nX: y"),
    ("REQUESTS_USER_AGENT", "a\nb"),
    ("ARKINDEX_MAX_IMAGE_PIXELS", "-1"),
    ("ARKINDEX_PUBLICATION_BATCH_SIZE", "0"),
    ("ARKINDEX_PUBLICATION_BATCH_SIZE", "2.5"),
    ("ARKINDEX_MAX_IMAGE_PIXELS", "many"),
    ("ARKINDEX_MAX_IMAGE_PIXELS", "9" * 5000),
]


@pytest.mark.parametrize(("variable", "text"), REFUSED, ids=lambda value: ascii(value)[:30])
def test_value_that_cannot_be_is_refused(variable: str, text: str) -> None:
    """What would become a path, a part of a URL or a header is checked; the message holds nothing of it."""
    outcome = settle(environ={variable: text})

    (problem,) = outcome.problems
    assert (problem.source, problem.location) == ("environment", variable)
    assert "s3cr3t" not in outcome.everything
    assert len(problem.message) < 200


@pytest.mark.parametrize(
    ("argv", "path"),
    [
        (["--element", ""], "element"),
        (["--element", "a", "../b"], "element"),
        (["--element", "../a", "../b"], "element"),
        (["--set", "train"], "set"),
        (["--set", ":train"], "set"),
        (["--set", "a/b:train"], "set"),
        (["--set", "a:"], "set"),
    ],
)
def test_flag_that_cannot_be_is_refused(argv: list[str], path: str) -> None:
    """Ids and sets are checked where they are typed."""
    problem = settle(None, *argv, elements=True).problem

    assert (problem.path, problem.source, problem.location) == (path, "command line", argv[0])


def test_flag_is_stronger_than_variable() -> None:
    """A flag, else the environment, else the default."""
    outcome = settle(None, "--elements-list", "a.json", environ={"TASK_ELEMENTS": "b.json"}, elements=True)

    assert outcome.resolution.settings.elements_list == "a.json"


def test_settings_are_frozen_and_hide_tokens() -> None:
    """A representation of all settings shows no token."""
    settings = settle(
        environ={"ARKINDEX_API_TOKEN": "s3cr3t", "ARKINDEX_TASK_TOKEN": "s3cr3t", "CONTAINER_API_KEY": "s3cr3t"}
    ).resolution.settings

    with pytest.raises(ValueError, match="frozen"):
        settings.dev = True  # type: ignore[misc]
    assert "s3cr3t" not in repr(settings) + settings.model_dump_json()


def test_debugging_of_pydantic_settings_shows_no_token(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A variable of pydantic-settings logs what each source says: tokens are stars there, too."""
    monkeypatch.setenv("PYDANTIC_SETTINGS_DEBUG", "1")
    caplog.set_level(logging.DEBUG)

    settle(environ={"ARKINDEX_API_TOKEN": "s3cr3t", "ARKINDEX_CONFIG_X": "s3cr3t", "PONOS_DATA": "/d"})

    assert "/d" in caplog.text
    assert "s3cr3t" not in caplog.text


def test_nothing_is_read_unasked(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Neither the environment of the process nor a file of the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARKINDEX_CORPUS_ID", "a")
    (tmp_path / ".env").write_text("ARKINDEX_CORPUS_ID=b\n")
    (tmp_path / "worker.yml").write_text(json.dumps({"x": 1}))

    outcome = settle()

    assert outcome.resolution.settings.corpus_id is None
    assert outcome.resolution.ledger.claims == {}
    assert outcome.config == {}


def test_flags_are_known_once() -> None:
    """No spelling belongs to two fields."""
    spellings = [name for field in platform_fields().values() if (flag := flag_of(field)) for name in flag.names]

    assert len(spellings) == len(set(spellings))


#: The module in which each setting acts, below `arkworker`.
ACTS = {
    "runtime/preparation.py": [
        *("worker_run_id", "task_id", "task_chunk", "data_dir", "xdg_data_home", "xdg_config_home", "corpus_id"),
        *("model_id", "model_version_id", "model_dir", "database", "extras_dir", "publication_batch_size", "results"),
        *("bootstrap", "bootstrap_parents", "bootstrap_model_version", "max_image_pixels", "user_agent"),
        *("api.url", "api.task_token", "api.token", "api.auth_scheme", "api.schema_url", "api.csrf_cookie"),
        *("api.verify", "api.ca_bundle", "slurm_job_id"),
    ],
    "settings/resolution.py": ["dev", "config_file", "env_file", "verbose"],
    "cli/running.py": ["log_format"],
    "runtime/loop/choice.py": [
        *("element", "image", "elements_list", "no_elements_list", "set", "shard", "slurm_array_task_id"),
        *("slurm_array_task_count", "slurm_array_task_min", "job_completion_index"),
    ],
    "runtime/loop/assignment.py": ["no_worker_activity"],
    "runtime/loop/run.py": ["prefetch", "grace", "element_timeout", "strict"],
    "runtime/named_files.py": ["summary"],
    "runtime/loop/jobs.py": ["jobs"],
    "runtime/report.py": ["report"],
    "cli/instance.py": ["container_id", "container_api_key", "vast_url"],
    "runtime/lifecycle.py": ["executor"],
}


def test_every_setting_acts_somewhere() -> None:
    """What is validated and documented is used: each field is read in the module that is named for it."""
    package = Path(arkworker.__file__).parent
    used = {
        name
        for module, names in ACTS.items()
        for name in names
        if re.search(rf"\b(settings|api|flags)\.{name.rpartition('.')[2]}\b|\"{name}\"", (package / module).read_text())
    }

    assert used == {".".join(path) for path in platform_fields()}
