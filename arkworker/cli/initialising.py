"""The verb `init`: a new project with a worker, its test, its declaration and its image."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from arkworker.cli import terminal
from arkworker.cli.flags import PlainParser
from arkworker.declaration.project import Origin, Project, new_project, project_from, schema_path
from arkworker.errors import ExitCode, UsageError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arkworker.runtime.stopping import Stopping


def perform(argv: Sequence[str], stopping: Stopping) -> int:
    """Create the project, whole or not at all."""
    flags = make_parser().parse_args(list(argv))
    directory = Path(flags.directory)
    origin = Origin() if flags.arkworker is None else Origin.of(flags.arkworker)
    notes: tuple[str, ...] = ()
    if flags.source is None:
        project = new_project(directory.absolute().name, origin)
    else:
        from arkworker.cli.importing import read_import

        imported = read_import(flags.source)
        notes = imported.notes
        project = project_from(directory.absolute().name, imported.drafts, notes, origin)
    files = project.files | _schemas(project)
    stopping.check()
    _create(directory, files, origin.wheel)
    if flags.json:
        terminal.write_json({"directory": str(directory), "notes": notes})
        return ExitCode.OK
    for note in notes:
        terminal.write_error(f"arkworker: {note}\n")
    shown = printable(str(directory))
    place = shlex.quote(shown)
    terminal.write(f"Created {shown}. Its README.md says how to continue:\n  cd {place}\n  cat README.md\n")
    return ExitCode.OK


def make_parser() -> PlainParser:
    parser = PlainParser("init", "Create a worker project that passes its own tests and checks.")
    parser.add_argument(
        "directory", metavar="DIRECTORY", help="Directory to create, which must not exist. The worker gets its name."
    )
    parser.add_argument(
        "--from", dest="source", metavar="FILE", help="Start from a declaration: arkindex/FILE.yml, or .arkindex.yml."
    )
    parser.add_argument(
        "--arkworker",
        metavar="SPEC",
        help="Install arkworker from a wheel, of which the project keeps a copy, or an address like git+https://….",
    )
    parser.add_json("the answer, or all problems,")
    return parser


def _schemas(project: Project) -> dict[str, str]:
    """The schema of each worker's configuration, out of the code that was generated for it."""
    from arkworker.runtime.worker import options_of
    from arkworker.settings.schema import as_json_schema, to_text

    module = ModuleType("arkworker_new_project")
    sys.modules[module.__name__] = module  # where pydantic looks up what annotations name
    try:
        exec(compile(project.files[project.module], project.module, "exec"), vars(module))  # noqa: S102 - our own
        found = {}
        for slug, name in project.workers.items():
            worker = getattr(module, name)
            target = f"{project.module.removesuffix('.py').replace('/', '.')}:{name}"
            schema = as_json_schema(options_of(worker, target), (worker.__doc__ or "").strip())
            found[schema_path(slug)] = to_text(schema)
        return found
    finally:
        del sys.modules[module.__name__]


def _create(directory: Path, files: dict[str, str], wheel: Path | None) -> None:
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
        if wheel is not None:
            (temporary / "wheels").mkdir()
            shutil.copy(wheel, temporary / "wheels")
        temporary.rename(directory)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the name is not valid"
        raise UsageError(f"{printable(str(directory))} cannot be created: {reason}") from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
