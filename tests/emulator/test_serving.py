"""`serve`, as the command line calls it; in a process of its own where signals end it."""

from __future__ import annotations

import re
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import requests

from arkworker.emulator import serve
from arkworker.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

SERVE = """
import json, sys
from pathlib import Path
from arkworker.emulator import serve
options = json.loads(sys.argv[2])
sys.exit(serve(Path(sys.argv[1]), announce=lambda line: print(line, flush=True), **options))
"""
ASK = """
import os, urllib.error, urllib.request
url = os.environ["ARKINDEX_API_URL"] + "process/workers/" + os.environ["ARKINDEX_WORKER_RUN_ID"] + "/"
try:
    urllib.request.urlopen(url)
except urllib.error.HTTPError as error:
    raise SystemExit(error.code != 418)
raise SystemExit(2)
"""
COUNT = """
from arkworker import ElementsWorker

class Count(ElementsWorker):
    def process_element(self, element, context, cache):
        pass
"""
PROJECT = "elements: [{size: [10, 10], count: 2}]\nchunks: 2"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = tmp_path / "project.yml"
    path.write_text(PROJECT)
    return path


def start(project: Path, options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", SERVE, str(project), options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_it_serves_until_it_is_stopped(project: Path) -> None:
    """It says where it is and what a worker needs, answers, and ends with 0 and without a word."""
    process = start(project, '{"port": 0}')
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(5)]
    url = re.findall(r"http://127\.0\.0\.1:\d+", lines[0])[0]
    status = requests.get(url, timeout=30).status_code
    process.send_signal(signal.SIGINT)

    assert (status, finish(process)) == (200, (0, "", ""))
    assert [line.count("export ARKINDEX_API_URL=") for line in lines[3:]] == [1, 1]


def serve_once(project: Path, **options: Any) -> tuple[int, list[str]]:
    """The exit code and what was announced, of a server in this process that stops by itself."""
    lines: list[str] = []
    return serve(project, port=0, once=True, announce=lines.append, **options), lines


def test_it_runs_a_worker_once_for_each_chunk(project: Path) -> None:
    """Its exit code is theirs."""
    code, lines = serve_once(project, command=["sh", "-c", "exit 3"])

    assert (code, sorted(lines[-2:])) == (3, [f"worker {chunk} ended with exit code 3" for chunk in (1, 2)])


@pytest.mark.parametrize(
    ("both", "expected"), [((1, 78), 78), ((75, 1), 1), ((69, 3), 69), ((78, -9), 137), ((0, 75), 75)]
)
def test_the_weightiest_exit_code_counts(tmp_path: Path, both: tuple[int, int], expected: int) -> None:
    """Of workers side by side: that of a signal, then as the documentation orders them."""
    project = tmp_path / "project.yml"
    project.write_text(PROJECT)
    first, second = (f"exit {code}" if code >= 0 else f"kill {code} $$" for code in both)
    tell = f"mkdir {tmp_path}/first 2>/dev/null && {{ {first}; }} || {second}"

    assert serve_once(project, command=["sh", "-c", tell])[0] == expected


def test_an_interrupted_worker_gives_the_code_of_the_signal(project: Path) -> None:
    """Whatever the worker makes of it."""
    options = '{"port": 0, "command": ["sh", "-c", "trap \'exit 0\' TERM; echo; while :; do sleep 0.05; done"]}'
    process = start(project, options)
    assert process.stdout is not None
    [process.stdout.readline() for _ in range(5)]
    process.send_signal(signal.SIGINT)

    assert finish(process)[0] == 130


def test_nobody_may_read_what_is_announced(project: Path) -> None:
    """As in `serve … | head -5`: the exit code is that of the workers all the same."""
    lines: list[str] = []

    def announce(line: str) -> None:
        if len(lines) == 5:
            raise BrokenPipeError
        lines.append(line)

    # An operation that is not there: more to announce, at the end.
    ask = "import os, urllib.request; urllib.request.urlopen(os.environ['ARKINDEX_API_URL'] + 'user/')"
    assert serve(project, port=0, once=True, command=[sys.executable, "-c", ask], announce=announce) == 1
    assert lines[-1].startswith("  export ARKINDEX_API_URL=")


def test_a_command_that_is_not_there(project: Path) -> None:
    """It is said, and is a failure."""
    code, lines = serve_once(project, command=["/nowhere"])

    assert (code, lines[-1]) == (1, "cannot run /nowhere: No such file or directory")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_workers_are_ended_with_it(number: int, project: Path) -> None:
    """A worker that would run for ever does not outlive the emulator."""
    options = f'{{"port": 0, "command": ["{sys.executable}", "-c", "import time; print(1); time.sleep(600)"]}}'
    process = start(project, options)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(5)]
    process.send_signal(number)
    ended, out, err = finish(process)

    assert (len(lines), ended, err) == (5, 128 + number, "")
    assert sorted(out.splitlines()) == [f"worker {chunk} ended with exit code -15" for chunk in (1, 2)]


