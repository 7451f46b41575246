"""The verb `schema`: a worker's configuration as JSON Schema or as documentation, written, or compared with a file."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkworker.cli.flags import schema_parser
from arkworker.errors import ExitCode, UsageError
from arkworker.runtime.worker import options_of
from arkworker.settings.documentation import as_markdown
from arkworker.settings.schema import as_json_schema, to_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arkworker.runtime.worker import Worker


def schema(worker: Worker[Any], target: str, argv: Sequence[str]) -> int:
    flags = schema_parser(target).parse_args(list(argv))
    options = options_of(worker, target)
    description = (worker.__doc__ or "").strip()
    if flags.format == "markdown":
        text = as_markdown(options, description)
    else:
        text = to_text(as_json_schema(options, description))
    if flags.check is not None:
        return _compare(text, flags.check)
    if flags.output is not None:
        _write(text, Path(flags.output))
    else:
        sys.stdout.write(text)
    return ExitCode.OK


def _write(text: str, path: Path) -> None:
    # Beside it and renamed, so that nobody ever reads half a file.
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _compare(text: str, name: str) -> int:
    from arkworker.settings.text_file import TextFileError, read_text_file

    try:
        current = read_text_file(name).text
    except TextFileError as error:
        raise UsageError(f"--check {name}: {error.reason}") from None
    if current == text:
        return ExitCode.OK
    lines = difflib.unified_diff(
        current.splitlines(keepends=True), text.splitlines(keepends=True), name, f"{name} (from the worker)"
    )
    sys.stdout.writelines(lines)
    return ExitCode.FAILED
