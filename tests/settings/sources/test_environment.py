"""Variables of the process: options by their enumerated names, the platform by its historical ones."""

from __future__ import annotations

import pytest
from pydantic import Field
from resolving import settle

from arkworker import Secret, UserConfiguration


class Inner(UserConfiguration):
    batch_size: int = 4
    names: list[str] = Field(default_factory=list)


class Configuration(UserConfiguration):
    threshold: float = 0.5
    advanced: Inner = Inner()
    table: dict[str, int] = Field(default_factory=dict)
    depth: int = Field(3, alias="how-deep")
    token: Secret[str] | None = None


def test_variables_set_options() -> None:
    """Groups and aliases have variables of their field names; lists and mappings are written in one line."""
    outcome = settle(
        Configuration,
        environ={
            "ARKINDEX_CONFIG_THRESHOLD": "0.7",
            "ARKINDEX_CONFIG_ADVANCED_BATCH_SIZE": "8",
            "ARKINDEX_CONFIG_ADVANCED_NAMES": "a,b",
            "ARKINDEX_CONFIG_TABLE": "a=1",
            "ARKINDEX_CONFIG_DEPTH": "5",
        },
    )

    assert outcome.config == Configuration.model_validate(
        {
            "threshold": 0.7,
            "advanced": {"batch_size": 8, "names": ["a", "b"]},
            "table": {"a": 1},
            "how-deep": 5,
        }
    )
    assert outcome.origins["config.how-deep"].location == "ARKINDEX_CONFIG_DEPTH"


def test_empty_variable_is_an_absent_one() -> None:
    """As the client of Arkindex has it, for every variable."""
    names = (
        "ARKINDEX_CONFIG_THRESHOLD",
        "ARKINDEX_WORKER_RUN_ID",
        "PONOS_DATA",
        "XDG_DATA_HOME",
        "ARKINDEX_CONFIG_ZZZ",
    )

    outcome = settle(Configuration, environ=dict.fromkeys(names, ""))

    assert outcome.config == Configuration()
    assert outcome.resolution.is_developer_mode
    assert outcome.resolution.settings.data_dir is None


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("ARKINDEX_CONFIG_THRESOLD", "unknown option; did you mean ARKINDEX_CONFIG_THRESHOLD?"),
        ("ARKINDEX_CONFIG_BATCH_SIZE", "unknown option; did you mean ARKINDEX_CONFIG_ADVANCED_BATCH_SIZE?"),
        ("ARKINDEX_CONFIG_threshold", "unknown option; did you mean ARKINDEX_CONFIG_THRESHOLD?"),
        ("arkindex_config_threshold", "unknown option; did you mean ARKINDEX_CONFIG_THRESHOLD?"),
        ("ARKINDEX_CONFIG_ZZZ", "unknown option"),
    ],
)
def test_unknown_option_is_an_error_with_the_nearest(variable: str, message: str) -> None:
    """A person typed it: it means something, but not what it says."""
    problem = settle(Configuration, environ={variable: "1"}).problem

    assert (problem.source, problem.location, problem.message) == ("environment", variable, message)


def test_wrong_value_names_its_variable() -> None:
    """The message says what to write, the location where."""
    problem = settle(Configuration, environ={"ARKINDEX_CONFIG_ADVANCED_BATCH_SIZE": "many"}).problem

    assert (problem.path, problem.location, problem.message) == (
        "config.advanced.batch_size",
        "ARKINDEX_CONFIG_ADVANCED_BATCH_SIZE",
        "Input should be a valid integer",
    )


def test_free_mapping_takes_any_option() -> None:
    """Without a type, YAML 1.1 says what a text is; the name is in lower case."""
    outcome = settle(environ={"ARKINDEX_CONFIG_SIZE": "010", "ARKINDEX_CONFIG_A_B": "[no]"})

    assert outcome.config == {"size": 8, "a_b": [False]}


def test_free_mapping_refuses_names_that_would_collide() -> None:
    """Only one case is read, so that no two variables fill one option."""
    outcome = settle(environ={"ARKINDEX_CONFIG_SIZE": "1", "ARKINDEX_CONFIG_Size": "2"})

    assert outcome.problem.message == "unknown option; did you mean ARKINDEX_CONFIG_SIZE?"


def test_nearly_known_variable_is_told_of() -> None:
    """A misspelt variable of the platform is a warning: other programs may have their own."""
    outcome = settle(environ={"ARKINDEX_WORKERRUN_ID": "a", "ARKINDEX_CLI_PROFILE": "b", "PATH": "c"})

    assert [(warning.location, warning.message) for warning in outcome.warnings] == [
        ("ARKINDEX_WORKERRUN_ID", "not read; did you mean ARKINDEX_WORKER_RUN_ID?")
    ]


@pytest.mark.parametrize("variable", ["WORKER_VERSION_ID", "ARKINDEX_PROCESS_ID", "TASK_ID", "PONOS_DATA_DIR"])
def test_variable_of_long_ago_is_told_of(variable: str) -> None:
    """A release that nobody has any more read it."""
    (warning,) = settle(environ={variable: "a"}).warnings

    assert warning.message.startswith(f"{variable} is not read any more: ")


def test_bytes_of_another_encoding_are_refused() -> None:
    """What is not Unicode is not text; a path may be any bytes."""
    outcome = settle(
        Configuration,
        environ={"ARKINDEX_CONFIG_TOKEN": "caf\udce9", "PONOS_DATA": "/caf\udce9", "ARKINDEX_CORPUS_ID": "\udce9"},
    )

    assert sorted(outcome.told) == ["config.token", "corpus_id"]


def test_many_unknown_variables_take_no_time() -> None:
    """Nearest names are looked for a few times only."""
    outcome = settle(Configuration, environ={f"ARKINDEX_CONFIG_THRESOLD_{number}": "1" for number in range(2000)})

    assert len(outcome.problems) == 2000
    assert sum("did you mean" in problem.message for problem in outcome.problems) == 20
