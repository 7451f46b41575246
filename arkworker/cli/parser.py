"""The parser of the command line: it knows every flag that a worker understands; abbreviations are not accepted."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any, NoReturn

from arkworker.errors import UsageError
from arkworker.options.options import alternatives, is_list
from arkworker.settings.catalogue import flag_name
from arkworker.settings.model import settings_model
from arkworker.settings.platform import flag_of
from arkworker.settings.sources.command_line import CONFIG_PREFIX, CommandLineSource, Typed
from arkworker.settings.sources.source import PLATFORM_FIELDS
from arkworker.text import flag_in, printable, with_nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic.fields import FieldInfo

    from arkworker.settings.catalogue import WorkerOptions

_QUOTED_VALUE = re.compile(r"ignored explicit argument .*", re.DOTALL)


class Within:
    """The type of a flag: a whole number between two limits, both of which may be given."""

    def __init__(self, lowest: int, highest: int) -> None:
        self.lowest = lowest
        self.highest = highest

    def __call__(self, text: str) -> int:
        if not text.isascii() or not text.isdigit() or not self.lowest <= int(text) <= self.highest:
            raise argparse.ArgumentTypeError(f"should be a whole number from {self.lowest} to {self.highest}")
        return int(text)


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
    """Knows every flag that a worker understands."""

    def __init__(self, prog: str, worker: WorkerOptions, argv: Sequence[str], **kwargs: Any) -> None:
        super().__init__(prog=prog, allow_abbrev=False, argument_default=None, **kwargs)
        self.worker = worker
        # argparse takes `-1e-5`, `-.5e3` and `-1,-2` for flags.
        self._negative_number_matcher = re.compile(r"-(\.?[0-9]|inf|Inf)")
        self._add_platform()
        has_arguments = worker.arguments is not None and bool(worker.arguments.model_fields)
        self._of_arguments = self.add_argument_group("flags of this worker") if has_arguments else self
        self._of_options = self.add_argument_group("configuration")
        self.source = CommandLineSource(settings_model(worker), self, self._add_setting)
        self._add_unknown(argv)

    def error(self, message: str) -> NoReturn:
        # argparse quotes what was typed, which may be a secret.
        raise UsageError(printable(_QUOTED_VALUE.sub("takes no value", message), 300)) from None

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse, and say the nearest flag for one that is unknown; `source` of the answer is the command line.

        Raises:
            UsageError: The command line cannot be parsed.
        """
        namespace, rest = self.parse_known_args(list(argv))
        if rest:
            raise UsageError(self._unknown(rest[0], list(argv)))
        self.source.load(namespace)
        namespace.source = self.source
        return namespace

    def _unknown(self, typed: str, argv: list[str]) -> str:
        spelling = typed.partition("=")[0]
        if not typed.startswith("-") or not typed.strip("-"):
            # Not what was typed: it may be a part of a value, as of a secret with blanks.
            before = [other for other in argv[: argv.index(typed)] if other.startswith("--")] if typed in argv else []
            where = f" after {printable(before[-1].partition('=')[0], 60)}" if before else ""
            return f"unexpected argument{where}: put a value that contains blanks in quotes"
        flags = (flag_of(field) for field in PLATFORM_FIELDS.values())
        if any(flag.elements and spelling in flag.names for flag in flags if flag):
            return f"{spelling} is for workers that process elements"
        return with_nearest(f"unknown flag {flag_in(typed)}", spelling, self._option_string_actions)

    def _add_platform(self) -> None:
        group = self.add_argument_group("running")
        for path, known in PLATFORM_FIELDS.items():
            flag = flag_of(known)
            if flag is None or (flag.elements and not self.worker.processes_elements):
                continue
            nargs: Any = "+" if flag.many else None if flag.metavar else 0
            metavar, dest = flag.metavar or None, ".".join(path)
            group.add_argument(*flag.names, dest=dest, action=_Collect, nargs=nargs, metavar=metavar)

    def _add_setting(self, parser: Any, *names: str, dest: str, **known: Any) -> None:
        """Add what pydantic-settings finds in the models; groups as a whole have no flags."""
        del parser, names
        root, _, name = dest.partition(".")
        option = self.worker.flags.get((root, *name.split("."))) or self.worker.flags.get((root, name))
        if option is None:
            return
        is_option = root == "config"
        flags = [f"{CONFIG_PREFIX}{other}" for other in option.names] if is_option else [flag_name(option.fields[-1])]
        members = alternatives(option.annotation)
        nargs = "*" if any(map(is_list, members)) else "?" if is_option or bool in members else None
        hidden = known.get("help") == argparse.SUPPRESS
        (self._of_options if is_option else self._of_arguments).add_argument(
            *flags,
            dest=f"{root}.{option.name}",
            action=_Collect,
            nargs=nargs,
            help=argparse.SUPPRESS if hidden else _help(option.field),
        )

    def _add_unknown(self, argv: Sequence[str]) -> None:
        typed = dict.fromkeys(token.partition("=")[0] for token in argv if token.startswith(CONFIG_PREFIX))
        for flag in typed:
            if flag not in self._option_string_actions:
                # Known to the parser, so that its value goes with it; mistakes in it are reported with all others.
                dest = f"config.{flag.removeprefix(CONFIG_PREFIX)}"
                self.add_argument(flag, dest=dest, action=_Collect, nargs="?", help=argparse.SUPPRESS)


def _help(known: FieldInfo) -> str:
    """What completion shows; the page of help says more, and is not argparse's."""
    return (known.description or known.title or "").replace("%", "%%")
