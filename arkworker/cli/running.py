"""The verbs that need a context: `run`, `check`, `explain`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkworker.cli import terminal
from arkworker.cli.flags import run_parser
from arkworker.cli.process import set_up
from arkworker.clock import SystemClock
from arkworker.documents.text_file import read_text_file
from arkworker.errors import ExitCode
from arkworker.runtime import lifecycle
from arkworker.runtime.cache_sessions import opened_cache
from arkworker.runtime.named_files import current_folder
from arkworker.runtime.preparation import Preparation
from arkworker.runtime.worker import options_of
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
    set_up(verbose=flags.verbose is not None, log_format=flags.log_format and flags.log_format.texts[-1])
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


def _check(preparation: Preparation, stopping: Stopping, flags: argparse.Namespace) -> int:
    with terminal.aside():
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

    with terminal.aside():
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
