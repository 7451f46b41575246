"""The verbs that need a context: `run`, `check`, `explain`."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkworker.cli import terminal
from arkworker.cli.flags import run_parser
from arkworker.clock import SystemClock
from arkworker.documents.text_file import read_text_file
from arkworker.errors import ExitCode
from arkworker.runtime import lifecycle, logs
from arkworker.runtime.cache_sessions import opened_cache
from arkworker.runtime.named_files import current_folder
from arkworker.runtime.preparation import Preparation
from arkworker.runtime.worker import options_of
from arkworker.settings.platform import OFF
from arkworker.settings.resolution import Inputs

if TYPE_CHECKING:
    import argparse

    from arkworker.cli.flags import Command
    from arkworker.runtime.stopping import Stopping
    from arkworker.runtime.worker import Worker


def perform(command: Command, worker: Worker[Any], stopping: Stopping) -> int:
    """Parse the flags of a verb, and do it."""
    options = options_of(worker, command.target)
    flags = run_parser(command, options, worker.__doc__ or "").parse(command.argv)
    _configure_logs(flags)
    _forbid_core_dumps()
    here = current_folder()
    folder = command.folder or here
    preparation = Preparation(
        options,
        Inputs(flags, os.environ, lambda name: read_text_file(name if folder == here else str(Path(folder, name)))),
        uses_cache=worker.uses_cache,
        offline=getattr(flags, "offline", False),
        dry=command.verb == "explain",
        clock=SystemClock(),
        folder=folder,
        interruptible=stopping.interruptible,
    )
    if command.verb == "run":
        lifecycle.run(worker, preparation, stopping)
        return ExitCode.OK
    return _check(preparation, stopping, flags) if command.verb == "check" else _explain(preparation, stopping, flags)


def _configure_logs(flags: argparse.Namespace) -> None:
    # Before the settings are resolved, since resolving may have something to say.
    verbose = flags.verbose is not None or os.environ.get("ARKINDEX_DEBUG", "").strip().lower() not in OFF
    is_json = flags.log_format is not None and flags.log_format.texts[-1] == "json"
    logs.configure(
        verbose=verbose,
        style="json" if is_json else "text",
        is_colourful=terminal.is_colourful(sys.stderr),
        is_terminal=sys.stderr.isatty(),
    )


def _forbid_core_dumps() -> None:
    # A core file would hold every secret of the process.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _check(preparation: Preparation, stopping: Stopping, flags: argparse.Namespace) -> int:
    context = lifecycle.prepare(preparation, stopping, is_trial=True)
    if not preparation.offline:
        with opened_cache(context, preparation.parent_caches, stopping, is_trial=True):
            pass
    if flags.json:
        from arkworker.cli.problems import as_data

        terminal.write_json(as_data((), preparation.worker.target))
    else:
        unknown = preparation.offline and not context.is_read_only
        limits = ", as far as can be told without the worker run" if unknown else ""
        terminal.write(f"{preparation.worker.target}: ready to run{limits}\n")
    return ExitCode.OK


def _explain(preparation: Preparation, stopping: Stopping, flags: argparse.Namespace) -> int:
    from arkworker.cli.tables import Chosen, explanation_table
    from arkworker.runtime.explanation import explain

    with stopping.calling(preparation.end):
        context = preparation.prepare()
    explanation = explain(context, preparation.worker, offline=preparation.offline)
    if flags.json:
        terminal.write_json(explanation)
    else:
        only = Chosen(flags.pattern, is_changed=flags.changed)
        only.check(explanation)
        terminal.write(explanation_table(explanation, only, show_shadowed=flags.all))
    return ExitCode.OK
