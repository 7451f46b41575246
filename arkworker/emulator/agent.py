"""What the platform does around a worker: its directories, its variables, its log, its artifacts, its end."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from arkworker.emulator.arrange.corpora import spelled
from arkworker.emulator.resources.processes import artifact_key
from arkworker.emulator.tables import Artifact, Task
from arkworker.storage.archives import extract
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from arkworker.emulator.emulator import Emulator

logger = logging.getLogger("arkworker")

PIECE = 1 << 16


def run_worker(  # noqa: PLR0913 - keywords, each with a default
    emulator: Emulator,
    worker_run: str,
    command: Sequence[str],
    *,
    chunk: int = 1,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    started: Callable[[subprocess.Popen[bytes]], object] | None = None,
    echo: Callable[[bytes], object] | None = None,
) -> int:
    """Run a task's command as an agent does, until it ends.

    The command gets the variables of the task in addition to `environ`; the artifacts of the parents and the files of
    the model are in place. By default, `environ` is the caller's own, with the folder of its Python at the end of PATH,
    so that `arkworker` is found even if no virtual environment is activated. What the command writes becomes the task's
    log, which the page shows while it grows; files that it leaves in its directory become the task's artifacts; the
    task ends with it. `started` is called with the process, for a caller in another thread that wants to end it;
    `echo` is called with each piece of the log; without it, the end of the log of a command that failed is logged,
    so that pytest shows it.

    Returns:
        The exit code of the command; negative when a signal ended it, as in `subprocess`.

    Raises:
        OSError: The command cannot be started.
        LookupError: There is no such worker run.
    """
    task = emulator.tasks(worker_run)[chunk - 1]
    (emulator.directory / "data").mkdir(parents=True, exist_ok=True)
    data = Path(tempfile.mkdtemp(prefix=f"{task.slug}-", dir=emulator.directory / "data"))
    emulator.finish_task(task.id, "running")
    work = _prepare(emulator, task, data)
    given = _with_own_programs() if environ is None else environ
    variables = emulator.environment(worker_run, chunk=chunk, data_dir=data, environ=given)
    ending: deque[bytes] = deque(maxlen=100)  # of its log, in pieces as they came
    with subprocess.Popen(  # noqa: S603 - running the caller's command is what this is for
        list(command),
        cwd=cwd,
        env={"PYTHONUNBUFFERED": "1", **given, **variables},
        stdin=subprocess.DEVNULL,
        # Ctrl-C reaches the one who runs the agent, which passes it on: once.
        process_group=0,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        if started is not None:
            started(process)
        _keep_log(emulator, task.id, process, echo or ending.append)
    for path in sorted(work.iterdir()):
        if path.is_file() and not path.is_symlink():
            emulator.add_artifact(task.id, spelled(path.name), path)
    emulator.finish_task(task.id, "completed" if process.returncode == 0 else "failed")
    if process.returncode and echo is None:
        log = b"".join(ending).decode("utf-8", "replace")
        logger.error("%s ended with exit code %d:\n%s", printable(shlex.join(command)), process.returncode, log)
    return process.returncode


def _prepare(emulator: Emulator, task: Task, data: Path) -> Path:
    """Lay out the task's data directory: its own, `current`, and one for each parent; its own is returned."""
    work = data / task.id
    work.mkdir()
    (data / "current").symlink_to(task.id)
    with emulator.database.transaction() as session:
        rows = session.scalars(select(Artifact).where(Artifact.task_id.in_(task.parents))).all()
    for row in rows:
        # Artifacts are flat: a path in a name, which only a hostile client gives, stays out of the file system.
        target = data / row.task_id / Path(row.path).name
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(emulator.site.storage.path(artifact_key(row)), target)
    archive = emulator.model_archive(task.worker_run_id)
    if archive is not None:
        extract(archive, data / "extra_files")
    return work


def _keep_log(emulator: Emulator, task: str, process: subprocess.Popen[bytes], echo: Callable[[bytes], object]) -> None:
    if process.stdout is None:
        return
    try:
        while piece := os.read(process.stdout.fileno(), PIECE):
            emulator.site.storage.append(f"logs/{task}", piece)
            echo(piece)
    except BaseException:
        # Interrupting the agent does not leave the worker behind.
        process.terminate()
        raise


def _with_own_programs() -> dict[str, str]:
    """The environment, in which `arkworker` is found also where that of this process is in no folder of `PATH`."""
    folders = [os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)]
    return {**os.environ, "PATH": os.pathsep.join(folders)}
