"""What each command imports: a fresh process tells."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from arkindex_stub import worker_run
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from arkindex_stub import Stub

    from tests.cli.conftest import Result

#: Written to standard error at the end of the process.
WATCH = """
import atexit, json, sys
atexit.register(lambda: sys.stderr.write("\\n" + json.dumps(sorted(sys.modules))))
"""
#: What a run without elements, results, a cache, several processes or mistakes does without.
UNUSED = {
    "arkworker.arkindex.publishing.outbox",
    "arkworker.arkindex.reading.sessions",
    "arkworker.cli.problems",
    "arkworker.elements",
    "arkworker.settings.report.complaints",
    "arkworker.settings.report.messages",
    "arkworker.settings.report.redaction",
    "arkworker.storage.recording",
    "difflib",
    "multiprocessing",
}
WORKER = """
from arkworker import UserConfiguration, Worker

class C(UserConfiguration):
    count: int = 1

class W(Worker[C]):
    def run(self, context, cache): ...
"""


@pytest.fixture
def imports(process: Callable[..., Result]) -> Callable[..., set[str]]:
    """The modules and packages that a command line imports."""

    def watch(*argv: str, **environment: str) -> set[str]:
        result = process(*argv, before=WATCH, **environment)
        assert result.code == 0
        return set(json.loads(result.err.splitlines()[-1]))

    return watch


@pytest.mark.parametrize("argv", [(), ("--help",), ("--version",)])
def test_help_is_light(argv: tuple[str, ...], imports: Callable[..., set[str]]) -> None:
    """The page at the top needs no library at all."""
    heavy = {
        "pydantic",
        "pydantic_settings",
        "requests",
        "sqlalchemy",
        "yaml",
        "gnupg",
        "zstandard",
        "rich",
        "dataclasses",
    }

    assert imports(*argv) & heavy == set()


def test_schema_needs_no_service(imports: Callable[..., set[str]], write_worker: Callable[[str], str]) -> None:
    """A worker is described without what runs it."""
    heavy = {"requests", "urllib3", "sqlalchemy", "gnupg", "zstandard", "tenacity", "rich"}

    assert imports("schema", write_worker(WORKER)) & heavy == set()


@pytest.mark.parametrize("verb", ["run", "check", "explain"])
def test_developer_mode_needs_no_service(
    verb: str, imports: Callable[..., set[str]], write_worker: Callable[[str], str]
) -> None:
    """Nor is it run with them at a desk."""
    heavy = {"requests", "urllib3", "sqlalchemy", "gnupg", "zstandard", "tenacity", "rich", "yaml", "PIL"}

    assert imports(verb, write_worker(WORKER)) & (heavy | UNUSED) == set()


def test_worker_run_needs_the_client_alone(
    imports: Callable[..., set[str]], write_worker: Callable[[str], str], arkindex: Stub
) -> None:
    """No database, no archives, no retrying where nothing fails."""
    arkindex.serve_run(worker_run(), [])
    heavy = {"requests", "sqlalchemy", "gnupg", "zstandard", "tenacity", "rich", "yaml", "PIL"}

    assert imports("run", write_worker(WORKER), **arkindex.environment) & (heavy | UNUSED) == {"requests"}


def test_image_files_need_no_results_file_and_no_network(
    imports: Callable[..., set[str]], write_worker: Callable[[str], str], tmp_path: Path
) -> None:
    """What a line of such a file holds, and what sends requests, is imported where one is written, or sent."""
    code = WORKER.replace("import UserConfiguration, Worker", "import ElementsWorker, UserConfiguration")
    code = code.replace("Worker[C]", "ElementsWorker[C]").replace("run(self,", "process_element(self, element,")
    code = code.replace("cache): ...", "cache): element.open_image()")
    image = tmp_path / "page.png"
    Image.new("L", (2, 2)).save(image)
    unused = {"arkworker.storage.recording", "arkworker.runtime.loop.records", "multiprocessing", "sqlalchemy"}
    unused |= {"requests", "tenacity"}

    found = imports("run", write_worker(code), "--image", str(image))

    assert "arkworker.runtime.loop.run" in found
    assert found & unused == set()
