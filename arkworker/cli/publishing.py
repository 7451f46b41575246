"""The verb `publish`: send the results that `run --results FILE` recorded."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

from arkworker.cli import terminal
from arkworker.cli.flags import PlainParser
from arkworker.cli.parser import Parser
from arkworker.cli.process import set_up
from arkworker.delivery.order import Order, default_journal, publish
from arkworker.errors import ConfigurationError, ExitCode, Problem
from arkworker.settings.catalogue import WorkerOptions
from arkworker.settings.resolution import Inputs, resolve

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from arkworker.runtime.stopping import Stopping
    from arkworker.settings.resolution import Resolution

FEW_FILES = 256  # open at once, beside those that are published
RUN = "ARKINDEX_WORKER_RUN_ID"
#: Flags that mean what they mean for `run`.
_OF_RUN = ("env_file", "log_format", "no_worker_activity", "publication_batch_size", "strict", "summary", "verbose")


def perform(argv: Sequence[str], stopping: Stopping) -> int:
    """Publish files."""
    flags = make_parser().parse_args(argv)
    set_up(verbose=flags.verbose, log_format=flags.log_format)
    _allow_open(FEW_FILES + 2 * len(flags.file))

    def settle(worker_run_id: str) -> Resolution:
        return _resolve(flags, {RUN: worker_run_id} if worker_run_id else {})

    first = settle(flags.worker_run_id or "")
    order = Order(tuple(flags.file), _journals(flags), _worker_run_of(flags, first), settle)
    summary = publish(order, first, stopping)
    if flags.json:
        terminal.write_json(summary.as_data())
    return ExitCode.OK


def _allow_open(number: int) -> None:
    """Let so many files be open at once, as far as the system admits: each results file is, and so is its journal."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != soft < number:
        wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _journals(flags: argparse.Namespace) -> tuple[str, ...]:
    if flags.journal and len(flags.file) > 1:
        message = f"names one journal, but each of the {len(flags.file)} files has its own"
        hint = "leave it out: it is FILE.journal"
        raise ConfigurationError([Problem("journal", "command line", "--journal", message, hint)])
    return (flags.journal,) if flags.journal else tuple(map(default_journal, flags.file))


def _resolve(flags: argparse.Namespace, replaced: dict[str, str]) -> Resolution:
    worker = WorkerOptions("publish", processes_elements=True)
    given = {f"--{name.replace('_', '-')}": getattr(flags, name) for name in _OF_RUN}
    argv = [f"{flag}={value}" if isinstance(value, str) else flag for flag, value in given.items() if value]
    return resolve(worker, Inputs(Parser("publish", worker, argv).parse(argv), os.environ | replaced))


def _worker_run_of(flags: argparse.Namespace, resolution: Resolution) -> tuple[str, str] | None:
    """The worker run that a person named, and where."""
    if resolution.settings.worker_run_id is None:
        return None
    claim = resolution.ledger.claims["worker_run_id",]
    place = "--worker-run-id" if flags.worker_run_id else claim.origin.location
    return resolution.settings.worker_run_id, place


def make_parser() -> PlainParser:
    parser = PlainParser(
        "publish",
        "Publish what runs with --results FILE recorded, from any machine, as if it were one file. What was published "
        "is noted in a journal next to each file: the same command continues a publication that ended early, whatever "
        "the reason, and nothing is sent twice. "
        "ARKINDEX_API_URL and ARKINDEX_API_TOKEN give the address and the token.",
        is_mixed=True,
    )
    parser.usage = "%(prog)s FILE … [flags]"
    parser.add_argument(
        "file", metavar="FILE", nargs="+", help="A results file; if an element is in several, the last one counts."
    )
    parser.add_setting("worker_run_id", "Worker run that signs results recorded without one.")
    parser.add_argument("--journal", metavar="FILE", help="Journal of one file's publication; FILE.journal by default.")
    parser.add_setting("no_worker_activity")
    parser.add_setting("publication_batch_size")
    parser.add_setting("strict")
    parser.add_setting("summary", "File to write the summary to, as JSON.")
    parser.add_setting("env_file")
    parser.add_setting("verbose")
    parser.add_setting("log_format")
    parser.add_json("the summary, or all problems,")
    return parser
