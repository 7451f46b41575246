"""The command line of `run`, `check` and `explain`: the platform's flags, the worker's own, and one for each option."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic_core import PydanticUndefined

from arkworker.errors import UsageError
from arkworker.options.options import alternatives, key_of
from arkworker.settings.catalogue import flag_name
from arkworker.settings.platform import flag_of, variable_of
from arkworker.settings.provenance import Origin, Path
from arkworker.settings.sources.source import PLATFORM_FIELDS, Source
from arkworker.settings.values.inner_types import is_list
from arkworker.settings.values.unreadable import UnreadableError
from arkworker.text import did_you_mean, flag_in, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic.fields import FieldInfo

    from arkworker.settings.catalogue import WorkerOptions
    from arkworker.settings.sources.source import Bench

CONFIG_PREFIX = "--config."
_QUOTED_VALUE = re.compile(r"ignored explicit argument .*", re.DOTALL)


@dataclass(slots=True)
class Typed:
    """A flag as it stands on the command line: its spelling and the texts after it."""

    spelling: str
    texts: list[str] = field(default_factory=list)


class _Collect(argparse.Action):
    """Keeps what was typed, spelling included; the models read it."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        del parser
        typed: Typed = getattr(namespace, self.dest, None) or Typed(option or self.dest)
        typed.texts += values if isinstance(values, list) else [] if values is None else [values]
        setattr(namespace, self.dest, typed)


