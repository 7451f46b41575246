"""`arkworker serve` with a project and a worker, as a person runs both at a desk."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Served:
    """What is left of a run.

    Attributes:
        database: That of the emulated Arkindex.
        log: What was said.
    """

    database: Path
    log: str

    def rows(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(self.database)) as database:
            return database.execute(query).fetchall()

    def count(self, table: str) -> int:
        (row,) = self.rows(f"SELECT count(*) FROM {table}")
        return int(row[0])

    def states(self) -> list[str]:
        """Those that elements are in."""
        return [state for (state,) in self.rows("SELECT state FROM activities ORDER BY state")]


def serve(folder: Path, project: Path, target: str) -> Served:
    """Serve a project to a worker until that has ended, well."""
    database = folder / "arkindex.sqlite"
    here = [sys.executable, "-m", "arkworker"]
    flags = ["--port", "0", "--once", "--database", str(database)]
    done = subprocess.run(
        [*here, "serve", str(project), *flags, "--", *here, "run", target],
        env=dict(os.environ),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Served(database, done.stdout + done.stderr)
