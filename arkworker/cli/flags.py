"""The parser of each verb: what all workers know, what this one knows, and the flags of the verb itself."""

from __future__ import annotations

import argparse
import inspect
from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn, get_args, get_origin

from arkworker.cli import terminal
from arkworker.cli.parser import Parser
from arkworker.errors import UsageError
from arkworker.settings.platform import flag_of
from arkworker.settings.sources.source import PLATFORM_FIELDS
from arkworker.text import flag_in, printable, with_nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic.fields import FieldInfo

    from arkworker.settings.catalogue import WorkerOptions

DESCRIPTIONS = {
    "run": "Run the worker.",
    "check": "Do everything up to the worker's code: validate, reach Arkindex, load the secrets, open the cache.",
    "explain": "Show every value of the context, and where it comes from; secrets are masked.",
    "schema": "Write the JSON Schema, the declaration for Arkindex or the documentation of the worker's configuration.",
}


class RunParser(Parser):
    """The parser of `run`, `check` and `explain`, whose help is written for reading."""

    def format_help(self) -> str:
        from arkworker.cli.help import help_page

        return help_page(self, {".".join(path): field for path, field in PLATFORM_FIELDS.items()}, self.worker)

    def _print_message(self, message: str, file: object = None) -> None:
        del file
        terminal.write(message)


class PlainParser(argparse.ArgumentParser):
    """The parser of a verb with few flags.

    Args:
        verb: The verb.
        description: What it does.
        is_mixed: Whether flags may stand between several arguments of one kind.
        surplus: Where that belongs which is given as one argument too many.
    """

    def __init__(self, verb: str, description: str, *, is_mixed: bool = False, surplus: str = "") -> None:
        super().__init__(prog=f"arkworker {verb}", description=description, allow_abbrev=False)
        self._is_mixed = is_mixed
        self._surplus = surplus
        self._fields: dict[str, FieldInfo] = {}

    def add_setting(self, name: str, text: str = "") -> None:
        """Add a flag that means what it means for `run`; its help is the same, unless there is a `text`."""
        self._fields[name] = field = PLATFORM_FIELDS[name,]
        flag = flag_of(field)
        if flag is None:
            self.add_argument(f"--{name.replace('_', '-')}", metavar="ID", help=text)
        elif flag.metavar:
            choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else None
            self.add_argument(*flag.names, metavar=flag.metavar, choices=choices, help=text)
        else:
            self.add_argument(*flag.names, action="store_true", help=text)

    def add_json(self, shown: str = "all problems") -> None:
        self.add_argument("--json", action="store_true", help=f"Show {shown} as JSON on standard output.")

    def format_help(self) -> str:
        from arkworker.cli.help import help_page

        return help_page(self, self._fields)

    def error(self, message: str) -> NoReturn:
        raise UsageError(printable(message, 300))

    def parse_args(self, args: Sequence[str]) -> argparse.Namespace:  # type: ignore[override]  # no other use
        parse = self.parse_known_intermixed_args if self._is_mixed else self.parse_known_args
        namespace, rest = parse(list(args))
        for token in rest:
            # What is not a flag is not shown: it may be a secret in the wrong place.
            if not token.startswith("-") or len(token) == 1:
                raise UsageError(f"unexpected argument{self._surplus and '; '}{self._surplus}")
            flag, known = token.partition("=")[0], self._option_string_actions
            raise UsageError(with_nearest(f"unknown flag {flag_in(token)}", flag, known))
        return namespace

    def _print_message(self, message: str, file: object = None) -> None:
        del file
        terminal.write(message)


class Command(NamedTuple):
    """A command line about a worker.

    Attributes:
        verb: One of `DESCRIPTIONS`.
        target: The worker, as the person named it.
        argv: The flags.
        program: What was typed before them, where it is not `arkworker VERB TARGET`: a worker's own console command.
        folder: Where it was given, if known: user code may move elsewhere when it is imported.
    """

    verb: str
    target: str
    argv: Sequence[str]
    program: str = ""
    folder: str = ""


def run_parser(command: Command, worker: WorkerOptions, description: str = "") -> RunParser:
    """The parser of `run`, `check` and `explain` for one worker; `description` is what the worker says of itself."""
    verb = command.verb
    about = "\n\n".join(filter(None, (inspect.cleandoc(description), DESCRIPTIONS[verb])))
    program = command.program or f"arkworker {verb} {printable(worker.target)}"
    parser = RunParser(program, worker, command.argv, description=about)
    group = parser.add_argument_group("showing")
    shown = "Show what is explained, or all problems," if verb == "explain" else "Show all problems"
    group.add_argument("--json", action="store_true", help=f"{shown} as JSON on standard output.")
    if verb in ("check", "explain"):
        group.add_argument("--offline", action="store_true", help="Stop before the network.")
    if verb == "explain":
        group.add_argument("--all", action="store_true", help="Show what each value replaced, too.")
        group.add_argument("--changed", action="store_true", help="Show only what is not a default.")
        help_text = "Show only names that contain or match this, such as threshold or 'config.*'."
        group.add_argument("pattern", metavar="PATTERN", nargs="?", default="", help=help_text)
    return parser


def schema_parser(target: str) -> PlainParser:
    parser = PlainParser(f"schema {printable(target)}", DESCRIPTIONS["schema"])
    formats = ("json-schema", "arkindex", "markdown")
    parser.add_argument(
        "--format",
        metavar="FORMAT",
        choices=formats,
        help="What to write; by default, the suffix of FILE decides (.yml, .md), else json-schema.",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--output", metavar="FILE", help="Write to FILE instead of standard output.")
    where.add_argument("--check", metavar="FILE", help="Exit 1 and show the difference when FILE is not up to date.")
    parser.add_json()
    return parser
