"""The command line of `run`, `check` and `explain`: the platform's flags, the worker's own, and one for each option."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic_settings import CliSettingsSource

from arkworker.options.options import Group, alternatives
from arkworker.settings.platform import Flag, flag_of
from arkworker.settings.reading import Refused
from arkworker.settings.sources.source import PLATFORM_FIELDS, TextSource
from arkworker.text import printable

if TYPE_CHECKING:
    from arkworker.settings.provenance import Path

CONFIG_PREFIX = "--config."


@dataclass(slots=True, eq=False)
class Typed:
    """A flag as it appears on the command line: its spelling and the texts after it."""

    spelling: str
    texts: list[str] = field(default_factory=list)

    @property
    def location(self) -> str:
        return printable(self.spelling, 60)


class CommandLineSource(TextSource, CliSettingsSource[argparse.ArgumentParser]):
    """The flags of a parser; they are defined here, and the parser is another's."""

    name = "command line"

    def __init__(self, settings_cls: Any, parser: argparse.ArgumentParser, add_argument: Any) -> None:
        self.begin(settings_cls)
        self.typed: dict[str, Typed] = {}
        super().__init__(
            settings_cls.flags,  # the flags of the platform are the parser's own
            root_parser=parser,
            add_argument_method=add_argument,
            add_argument_group_method=lambda parser, **_: parser,
            cli_avoid_json=True,
            cli_exit_on_error=False,
            cli_parse_none_str="\0",  # null is read by the type of the option
        )
        self.settings_cls = settings_cls

    def load(self, flags: argparse.Namespace) -> None:
        """Take what the parser made of the command line."""
        self.typed = {dest: typed for dest, typed in vars(flags).items() if isinstance(typed, Typed)}
        self(parsed_args={dest: " ".join(typed.texts) for dest, typed in self.typed.items()})
        paths = {".".join(path): path for path in (*PLATFORM_FIELDS, *self.worker.flags)}
        for dest, typed in self.typed.items():
            path = paths.get(dest, ())
            if path in PLATFORM_FIELDS:
                self._take_setting(path, flag_of(PLATFORM_FIELDS[path]) or Flag(()), typed)
            elif path:
                self.give(path, self._texts(typed, self.worker.flags[path].annotation), typed.location)
            elif dest.startswith("config."):
                self._take_other(dest.removeprefix("config."), typed)

    def __call__(self, **kwargs: Any) -> Any:
        return super().__call__(**kwargs) if kwargs or self.typed else {}

    def _take_setting(self, path: Path, flag: Flag, typed: Typed) -> None:
        if typed.texts == [""]:
            self.report(path, "a value is missing", typed.location)
        else:
            self.give(path, typed.texts if flag.many else typed.texts[-1] if flag.metavar else True, typed.location)

    def _texts(self, typed: Typed, annotation: Any) -> Any:
        """The texts of a flag; without one, a boolean is true."""
        if typed.texts:
            return typed.texts
        if bool in alternatives(annotation):
            return ["true"]
        return Refused.because("a value is missing", f"write {typed.location}=…")

    def _take_other(self, name: str, typed: Typed) -> None:
        # What follows a blank is a value, in an argument that was quoted together with its flag.
        word, *more = name.split(maxsplit=1) or [""]
        if self.worker.is_free and name and (typed.texts or not more):
            self.give(("config", name), self._texts(typed, Any), typed.location)
        elif isinstance(self.worker.by_name.get(name), Group):
            self.report(("config", name), "this is a group: give its options, each with its own flag", typed.location)
        else:
            self.report_unknown(word, f"{CONFIG_PREFIX}{printable(word, 60)}")