class Parser(argparse.ArgumentParser):
    """Knows every flag that a worker understands; abbreviations are none."""

    def __init__(self, prog: str, worker: WorkerOptions, argv: Sequence[str], **kwargs: Any) -> None:
        super().__init__(prog=prog, allow_abbrev=False, argument_default=None, **kwargs)
        self.worker = worker
        self._add_platform()
        self._add_arguments()
        self._add_configuration(argv)

    def error(self, message: str) -> NoReturn:
        # argparse quotes what was typed, which may be a secret.
        raise UsageError(printable(_QUOTED_VALUE.sub("takes no value", message), 300)) from None

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse, and say the nearest flag for one that is unknown.

        Raises:
            UsageError: The command line cannot be parsed.
        """
        namespace, rest = self.parse_known_args(list(argv))
        if rest:
            raise UsageError(self._unknown(rest[0], list(argv)))
        return namespace

    def _unknown(self, typed: str, argv: list[str]) -> str:
        spelling = typed.partition("=")[0]
        if not typed.startswith("-") or not typed.strip("-"):
            # Not what was typed: it may be a part of a value, as of a secret with blanks.
            before = [other for other in argv[: argv.index(typed)] if other.startswith("--")] if typed in argv else []
            where = f" after {printable(before[-1].partition('=')[0], 60)}" if before else ""
            return f"unexpected argument{where}: put a value that holds blanks in quotes"
        flags = (flag_of(field) for field in PLATFORM_FIELDS.values())
        if any(flag.elements and spelling in flag.names for flag in flags if flag):
            return f"{spelling} is for workers that process elements"
        nearest = did_you_mean(spelling, self._option_string_actions)
        return f"unknown flag {flag_in(typed)}" + (f"; {nearest}" if nearest else "")

    def _add_platform(self) -> None:
        group = self.add_argument_group("running")
        for path, known in PLATFORM_FIELDS.items():
            flag = flag_of(known)
            if flag is None or (flag.elements and not self.worker.processes_elements):
                continue
            nargs: Any = "+" if flag.many else None if flag.metavar else 0
            help_text = _help(known, variable_of(known))
            dest = ".".join(path)
            group.add_argument(
                *flag.names, dest=dest, action=_Collect, nargs=nargs, metavar=flag.metavar or None, help=help_text
            )

    def _add_arguments(self) -> None:
        fields = self.worker.arguments.model_fields if self.worker.arguments else {}
        group = self.add_argument_group("arguments of this worker") if fields else self
        for name, known in fields.items():
            flag = flag_name(name)
            nargs = "?" if bool in alternatives(known.annotation) else None
            dest = f"arguments.{name}"
            group.add_argument(
                flag, dest=dest, action=_Collect, nargs=nargs, metavar=_metavar(known), help=_help(known, None)
            )

    def _add_configuration(self, argv: Sequence[str]) -> None:
        group = self.add_argument_group("configuration")
        for option in self.worker.options.values():
            group.add_argument(
                option.flag,
                dest=f"config.{option.name}",
                action=_Collect,
                nargs="?",
                metavar=_metavar(option.field),
                help=_help(option.field, option.variable),
            )
        typed = dict.fromkeys(token.partition("=")[0] for token in argv if token.startswith(CONFIG_PREFIX))
        for flag in typed:
            if flag not in self._option_string_actions:
                # Known to the parser, so that its value goes with it; what it means is said with all other problems.
                dest = f"config.{flag.removeprefix(CONFIG_PREFIX)}"
                self.add_argument(flag, dest=dest, action=_Collect, nargs="?", help=argparse.SUPPRESS)


def _metavar(known: FieldInfo) -> str:
    types = alternatives(known.annotation)
    return getattr(types[0], "__name__", "value").upper() if len(types) == 1 else "VALUE"


def _help(known: FieldInfo, variable: str | None) -> str:
    parts = [known.description or known.title or ""]
    if known.default not in (None, PydanticUndefined, False, ()):
        parts.append(f"(default: {known.default})")
    if variable:
        parts.append(f"[env: {variable}]")
    return " ".join(part for part in parts if part).replace("%", "%%")


class CommandLineSource(Source):
    name = "command line"

    def __init__(self, bench: Bench, namespace: argparse.Namespace) -> None:
        super().__init__(bench)
        self.typed: dict[str, Typed] = {
            dest: typed for dest, typed in vars(namespace).items() if isinstance(typed, Typed)
        }

    def offer_all(self) -> None:
        for path, known in PLATFORM_FIELDS.items():
            typed = self.typed.get(".".join(path))
            if typed is not None:
                self._offer_platform(path, known, typed)
        for name, known in (self.worker.arguments.model_fields if self.worker.arguments else {}).items():
            typed = self.typed.get(f"arguments.{name}")
            if typed is not None:
                self._offer_value(("arguments", key_of(name, known)), known.annotation, typed)
        for dest, typed in self.typed.items():
            if dest.startswith("config."):
                self._offer_option(dest.removeprefix("config."), typed)

    def _offer_platform(self, path: Path, known: FieldInfo, typed: Typed) -> None:
        flag = flag_of(known)
        assert flag is not None  # noqa: S101 - the parser made it from this flag
        value: Any = typed.texts if flag.many else typed.texts[-1] if flag.metavar else True
        if value == "" and not flag.many:
            message = "a value is missing"
            self.ledger.report(path, message, Origin(self.name, typed.spelling))
            return
        self.offer_platform(path, value, typed.spelling)

    def _offer_option(self, name: str, typed: Typed) -> None:
        option = self.worker.options.get(name)
        # What follows a blank is a value, in an argument that was quoted together with its flag.
        word, *more = name.split(maxsplit=1) or [""]
        if self.worker.is_free and name and (typed.texts or not more):
            self._offer_value(("config", name), Any, typed)
        elif option is not None:
            self._offer_value(("config", *option.keys), option.annotation, typed)
        elif name in self.worker.groups:
            message = "this is a group: give its options, each with its own flag"
            self.ledger.report(("config", name), message, Origin(self.name, typed.spelling))
        else:
            self.report_unknown(word, Origin(self.name, f"{CONFIG_PREFIX}{printable(word, 60)}"))

    def _offer_value(self, path: Path, annotation: Any, typed: Typed) -> None:
        origin = Origin(self.name, printable(typed.spelling, 60))
        self.offer_text(path, annotation, origin, lambda: _text_of(typed, annotation))


def _text_of(typed: Typed, annotation: Any) -> str:
    """The text of a flag; without one, a boolean is true. A list may be given by several flags."""
    if not typed.texts:
        if bool in alternatives(annotation):
            return "true"
        raise UnreadableError("a value is missing", f"write {printable(typed.spelling, 60)}=…")
    return ",".join(typed.texts) if any(map(is_list, alternatives(annotation))) else typed.texts[-1]