def test_a_taken_port_is_one_line(project: Path) -> None:
    """It names the port and the remedy."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError) as refused:
            serve(project, port=port, announce=print)

    reason = "Address already in use; choose another one with --port"
    assert str(refused.value) == f"cannot listen on 127.0.0.1, port {port}: {reason}"


@pytest.mark.parametrize("host", ["[::1]", "192.0.2.1"])
def test_an_address_that_is_not_of_this_machine_is_one_line(project: Path, host: str) -> None:
    """Another port would not help."""
    with pytest.raises(UsageError, match=r"choose another one with --host$"):
        serve(project, host=host, port=0, announce=print)


def test_a_file_that_is_no_database(project: Path) -> None:
    """It is one line, and the file stays as it was."""
    with pytest.raises(UsageError, match=f"^cannot use {project} as the database: file is not a database$"):
        serve(project, port=0, database=project, announce=print)

    assert project.read_text() == PROJECT


def test_a_link_to_itself_is_no_database(project: Path, tmp_path: Path) -> None:
    """One line says so."""
    database = tmp_path / "a.sqlite"
    database.symlink_to(database)
    with pytest.raises(UsageError, match=f"^cannot use {database} as the database: unable to open database file$"):
        serve(project, port=0, database=database, announce=print)


def test_a_database_is_served_again_as_it_was(project: Path, tmp_path: Path) -> None:
    """The second time, the project is not laid out once more."""
    kept = {"database": tmp_path / "a.sqlite", "directory": tmp_path / "files"}
    ends = [serve_once(project, command=["true"], **kept) for _ in "ab"]

    runs = [re.findall(r"ARKINDEX_WORKER_RUN_ID=(\S+)", "\n".join(lines))[0] for _, lines in ends]
    assert runs[0] == runs[1]
    assert [code for code, _ in ends] == [0, 0]


def test_a_mistake_leaves_no_half_made_database(tmp_path: Path) -> None:
    """Else the next attempt would add everything to that half."""
    project, database = tmp_path / "project.yml", tmp_path / "a.sqlite"
    project.write_text("elements: [{size: [9, 9]}]\nqueue: volume")
    with pytest.raises(ConfigurationError, match="no element type is named 'volume'"):
        serve(project, port=0, database=database, announce=print)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["project.yml"]


def test_a_mistake_leaves_the_link_to_a_database(tmp_path: Path) -> None:
    """It goes as well where a link leads to it, and the link stays."""
    project, database = tmp_path / "project.yml", tmp_path / "a.sqlite"
    project.write_text("elements: [{size: [9, 9]}]\nqueue: volume")
    database.symlink_to("b.sqlite")
    with pytest.raises(ConfigurationError, match="no element type is named 'volume'"):
        serve(project, port=0, database=database, announce=print)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.sqlite", "project.yml"]


def test_faults_are_given_beside_a_project(project: Path) -> None:
    """The first retrieval of a worker run fails as the flag says."""
    code, lines = serve_once(
        project, faults=["RetrieveWorkerRun:answer,status=418"], command=[sys.executable, "-c", ASK]
    )

    assert (code, lines[-1][-1]) == (0, "0")


def test_files_are_kept_beside_the_database(project: Path, tmp_path: Path) -> None:
    """What a worker left is there the second time, too, without a --directory."""
    kept = tmp_path / "a.sqlite"
    serve_once(project, database=kept, command=["sh", "-c", "echo left > $PONOS_DATA/current/left.txt"])
    with closing(sqlite3.connect(kept)) as file:
        ids = [row[0] for row in file.execute("SELECT id FROM artifacts")]
    ask = (
        "import os, urllib.request\nurl = os.environ['ARKINDEX_API_URL'].replace('api/v1', 'viewer')\n"
        f"read = [urllib.request.urlopen(url + 'artifacts/' + id).read() for id in {ids}]\n"
        "raise SystemExit(read != [b'left\\n'] * 2)"
    )

    assert serve_once(project, database=kept, command=[sys.executable, "-c", ask])[0] == 0


def test_all_images_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """With one message for each, in a folder and in a file."""
    (tmp_path / "b.png").write_text("not an image")
    (tmp_path / "a.jpg").write_text("not an image")
    project = tmp_path / "project.yml"
    project.write_text("images: .\nelements: [{image: a.jpg}, {image: a.jpg}, {image: c.jpg}]")
    with pytest.raises(ConfigurationError) as refused:
        serve(project, port=0, announce=print)

    told = [(problem.location.rpartition("/")[2], problem.message.split()[0]) for problem in refused.value.problems]
    names = [("project.yml:1:9", "a.jpg"), ("project.yml:1:9", "b.png"), ("project.yml:2:52", "c.jpg")]
    assert [(place, str(tmp_path / name)) for place, name in names] == told


@pytest.mark.parametrize("flags", [{"once": True}, {"once": True, "jobs": "1"}])
def test_the_code_of_a_single_worker_is_run(tmp_path: Path, flags: dict[str, Any]) -> None:
    """Where the flags say that a command is run, it needs no command in the project."""
    (tmp_path / "count.py").write_text(COUNT)
    project = tmp_path / "project.yml"
    project.write_text("elements: [{size: [9, 9]}]\nworker: 'count.py:Count'")
    lines: list[str] = []

    assert serve(project, port=0, announce=lines.append, **flags) == 0
    assert lines[-1] == "worker 1 ended with exit code 0"
