"""The files that a run writes where a person named them: what is wrong with one is told before the work."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from arkworker.storage import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

TEMPORARY_HINT = "set TMPDIR to a directory that can be written"
REPORT_MARK = b'<meta name="generator" content="arkworker run --report">'
_LONGEST_SUMMARY = 4096  # bytes
_BEGINNING = 1024  # bytes of a report, which the mark is in
_OF_A_SUMMARY = {"elements", "processed", "exit_code"}


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
        files.check_replaceable(path)
        if files.is_stream(path):
            return "" if name in _STREAMED else "is not a regular file"
        what, is_ours = _KINDS[name]
        if not is_ours(path):
            return f"holds something other than {what}: choose another file, or remove it"
    except OSError as error:
        return f"cannot be written: {error.strerror}"
    return ""


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
    if not Path(path).exists():
        return True
    with Path(path).open("rb") as file:
        content = file.read(_LONGEST_SUMMARY)
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
    if not Path(path).exists():
        return True
    with Path(path).open("rb") as file:
        content = file.read(_BEGINNING)
    return not content.strip() or REPORT_MARK in content


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
