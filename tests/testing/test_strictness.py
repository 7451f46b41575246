"""Tests that must fail, and a suite that must find what is wrong: run by a pytest of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

TESTS = '''
import contextlib
from arkworker import Secret, UserConfiguration, Worker
from arkworker.errors import ApiError
from arkworker.testing import standard_tests

pytest_plugins = ["arkworker.testing.fixtures"]
ELEMENT = "0c1fbe0e-54d9-4f25-8a28-0a5a4cd0a1b3"

def plain(context, cache):
    """Does nothing."""

def swallow(context):
    with contextlib.suppress(ApiError):
        context.api.request("RetrieveElement", id=ELEMENT)

def test_unexpected_request(make_context, arkindex):
    swallow(make_context(plain))

def test_missing_request(arkindex):
    arkindex.expect("RetrieveElement", id=ELEMENT)

def test_once_too_few(make_context, arkindex):
    arkindex.expect("RetrieveElement", {}, times=2)
    swallow(make_context(plain))

def test_once_too_many(make_context, arkindex):
    arkindex.expect("RetrieveElement", {})
    context = make_context(plain)
    swallow(context)
    swallow(context)

def test_other_parameter(make_context, arkindex):
    arkindex.expect("RetrieveElement", {}, id="other", times=None)
    swallow(make_context(plain))

def test_other_body(make_context, arkindex):
    arkindex.expect("CreateTranscription", {}, body={"text": "a"}, times=None)
    with contextlib.suppress(ApiError):
        make_context(plain, worker_run_id="r").api.request("CreateTranscription", {"text": "b"}, id=ELEMENT)

def test_failure_of_its_own(make_context, arkindex):
    swallow(make_context(plain))
    raise ValueError("my own")

def test_asked_for_in_time(arkindex, make_context):
    arkindex.expect("RetrieveElement", {}, times=None)
    swallow(make_context(plain))

class Required(UserConfiguration):
    size: int

class NeedsValue(Worker[Required]):
    """Needs a value."""
    def run(self, context, cache): ...

TestNeedsValue = standard_tests(NeedsValue)

class Hidden(UserConfiguration):
    token: Secret[str]
    def __str__(self):
        return self.token.get_secret_value()

class Talks(Worker[Hidden]):
    """Shows its secret."""
    def run(self, context, cache): ...
    def teardown(self, context):
        self.model.close()

TestTalks = standard_tests(Talks)
TestTold = standard_tests(Talks, config={"token": "a-secret-of-some-length"})
TestDeclared = standard_tests(plain, declaration="plain.yml")
'''


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What became of each test: the last line that pytest writes of it."""
    folder: Path = tmp_path_factory.mktemp("strict")
    (folder / "test_it.py").write_text(TESTS)
    (folder / "plain.yml").write_text("slug: other\nname: Other\ntype: x\n")
    command = [sys.executable, "-m", "pytest", "-rA", "--tb=short", "-p", "no:cacheprovider", "-p", "no:xdist"]
    environ = os.environ | {"COLUMNS": "200"}  # else it shortens what it says
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False)
    lines = re.findall(r"^(\w+) test_it\.py::(\S+)(?: - (.*))?$", done.stdout, re.MULTILINE)
    assert lines, done.stdout + done.stderr
    return {name: f"{outcome} {text}".strip() for outcome, name, text in lines} | {"": done.stdout}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("test_unexpected_request", "FAILED Failed: unexpected request: GET /api/v1/element/"),
        ("test_missing_request", "FAILED Failed: expected, but did not come: RetrieveElement"),
        ("test_once_too_few", "FAILED Failed: expected 2 times, but did not come: RetrieveElement"),
        ("test_once_too_many", "FAILED Failed: unexpected request: GET /api/v1/element/"),
        ("test_other_parameter", "FAILED Failed: unexpected request: GET /api/v1/element/"),
        ("test_other_body", "FAILED Failed: unexpected request: POST /api/v1/element/"),
        ("test_failure_of_its_own", "FAILED ValueError: my own"),
        ("test_asked_for_in_time", "PASSED"),
    ],
)
def test_requests_are_as_expected(outcomes: dict[str, str], name: str, expected: str) -> None:
    """A test fails where one request more or less came, though user code caught the refusal."""
    assert outcomes[name][: len(expected)] == expected


def test_a_failure_is_told_once(outcomes: dict[str, str]) -> None:
    """A test that failed already says what else happened, and its end is not a second failure."""
    assert " error" not in outcomes[""].splitlines()[-1]
    assert "my own\n" in outcomes[""]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("TestNeedsValue::test_the_defaults_validate", "FAILED"),
        ("TestNeedsValue::test_the_schema_is_valid", "PASSED"),
        ("TestNeedsValue::test_the_help_names_every_option", "PASSED"),
        ("TestTalks::test_no_secret_is_shown", "FAILED Failed: the context shows the content of the secret token"),
        ("TestTalks::test_no_refused_secret_is_shown", "PASSED"),
        ("TestTold::test_no_secret_is_shown", "FAILED Failed: the context shows the content of the secret token"),
        ("TestTold::test_a_stop_is_honoured", "FAILED Failed: teardown needs what setup had not made yet"),
        ("TestDeclared::test_the_declaration_is_in_step", "FAILED Failed: write it with: arkworker schema TARGET"),
        ("TestDeclared::test_a_stop_is_honoured", "PASSED"),
    ],
)
def test_the_suite_finds_what_is_wrong(outcomes: dict[str, str], name: str, expected: str) -> None:
    """Each standard test fails for the worker that it is there for."""
    assert outcomes[name][: len(expected)] == expected
