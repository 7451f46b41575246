"""Variables from the file that `--env-file` names: lines of `NAME=value`, as python-dotenv reads them."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from arkworker.settings.environment import EnvironmentSource
from arkworker.settings.provenance import Origin
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arkworker.settings.source import Bench
    from arkworker.settings.text_file import TextFile


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
        variables: dict[str, str] = {}
        problems: list[tuple[int, str]] = []
        for line in _parse(file.text):
            if line.name in self._lines:
                problems.append(
                    (line.number, f"{printable(line.name)} is given twice, first in line {self._lines[line.name]}")
                )
            elif not line.name or line.value is None:
                problems.append((line.number, "not a line of the form NAME=value"))
            else:
                self._lines[line.name] = line.number
                variables[line.name] = line.value
        super().__init__(bench, variables)
        for number, message in problems:
            self.ledger.report((), message, Origin(self.name, f"{file.name}:{number}"))

    def location(self, variable: str) -> str:
        return f"{self.file.name}:{self._lines[variable]}"


def _parse(text: str) -> Iterator[_Line]:
    from dotenv.parser import parse_stream

    for binding in parse_stream(StringIO(text)):
        # A binding holds the blank lines before it, too.
        blank = binding.original.string[: len(binding.original.string) - len(binding.original.string.lstrip())]
        number = binding.original.line + blank.count("\n")
        if binding.error:
            yield _Line(number, "", None)
        elif binding.key is not None:
            yield _Line(number, binding.key, binding.value)
