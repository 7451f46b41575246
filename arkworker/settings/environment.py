"""Environment variables, from the process or from an env file; an empty one is an absent one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arkworker.options import ENVIRONMENT_PREFIX
from arkworker.settings.platform import GONE_VARIABLES, variable_of
from arkworker.settings.provenance import Origin, Path, Place
from arkworker.settings.reading import UnreadableError, read_text
from arkworker.settings.source import MOST_SUGGESTIONS, PLATFORM_FIELDS, Bench, Source
from arkworker.text import did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class EnvironmentSource(Source):
    name = "environment"

    def __init__(self, bench: Bench, variables: Mapping[str, str]) -> None:
        super().__init__(bench)
        self.variables = {name: text for name, text in variables.items() if text}

    def location(self, variable: str) -> str:
        return variable

    def place(self, variable: str) -> Place:
        return Place(self.location(variable))

    def offer_all(self) -> None:
        for path, field in PLATFORM_FIELDS.items():
            variable = variable_of(field)
            if variable in self.variables:
                self.offer_platform(path, self.variables[variable], self.location(variable))
        if self.worker.is_free:
            self._offer_free()
        else:
            self._offer_options()
        self._warn_of_gone()

    def _offer_options(self) -> None:
        known = {option.variable: option for option in self.worker.options.values()}
        for variable in self._configuration_variables():
            if variable in known:
                option = known[variable]
                self._offer(("config", *option.keys), variable, option.annotation)
        unknown = [variable for variable in self._configuration_variables() if variable not in known]
        for number, variable in enumerate(unknown):
            nearest = did_you_mean(variable, known) if number < MOST_SUGGESTIONS else ""
            message = f"unknown option; {nearest}" if nearest else "unknown option"
            path = ("config", printable(variable.removeprefix(f"{ENVIRONMENT_PREFIX}_").lower()))
            self.ledger.report(path, message, self._origin(variable))

    def _offer_free(self) -> None:
        for variable in self._configuration_variables():
            key = variable.removeprefix(f"{ENVIRONMENT_PREFIX}_").lower()
            self._offer(("config", key), variable, Any)

    def _configuration_variables(self) -> Iterator[str]:
        prefix = f"{ENVIRONMENT_PREFIX}_"
        return (variable for variable in self.variables if variable.startswith(prefix) and variable != prefix)

    def _offer(self, path: Path, variable: str, annotation: Any) -> None:
        origin = self._origin(variable)
        try:
            value = read_text(self.variables[variable], annotation)
        except UnreadableError as error:
            self.ledger.refuse(path, error, origin, self.place(variable))
        else:
            self.ledger.offer(path, value, origin, lambda _: self.place(variable))

    def _origin(self, variable: str) -> Origin:
        return Origin(self.name, printable(self.location(variable)))

    def _warn_of_gone(self) -> None:
        for variable, instead in GONE_VARIABLES.items():
            if variable in self.variables:
                self.ledger.warn((), f"{variable} is not read any more: {instead}", self._origin(variable))
