"""From a declaration file, in the present or the former format, to what code can be written from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from arkworker.declaration.checks import SOURCE, UnreadableError
from arkworker.declaration.content import as_plain, to_yaml, worker_content
from arkworker.declaration.generation import Draft
from arkworker.declaration.legacy import LegacyWorker
from arkworker.declaration.rules import MOST_ALIASES, examine, validate
from arkworker.documents.text_file import TextFile, TextFileError, read_text_file
from arkworker.documents.yaml import read_yaml
from arkworker.errors import ConfigurationError, Problem
from arkworker.options.options import DEBUG, RESERVED_KEYS
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator


_MOST_FILES = 100
_LEGACY_WORKER_KEYS = ("user_configuration", "secrets", "name")


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file declares.

    Attributes:
        drafts: A worker each.
        notes: What was left out or changed, one sentence each, fit for a terminal.
    """

    drafts: tuple[Draft, ...]
    notes: tuple[str, ...]


def import_file(file: TextFile, folder: Path) -> Imported:
    """Read a declaration.

    Args:
        file: The declaration.
        folder: Where it lies; files that the former format names are looked up there.

    Raises:
        ConfigurationError: It is not a declaration, or one that Arkindex refuses and whose meaning cannot be guessed.
    """
    data = _data(file)
    if isinstance(data, dict) and ("workers" in data or "version" in data):
        imported = _legacy(_Folder(file, folder), data)
    elif isinstance(data, dict) and "display_name" not in data and any(key in data for key in _LEGACY_WORKER_KEYS):
        imported = _legacy(_Folder(file, folder), {"workers": [data]})
    else:
        imported = _modern(file, data)
    problems = [problem for draft in imported.drafts for problem in _unusable(file, draft)]
    slugs = Counter(draft.content.slug for draft in imported.drafts)
    message = "two workers have it: Arkindex tells workers apart by their slugs"
    problems += [
        Problem("slug", SOURCE, file.name, f"{printable(slug)}: {message}", "rename one of them")
        for slug, count in slugs.items()
        if count > 1
    ]
    if problems:
        raise ConfigurationError(problems)
    return imported


def _data(file: TextFile) -> Any:
    """The document as plain data.

    Raises:
        ConfigurationError: It is no YAML, or holds what cannot be read.
    """
    root, errors = read_yaml(file.text, most_aliases=MOST_ALIASES, json_pairs=False)
    if errors:
        raise ConfigurationError([error.problem(SOURCE, file.name) for error in errors])
    try:
        return as_plain(root)
    except UnreadableError:
        raise ConfigurationError(examine(file).problems or [_problem(file, "a value that cannot be read")]) from None


def _problem(file: TextFile, message: str, hint: str = "") -> Problem:
    return Problem("", SOURCE, file.name, message, hint)


def _modern(file: TextFile, data: Any) -> Imported:
    report = examine(file)
    sizes = [problem for problem in report.problems if problem.path == "docker.shm_size"]
    notes = [f"{item.path}: {item.message}; {item.hint}" for item in report.warnings]
    size = sizes[0].hint.removeprefix("write ") if sizes and sizes[0].hint.count(" ") == 1 else None
    if size is not None and report.problems == sizes:
        # The commonest mistake in published files, with one remedy.
        data["docker"]["shm_size"] = size
        notes.append(f"docker.shm_size: Arkindex refuses it as it is; {size} is used instead")
    elif report.problems:
        raise ConfigurationError(report.problems)
    return Imported((Draft(worker_content(data)),), tuple(notes))


def _unusable(file: TextFile, draft: Draft) -> Iterator[Problem]:
    """What Arkindex would refuse, and what a configuration in code cannot hold."""
    for problem in validate(TextFile(file.name, to_yaml(draft.content))):
        yield replace(problem, location=file.name, excerpt="", line=0, column=0)
    options = [field for option in draft.content.configuration for field in (option, *option.children)]
    keys = [(field.key, field.type) for field in options] + [(key, "") for key in _keys(draft.constants)]
    for key, of in keys:
        if reason := _reason_against(key, of):
            yield Problem(f"configuration.{printable(key, 60)}", SOURCE, file.name, reason, "rename it")


def _keys(constants: dict[str, Any]) -> Iterator[str]:
    """Those of fixed values, at every depth."""
    for key, value in constants.items():
        yield key
        if isinstance(value, dict):
            yield from _keys(value)


def _reason_against(key: str, of: str) -> str:
    """Why an option in code cannot have a key, given its type; empty where it can."""
    if key in RESERVED_KEYS:
        return "this key has a meaning of its own in a configuration file of arkworker"
    if key != key.strip() or "=" in key or not key.isprintable():
        return "names of options in arkworker cannot have '=', control characters or blanks around them"
    if key == DEBUG and of != "bool":
        return "in arkworker, debug turns on DEBUG logging and is a bool"
    return ""


class _Folder:
    """The files beside a declaration of the former format, and nothing outside."""

    def __init__(self, file: TextFile, folder: Path) -> None:
        self.file = file
        self._folder = folder.resolve()

    def read(self, name: str) -> str | None:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            return None
        try:
            return read_text_file(str(self._folder / path)).text
        except TextFileError:
            return None

    def find(self, pattern: str) -> list[str]:
        path = PurePosixPath(pattern)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            return []
        try:
            found = sorted(self._folder.glob(pattern))
        except (ValueError, NotImplementedError, OSError):
            return []
        return [str(item.relative_to(self._folder)) for item in found if item.is_file()]


def _legacy(folder: _Folder, data: dict[str, Any]) -> Imported:
    notes = [
        f"{printable(key, 60)}: has no counterpart and was left out"
        for key, value in data.items()
        if key not in ("version", "workers", "models") and value is not None
    ]
    if data.get("models"):
        notes.append("models: they are published on their own, with the command line of Arkindex")
    workers = [LegacyWorker(found, folder.read) for found in _workers(folder, data.get("workers"), notes)]
    if not workers:
        raise ConfigurationError([_problem(folder.file, "there is no worker in it", "name them under workers:")])
    drafts = tuple(worker.convert() for worker in workers)
    return Imported(drafts, (*notes, *(note for worker in workers for note in worker.notes)))


def _workers(folder: _Folder, entries: Any, notes: list[str]) -> Iterator[dict[str, Any]]:
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            yield entry
        elif isinstance(entry, str):
            yield from _named(folder, entry, notes)
        else:
            notes.append("workers: an entry that is not a worker was left out")


def _named(folder: _Folder, pattern: str, notes: list[str]) -> Iterator[dict[str, Any]]:
    """The workers in the files that a path or pattern names."""
    names = folder.find(pattern)[:_MOST_FILES]
    if not names:
        notes.append(f"workers: there is no file {printable(pattern, 80)} in this folder")
    for name in names:
        text = folder.read(name)
        data = _data(TextFile(printable(name), text)) if text is not None else None
        if isinstance(data, dict):
            yield data
        else:
            notes.append(f"workers: {printable(name, 80)} declares no worker")
