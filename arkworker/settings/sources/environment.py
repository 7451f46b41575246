"""Environment variables, from the process or from an env file; an empty one is an absent one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arkworker.options.options import ENVIRONMENT_PREFIX
from arkworker.settings.platform import GONE_VARIABLES, variable_of
from arkworker.settings.provenance import Origin
from arkworker.settings.sources.source import PLATFORM_FIELDS, Bench, Source
from arkworker.text import MOST_SUGGESTIONS, did_you_mean, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPTION = f"{ENVIRONMENT_PREFIX}_"
_PLATFORM = "ARKINDEX_"


class EnvironmentSource(Source):
    name = "environment"

    def __init__(self, bench: Bench, variables: Mapping[str, str]) -> None:
        super().__init__(bench)
        self.variables = {name: text for name, text in variables.items() if text}

    def location(self, variable: str) -> str:
        return printable(variable)

    def offer_all(self) -> None:
        known = {variable_of(field): path for path, field in PLATFORM_FIELDS.items()}
        for variable, text in self.variables.items():
            if variable in known:
                self.offer_platform(known[variable], text, self.location(variable))
            elif variable.upper().startswith(_OPTION) and variable.upper() != _OPTION:
                self._offer_option(variable, text)
            elif variable.startswith(_PLATFORM):
                self._warn_of_misspelt(variable, known)
        self._warn_of_gone()

    def _offer_option(self, variable: str, text: str) -> None:
        origin = Origin(self.name, self.location(variable))
        option = self.worker.by_variable.get(variable)
        if option is not None:
            self.offer_text(("config", *option.keys), option.annotation, origin, lambda: text)
        elif self.worker.is_free and variable == variable.upper():
            key = variable.removeprefix(_OPTION).lower()
            self.offer_text(("config", key), Any, origin, lambda: text)
        else:
            names = [known.removeprefix(_OPTION) for known in self.worker.by_variable]
            name = variable[len(_OPTION) :]
            self.report_unknown(name.lower(), origin, known=names or [name.upper()], prefix=_OPTION)

    def _warn_of_misspelt(self, variable: str, known: Mapping[str | None, object]) -> None:
        """Other programs may have variables of that prefix: only what is nearly one of ours is told of."""
        if variable in GONE_VARIABLES or self._suggestions >= MOST_SUGGESTIONS:
            return
        self._suggestions += 1
        rest = {name.removeprefix(_PLATFORM) for name in known if name and name.startswith(_PLATFORM)}
        nearest = did_you_mean(variable.removeprefix(_PLATFORM), rest, prefix=_PLATFORM, cutoff=0.8)
        if nearest:
            self.ledger.warn((), f"not read; {nearest}", Origin(self.name, self.location(variable)))

    def _warn_of_gone(self) -> None:
        for variable, instead in GONE_VARIABLES.items():
            if variable in self.variables:
                message = f"{variable} is not read any more: {instead}"
                self.ledger.warn((), message, Origin(self.name, self.location(variable)))
