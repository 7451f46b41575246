"""The parser of each verb: what all workers know, what this one knows, and the flags of the verb itself."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from arkworker.settings.command_line import Parser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arkworker.settings.catalogue import WorkerOptions

DESCRIPTIONS = {
    "run": "Run the worker.",
    "check": "Do everything up to the worker's code: validate, reach Arkindex, load the secrets, open the cache.",
    "explain": "Show every value of the context, and where it comes from; secrets are masked.",
    "schema": "Write the JSON Schema, or the documentation, of the worker's configuration.",
}


def verb_parser(verb: str, worker: WorkerOptions, argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of a verb for one worker."""
    if verb == "schema":
        return schema_parser(worker.target)
    parser = Parser(f"arkworker {verb} {worker.target}", worker, argv, description=DESCRIPTIONS[verb])
    group = parser.add_argument_group(f"showing ({verb})")
    group.add_argument(
        "--json", action="store_true", help="Problems, and what explain shows, as JSON on standard output."
    )
    if verb in ("check", "explain"):
        group.add_argument("--offline", action="store_true", help="Stop before the network.")
    if verb == "explain":
        group.add_argument("--all", action="store_true", help="Also show what each value replaced.")
    return parser


def schema_parser(target: str) -> argparse.ArgumentParser:
    parser = _SchemaParser(prog=f"arkworker schema {target}", description=DESCRIPTIONS["schema"], allow_abbrev=False)
    parser.add_argument(
        "--format", choices=("json-schema", "markdown"), default="json-schema", help="What to write (json-schema)."
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--output", metavar="FILE", help="Write FILE, in place of standard output.")
    where.add_argument("--check", metavar="FILE", help="Exit 1 and show the difference when FILE is not up to date.")
    return parser


class _SchemaParser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        from arkworker.errors import UsageError

        raise UsageError(message)
