"""The command line: `python -m arkworker VERB TARGET [flags]`. Each verb imports what it needs when it is called."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

from arkworker import __version__
from arkworker.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arkworker.runtime.worker import Worker

VERBS = ("run", "check", "explain", "schema")

HELP = """\
usage: arkworker VERB TARGET [flags]

Run typed workers for Arkindex. TARGET is module:name or path/to/file.py:name.

verbs:
  run      run the worker
  check    do everything up to the worker's code, and run none of it
  explain  show every value of the context, and where it comes from
  schema   write the JSON Schema, or the documentation, of the worker's configuration

flags:
  -h, --help   show this help, or that of a verb: arkworker run TARGET --help
  --version    show the version

examples:
  arkworker run worker.py:PageLines -c worker.yml --config.threshold 0.7
  arkworker explain worker.py:PageLines --all
  arkworker schema worker.py:PageLines --format markdown

exit codes:
  0 done   1 failed   2 usage   69 Arkindex unavailable   75 uncertain   78 configuration   128+n stopped by signal n
"""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The console command `arkworker`."""
    sys.exit(invoke(sys.argv[1:] if argv is None else argv))


def run_worker(worker: type[Worker[Any]], argv: Sequence[str]) -> NoReturn:
    """The console command of one worker: the verb `run`, without a target."""
    from arkworker.cli.failures import guarded
    from arkworker.runtime.target import as_worker

    target = f"{worker.__module__}:{worker.__qualname__}"
    sys.exit(guarded(lambda: _with_worker("run", as_worker(worker, target), target, argv), argv, target))


def invoke(argv: Sequence[str]) -> int:
    """Run one command line; answers the exit code."""
    if not argv or argv[0] in ("-h", "--help"):
        sys.stdout.write(HELP)
        return ExitCode.OK
    if argv[0] == "--version":
        sys.stdout.write(f"arkworker {__version__}\n")
        return ExitCode.OK
    from arkworker.cli.failures import guarded

    return guarded(lambda: _verb(argv[0], argv[1:]), argv, argv[1] if len(argv) > 1 else "")


def _verb(verb: str, rest: Sequence[str]) -> int:
    if verb not in VERBS:
        from arkworker.text import did_you_mean, printable

        nearest = did_you_mean(verb, VERBS)
        raise UsageError(f"unknown verb {printable(verb, 60)}" + (f"; {nearest}" if nearest else ""))
    if not rest or rest[0].startswith("-"):
        return _without_target(verb, rest)
    from arkworker.runtime.target import load_target

    return _with_worker(verb, load_target(rest[0]), rest[0], rest[1:])


def _without_target(verb: str, rest: Sequence[str]) -> int:
    if rest and rest[0] in ("-h", "--help"):
        from arkworker.cli.flags import verb_parser
        from arkworker.settings.catalogue import WorkerOptions

        sys.stdout.write(verb_parser(verb, WorkerOptions("TARGET"), ()).format_help())
        return ExitCode.OK
    raise UsageError(f"TARGET is missing: arkworker {verb} module:name, or path/to/file.py:name, then the flags")


def _with_worker(verb: str, worker: Worker[Any], target: str, argv: Sequence[str]) -> int:
    if verb == "schema":
        from arkworker.cli.describing import schema

        return schema(worker, target, argv)
    from arkworker.cli.running import perform

    return perform(verb, worker, target, argv)
