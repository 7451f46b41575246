"""The parser of each verb: what all workers know, what this one knows, and the flags of the verb itself."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

from arkworker.cli import terminal
from arkworker.errors import UsageError
from arkworker.settings.command_line import Parser

if TYPE_CHECKING:
    from collections.abc import Sequence

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

        return help_page(self, self.worker)

    def _print_message(self, message: str, file: object = None) -> None:
        del file
        terminal.write(message)


class PlainParser(argparse.ArgumentParser):
    """The parser of a verb with few flags."""

    def __init__(self, verb: str, description: str) -> None:
        super().__init__(prog=f"arkworker {verb}", description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        from arkworker.text import printable

        raise UsageError(printable(message, 300))

    def _print_message(self, message: str, file: object = None) -> None:
        del file
        terminal.write(message)


def verb_parser(
    verb: str, worker: WorkerOptions, argv: Sequence[str], *, command: str = "", description: str = ""
) -> RunParser | PlainParser:
    """The parser of a verb for one worker.

    Args:
        verb: One of `DESCRIPTIONS`.
        worker: What it can be configured with.
        argv: The flags that were typed.
        command: What the person typed before them, where it is not `arkworker VERB TARGET`.
        description: What the worker says of itself.
    """
    if verb == "schema":
        return schema_parser(worker.target)
    about = "\n\n".join(filter(None, (description.strip(), DESCRIPTIONS[verb])))
    parser = RunParser(command or f"arkworker {verb} {worker.target}", worker, argv, description=about)
    group = parser.add_argument_group("showing")
    shown = "Show what is explained, or all problems," if verb == "explain" else "Show all problems"
    group.add_argument("--json", action="store_true", help=f"{shown} as JSON on standard output.")
    if verb in ("check", "explain"):
        group.add_argument("--offline", action="store_true", help="Stop before the network.")
    if verb == "explain":
        group.add_argument("--all", action="store_true", help="Show what each value replaced, too.")
    return parser


def schema_parser(target: str) -> PlainParser:
    parser = PlainParser(f"schema {target}", DESCRIPTIONS["schema"])
    formats = ("json-schema", "arkindex", "markdown")
    parser.add_argument("--format", choices=formats, default=formats[0], help="What to write; json-schema by default.")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--output", metavar="FILE", help="Write FILE, in place of standard output.")
    where.add_argument("--check", metavar="FILE", help="Exit 1 and show the difference when FILE is not up to date.")
    parser.add_argument("--json", action="store_true", help="Show all problems as JSON on standard output.")
    return parser
