"""Local secrets are shared with the published library, in both directions."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from arkworker.arkindex.client import Client
from arkworker.arkindex.secrets import load_secret
from arkworker.errors import ApiResponseError, SecretError
from arkworker.storage.directories import secrets_directory
from arkworker.storage.local_secrets import SecretStore
from arkworker.storage.locating import find_extras_directory, find_parents_file_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.compat

SCHEMA = Path(__file__).parents[1] / "data" / "openapi-reconstructed.json"
PUBLISHED = ["base-worker-0.6.0", "base-worker-0.5.1"]

# A worker of the published library at a desk, with an API that gives what it is told to.
SCRIPT = """
import json, os, sys
from pathlib import Path
from unittest.mock import patch

from arkindex.exceptions import ErrorResponse
from arkindex_worker.worker.base import BaseWorker

remote, names, parents = json.loads(os.environ["CASE"])
worker = BaseWorker()
sys.argv = ["worker", "--dev"]
worker.args = worker.parser.parse_args()
worker.setup_api_client()

def request(operation, **parameters):
    if parameters["name"] not in remote:
        raise ErrorResponse("Not found", 404, "not found")
    return {"content": remote[parameters["name"]]}

answers = []
with patch.object(worker.api_client, "request", side_effect=request):
    for name in names:
        try:
            answers.append(["loaded", worker.load_secret(Path(name))])
        except Exception as error:
            answers.append(["failed", None])
    if parents:
        worker.task_id, worker.task_chunk, worker.task_parents = "current", parents["chunk"], parents["ids"]
        worker.task_data_dir = Path(parents["data"])
        worker.work_dir = worker.task_data_dir / "current"
        answers = [
            str(path) for name in parents["filenames"] for path in worker.find_parents_file_paths(Path(name))
        ]
        worker.model_dir = Path(parents["model_dir"])
        answers.append(str(worker.find_extras_directory()))
print(json.dumps(answers))
"""

# What the published command `arkindex secrets NAME` does once the editor is closed.
ENCRYPT = """
import json, os, pathlib, gnupg
name, content = json.loads(os.environ["CASE"])
gpg = gnupg.GPG()
encrypted = gpg.encrypt(content.encode(), [gpg.list_keys(True)[0]["keyid"]])
assert encrypted.ok, encrypted.status
path = pathlib.Path(os.environ["XDG_CONFIG_HOME"]) / "arkindex" / "secrets" / name
path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
path.write_bytes(encrypted.data)
print("null")
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A GPG home with one key without passphrase; below /tmp, for its socket must have a short name."""
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    with tempfile.TemporaryDirectory(prefix="ark-", dir="/tmp") as directory:
        environ = {"PATH": os.environ["PATH"], "GNUPGHOME": directory}
        generate = ["gpg", "--batch", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""]
        generate += ["--quick-generate-key", "Ada <ada@example.org>", "future-default", "default", "never"]
        subprocess.run(generate, env=environ, check=True, capture_output=True)
        yield Path(directory)
        subprocess.run(["gpgconf", "--kill", "all"], env=environ, check=True, capture_output=True)


@pytest.fixture
def environ(home: Path, tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "GNUPGHOME": str(home),
        "XDG_CONFIG_HOME": str(tmp_path / "settings"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "ARKINDEX_API_SCHEMA_URL": str(SCHEMA),
        "ARKINDEX_API_URL": "http://127.0.0.1:9/",
    }


@pytest.fixture
def store(environ: dict[str, str]) -> SecretStore:
    return SecretStore(secrets_directory(environ["XDG_CONFIG_HOME"], environ), environ=environ)


def _run(python: Path, script: str, case: Any, environ: dict[str, str]) -> Any:
    done = subprocess.run(
        [python, "-c", script], env=environ | {"CASE": json.dumps(case)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


class FakeApi(Client):
    """Gives the contents it was told to, and 404 for all else."""

    def __init__(self, remote: dict[str, str]) -> None:
        self.remote = remote

    def request(self, operation_id: str, body: Any = None, **parameters: Any) -> Any:
        del body
        if parameters["name"] not in self.remote:
            raise ApiResponseError(operation_id, "not found", status=404)
        return {"content": self.remote[parameters["name"]]}

    def has_operation(self, operation_id: str) -> bool:
        return operation_id == "RetrieveSecret"


def _load(name: str, store: SecretStore, remote: dict[str, str]) -> list[Any]:
    try:
        return ["loaded", load_secret(name, store=store, api=FakeApi(remote), environ={})]
    except SecretError:
        return ["failed", None]


@pytest.mark.parametrize("package", PUBLISHED)
def test_the_published_library_loads_what_is_set_here(
    peer: Callable[[str], Path], store: SecretStore, environ: dict[str, str], package: str
) -> None:
    """Text, data, names with directories, and which of two sources wins: the same values on both sides."""
    local = {
        "token": "local",
        "team/bucket.json": '{"key": ["a", 1, 2.5, null]}',
        "bucket.yml": "key: a\nflag: no\nnumber: 010\n",
        "text.txt": "{not: parsed}\n",
        "été": "€\r\n",
    }
    for name, content in local.items():
        store.set(name, content.encode())
    remote = {"token": "remote", "only-remote": "remote", "only-remote.JSON": "[1]"}
    names = [*local, "only-remote", "only-remote.JSON", "nowhere"]
    published = _run(peer(package), SCRIPT, [remote, names, None], environ)
    assert [_load(name, store, remote) for name in names] == published


@pytest.mark.parametrize("name", ["token", "team/bucket.json"])
def test_what_the_published_command_stores_is_loaded_here(
    peer: Callable[[str], Path], store: SecretStore, environ: dict[str, str], name: str
) -> None:
    """The same GPG library, the same directory, the same key."""
    content = '{"key": "€"}'
    _run(peer("base-worker-0.6.0"), ENCRYPT, [name, content], environ)
    assert store.list() == [name]
    assert store.load(name) == (json.loads(content) if name.endswith(".json") else content)


@pytest.mark.parametrize("chunk", [None, "1"])
@pytest.mark.parametrize("package", PUBLISHED)
def test_the_same_files_of_a_task_are_found(
    peer: Callable[[str], Path], environ: dict[str, str], tmp_path: Path, chunk: str | None, package: str
) -> None:
    """Parents' files with and without a chunk, in order, and the directory of extra files."""
    data = tmp_path / "ponos"
    names = ["db.sqlite", "db_1.sqlite", "data.tar.zst", "data.tar_1.zst", "plain", "plain_1", "a.b.a.b", "a.a_1.b"]
    for parent in ("p1", "p2"):
        (data / parent).mkdir(parents=True)
        for name in names:
            (data / parent / name).write_bytes(b"")
    (data / "extra_files").mkdir()
    model_dir, ids = data / "absent", ["p2", "p3", "p1"]
    paths = [
        path
        for name in names[::2]
        for path in find_parents_file_paths(name, parent_ids=ids, task_data_dir=data, chunk=chunk)
    ]
    extras = find_extras_directory(
        task_id="current", model_dir=model_dir, task_data_dir=data, work_dir=data / "current", configured=None
    )
    parents = {"ids": ids, "chunk": chunk, "data": str(data), "filenames": names[::2], "model_dir": str(model_dir)}
    published = _run(peer(package), SCRIPT, [{}, [], parents], environ)
    assert [str(path) for path in (*paths, extras)] == published
