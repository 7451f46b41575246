"""The files that a person named: absolute from the start, and mistakes in them are reported before the work begins."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkworker.errors import ConfigurationError, Problem
from arkworker.settings.provenance import Origin
from arkworker.storage import files
from arkworker.storage.exclusive import reason_of
from arkworker.text import printable
from arkworker.transport.connection import bundle_mistake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from arkworker.settings.model import WorkerSettings
    from arkworker.settings.resolution import Resolution

_PATHS = (
    "data_dir",
    "xdg_data_home",
    "xdg_config_home",
    "model_dir",
    "database",
    "extras_dir",
    "elements_list",
    "summary",
    "report",
    "results",
)
TEMPORARY_HINT = "set TMPDIR to a directory that can be written"
REPORT_MARK = b'<meta name="generator" content="arkworker run --report">'
_LONGEST_SUMMARY = 4096  # bytes
_BEGINNING = 1024  # bytes of a report, which the mark is in
_OF_A_SUMMARY = {"elements", "processed", "exit_code"}


def current_folder() -> str:
    """The current directory, which relative names on a command line belong to; empty where it is gone."""
    try:
        return str(Path.cwd())
    except OSError:
        return ""


def anchored(settings: WorkerSettings, folder: str) -> WorkerSettings:
    """The settings with absolute paths: `os.chdir` in user code does not move what a person named."""
    if not folder:  # it is gone
        return settings
    found: dict[str, Any] = {name: str(Path(folder, text)) for name in _PATHS if (text := getattr(settings, name))}
    found["image"] = tuple(str(Path(folder, path)) for path in settings.image)
    if settings.api.ca_bundle:
        found["api"] = settings.api.model_copy(update={"ca_bundle": str(Path(folder, settings.api.ca_bundle))})
    return settings.model_copy(update=found)


def check_inputs(resolution: Resolution, *, uses_cache: bool) -> None:
    """Report now what a person named and user code would not find, or not use."""
    settings, ledger = resolution.settings, resolution.ledger
    extras, database = settings.extras_dir, settings.database
    # pathlib raises where these answer, as at a name that is too long.
    if extras and not settings.task_id and not os.path.isdir(extras):  # noqa: PTH112
        message = f"there is no directory {printable(extras, 500)!r}"
        ledger.report(("extras_dir",), message, ledger.claims["extras_dir",].origin)
    if settings.api.ca_bundle and (mistake := bundle_mistake(settings.api.ca_bundle)):
        ledger.report(("api", "ca_bundle"), mistake, ledger.claims["api", "ca_bundle"].origin)
    if database and not uses_cache:
        origin, unused = ledger.claims["database",].origin, "this worker does not use a cache"
        if os.path.lexists(database):
            ledger.warn(("database",), f"is ignored: {unused}", origin)
        else:
            message = f"there is no file {printable(database, 500)!r}, and {unused}"
            ledger.report(("database",), message, origin, hint="leave it out")


def writable(resolution: Resolution) -> dict[str, str]:
    """The files of summary and report, by these names, each where one is wanted, and can be written."""
    settings = resolution.settings
    wanted = {"summary": settings.summary, "report": settings.report}
    if not any(wanted.values()):
        return {}
    mistaken = {problem.path for problem in resolution.ledger.problems} | {name for name, _ in _of_outputs(resolution)}
    return {name: path for name, path in wanted.items() if path is not None and name not in mistaken}


def check_outputs(resolution: Resolution) -> None:
    """Report now what would be reported after the work: a file that cannot be written, or that must not be."""
    ledger = resolution.ledger
    for name, message in _of_outputs(resolution):
        ledger.report((name,), message, ledger.claims[name,].origin)
    mistake = temporary_directory_mistake()
    if mistake:
        ledger.warn((), mistake, Origin("environment", "TMPDIR"), TEMPORARY_HINT)


def _of_outputs(resolution: Resolution) -> Iterator[tuple[str, str]]:
    settings = resolution.settings
    outputs = {"summary": settings.summary, "report": settings.report, "results": settings.results}
    inputs = [
        ("--config", settings.config_file),
        ("--env-file", settings.env_file),
        ("--database", settings.database),
        ("--elements-list", settings.elements_list),
        ("ARKINDEX_API_CA_BUNDLE", settings.api.ca_bundle),
        *(("an --image", image) for image in settings.image),
    ]
    return mistakes(outputs, inputs)


def mistakes(outputs: Mapping[str, str | None], inputs: Iterable[tuple[str, str | None]]) -> Iterator[tuple[str, str]]:
    """What is wrong with the files that are to be written, as the name of the setting and a sentence about its file.

    Args:
        outputs: Where to write, by the name of the setting: `summary`, `report`, `results`, `journal`, or `output` for
            any text.
        inputs: What must stay as it is: what it is, and its path. The modules that were imported are, too.
    """
    wanted = {name: path for name, path in outputs.items() if path is not None}
    if not wanted:
        return
    taken = {files.identity(path): label for label, path in (*_code(), *inputs) if path}
    for name, path in wanted.items():
        identity = files.identity(path)
        if identity is not None and identity in taken and not Path(path).is_char_device():
            yield name, f"is the same file as {taken[identity]}"
        else:
            reason = _reason(name, path)
            if reason:
                yield name, reason
        taken[identity] = f"--{name}"


def _code() -> Iterator[tuple[str, str | None]]:
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str):
            yield f"the code of {module.__name__}", path


def _reason(name: str, path: str) -> str:
    try:
        is_stream = files.is_stream(path)
        if is_stream and name not in _STREAMED:
            return "is not a regular file"
        files.check_replaceable(path)
        if is_stream:
            return ""
        what, is_ours = _KINDS[name]
        if not is_ours(path):
            return f"holds something other than {what}: choose another file, or remove it"
    except OSError as error:
        return reason_of(error, "cannot be written")
    return ""


def empty(name: str, path: str | None) -> None:
    """Empty what a run before has left in a file that this one writes in the end: a run that is killed leaves nothing.

    Raises:
        ConfigurationError: It cannot be written.
    """
    try:
        if path is not None and Path(path).exists() and not files.is_stream(path):
            files.replace(path, b"")
    except OSError as error:
        problem = Problem(name, "command line", f"--{name}", f"cannot be written: {error.strerror}")
        raise ConfigurationError([problem]) from None


def temporary_directory_mistake() -> str:
    """That there is no temporary directory, for what user code and images need one for; or nothing."""
    try:
        tempfile.gettempdir()
    except OSError:
        return "there is no temporary directory that can be written to: images cannot be opened as temporary files"
    return ""


def is_summary(path: str) -> bool:
    """Whether a file holds the summary of a run, or nothing.

    Raises:
        OSError: It cannot be read.
    """
    content = _beginning_of(path, _LONGEST_SUMMARY)
    if not content.strip():
        return True
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and data.keys() >= _OF_A_SUMMARY


def is_report(path: str) -> bool:
    """Whether a file holds the report of a run, or nothing.

    Raises:
        OSError: It cannot be read.
    """
    content = _beginning_of(path, _BEGINNING)
    return not content.strip() or REPORT_MARK in content


def _beginning_of(path: str, size: int) -> bytes:
    """So many of its first bytes; none where there is no file."""
    try:
        with Path(path).open("rb") as file:
            return file.read(size)
    except FileNotFoundError:
        return b""


def _is_recording(path: str) -> bool:
    from arkworker.storage.recording.reading import is_recording  # all models of results, which most runs do without

    return is_recording(path)


_STREAMED = {"summary", "report", "output"}
_KINDS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "summary": ("the summary of a run", is_summary),
    "report": ("the report of a run", is_report),
    "results": ("results of arkworker", _is_recording),
    "output": ("what it replaces", lambda _: True),
    "journal": ("the journal of a publication", lambda _: True),  # it looks at that itself
}
