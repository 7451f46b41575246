"""The verb `init`: a new project with a worker, its test, its declaration and its image."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from arkworker.cli import terminal
from arkworker.cli.flags import PlainParser
from arkworker.declaration.project import new_project, project_from
from arkworker.errors import ExitCode, UsageError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arkworker.runtime.stopping import Stopping


def perform(argv: Sequence[str], _stopping: Stopping) -> int:
    """Create the project, whole or not at all."""
    parser = PlainParser("init", "Create a worker project that passes its own tests and checks.")
    parser.add_argument("directory", metavar="DIRECTORY", help="Where; must not exist. Its name is that of the worker.")
    parser.add_argument(
        "--from", dest="source", metavar="FILE", help="Start from a declaration: arkindex/FILE.yml, or .arkindex.yml."
    )
    flags = parser.parse_args(list(argv))
    directory = Path(flags.directory)
    notes: tuple[str, ...] = ()
    if flags.source is None:
        files = new_project(directory.absolute().name)
    else:
        from arkworker.cli.importing import read_import

        imported = read_import(flags.source)
        notes = imported.notes
        files = project_from(directory.absolute().name, imported.drafts, notes)
    _create(directory, files)
    for note in notes:
        terminal.write_error(f"arkworker: {note}\n")
    shown = printable(str(directory))
    place = shlex.quote(shown)
    terminal.write(f"Created {shown}. Its README.md says how to go on:\n  cd {place}\n  cat README.md\n")
    return ExitCode.OK


def _create(directory: Path, files: dict[str, str]) -> None:
    """Write the files beside the place and rename, so that a full disk leaves nothing behind."""
    temporary = None
    try:
        if directory.exists() or directory.is_symlink():
            raise UsageError(f"{printable(str(directory))} exists: choose another directory")
        directory.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".arkworker-init-", dir=directory.parent))
        temporary.chmod(0o755)
        for name, text in files.items():
            path = temporary / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        temporary.rename(directory)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no fit name"
        raise UsageError(f"{printable(str(directory))} cannot be created: {reason}") from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
