"""Variables from the file that `--env-file` names: lines of `NAME=value`, as python-dotenv reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from arkworker.settings.provenance import Origin
from arkworker.settings.sources.environment import EnvironmentSource
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arkworker.documents.text_file import TextFile
    from arkworker.settings.sources.source import Bench

# python-dotenv takes time by the square of some of them.
MOST_LINES = 10_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LINE_BREAK = re.compile("\r\n|[\r\n]")


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    name: str
    value: str | None


class EnvFileSource(EnvironmentSource):
    name = "env file"

    def __init__(self, bench: Bench, file: TextFile) -> None:
        self.file = file
        self._lines: dict[str, int] = {}
        problems: list[tuple[int, str, str]] = []
        super().__init__(bench, dict(self._variables(problems)))
        for number, message, hint in problems:
            self.ledger.report((), message, Origin(self.name, f"{file.name}:{number}"), hint=hint)

    def location(self, variable: str) -> str:
        return f"{self.file.name}:{self._lines[variable]}"

    def _variables(self, problems: list[tuple[int, str, str]]) -> Iterator[tuple[str, str]]:
        for line in _parse(self.file.text, problems):
            name = printable(line.name, 60)
            if line.name in self._lines:
                message = f"{name} is given twice, first in line {self._lines[line.name]}"
                problems.append((line.number, message, "remove one of the two"))
            elif line.value is None or not _NAME.fullmatch(line.name):
                problems.append((line.number, "not a line of the form NAME=value", "check the quotes"))
            else:
                self._lines[line.name] = line.number
                yield line.name, line.value


def _parse(text: str, problems: list[tuple[int, str, str]]) -> Iterator[_Line]:
    if len(_LINE_BREAK.findall(text)) >= MOST_LINES:
        problems.append((MOST_LINES, f"more than {MOST_LINES:,} lines", "is it the right file?"))
        return
    from dotenv.parser import parse_stream

    for binding in parse_stream(StringIO(text)):
        # A binding holds the blank lines before it, too.
        blank = binding.original.string[: len(binding.original.string) - len(binding.original.string.lstrip())]
        number = binding.original.line + len(_LINE_BREAK.findall(blank))
        if binding.error:
            yield _Line(number, "", None)
        elif binding.key is not None:
            yield _Line(number, binding.key, binding.value)
