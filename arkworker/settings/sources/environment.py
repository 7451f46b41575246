"""Environment variables, from the process or from an env file; an empty one is an absent one."""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING, Any

from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from arkworker.options.options import ENVIRONMENT_PREFIX
from arkworker.settings.platform import GONE_VARIABLES, variable_of
from arkworker.settings.sources.source import PLATFORM_FIELDS, TextSource
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from arkworker.documents.text_file import TextFile

_OPTION = f"{ENVIRONMENT_PREFIX}_"
_PLATFORM = "ARKINDEX_"
_VARIABLES = {variable_of(field): path for path, field in PLATFORM_FIELDS.items()}

# python-dotenv takes time by the square of some of them.
MOST_LINES = 10_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LINE_BREAK = re.compile("\r\n|[\r\n]")


class Variables(TextSource):
    """What variables mean, wherever they stand."""

    env_vars: Mapping[str, str | None]

    def __call__(self) -> dict[str, Any]:
        # DotEnvSettingsSource would add unknown names of the file; and to ask for each setting in vain takes time.
        return EnvSettingsSource.__call__(self) if self.locations else {}  # type: ignore[arg-type]

    def location(self, variable: str) -> str:
        return printable(variable)

    def take(self, variables: Mapping[str, str]) -> None:
        """Look at the names of all variables."""
        self.env_vars = {name: text for name, text in variables.items() if text}
        for variable, text in self.env_vars.items():
            if variable in _VARIABLES:
                self.give(_VARIABLES[variable], text, self.location(variable))
            elif variable.upper().startswith(_OPTION) and variable.upper() != _OPTION:
                self._take_option(variable, text)
            elif variable.startswith(_PLATFORM):
                self._warn_of_misspelt(variable)
        for variable, instead in GONE_VARIABLES.items():
            if variable in self.env_vars:
                self.report((), f"{variable} is not read any more: {instead}", self.location(variable), warn=True)

    def _take_option(self, variable: str, text: str | None) -> None:
        option = self.worker.by_variable.get(variable)
        if option is not None:
            path = ("config", *option.keys)
        elif self.worker.is_free and variable == variable.upper():
            path = ("config", variable.removeprefix(_OPTION).lower())
        else:
            names = [known.removeprefix(_OPTION) for known in self.worker.by_variable]
            name = variable[len(_OPTION) :]
            location = self.location(variable)
            self.report_unknown(name.lower(), location, known=names or [name.upper()], prefix=_OPTION)
            return
        self.give(path, [text], self.location(variable))

    def _warn_of_misspelt(self, variable: str) -> None:
        """Other programs may have variables of that prefix: only what is nearly one of ours is reported."""
        known = {name.removeprefix(_PLATFORM) for name in _VARIABLES if name and name.startswith(_PLATFORM)}
        name = variable.removeprefix(_PLATFORM)
        message = self._suggest("not read", name, known, prefix=_PLATFORM, cutoff=0.8)
        if variable not in GONE_VARIABLES and message != "not read":
            self.report((), message, self.location(variable), warn=True)


class EnvironmentSource(Variables, EnvSettingsSource):
    name = "environment"

    def __init__(self, settings_cls: Any, environ: Mapping[str, str]) -> None:
        self.begin(settings_cls)
        super().__init__(settings_cls, case_sensitive=True)
        self.take(environ)


class EnvFileSource(Variables, DotEnvSettingsSource):
    """The file that `--env-file` names: lines of `NAME=value`, as python-dotenv reads them."""

    name = "env file"

    def __init__(self, settings_cls: Any, file: TextFile | None) -> None:
        self.begin(settings_cls)
        super().__init__(settings_cls, env_file=None, case_sensitive=True)
        self.file = file
        self._lines: dict[str, int] = {}
        self.take(dict(self._parse(file.text)) if file else {})

    def location(self, variable: str) -> str:
        return self._at(self._lines[variable])

    def _at(self, line: int) -> str:
        return f"{self.file.name}:{line}" if self.file else ""

    def _parse(self, text: str) -> Iterator[tuple[str, str]]:
        if len(_LINE_BREAK.findall(text)) >= MOST_LINES:
            self.report((), f"more than {MOST_LINES:,} lines", self._at(MOST_LINES), "is it the right file?")
            return
        from dotenv.parser import parse_stream

        for binding in parse_stream(StringIO(text)):
            # A binding holds the blank lines before it, too.
            whole = binding.original.string
            number = binding.original.line + len(_LINE_BREAK.findall(whole[: len(whole) - len(whole.lstrip())]))
            name = "" if binding.error else binding.key
            if name is None:
                continue
            if name in self._lines:
                message = f"{printable(name, 60)} is given twice, first in line {self._lines[name]}"
                self.report((), message, self._at(number), "remove one of the two")
            elif binding.value is None or not _NAME.fullmatch(name):
                self.report((), "not a line of the form NAME=value", self._at(number), "check the quotes")
            else:
                self._lines[name] = number
                yield name, binding.value
