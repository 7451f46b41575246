"""The verbs that need a context: `run`, `check`, `explain`."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from arkworker.cli.flags import verb_parser
from arkworker.errors import ExitCode
from arkworker.runtime import lifecycle, logs
from arkworker.runtime.preparation import Preparation
from arkworker.runtime.worker import options_of
from arkworker.settings.platform import OFF
from arkworker.settings.report import as_data
from arkworker.settings.resolution import Inputs

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from arkworker.runtime.worker import Worker


def perform(verb: str, worker: Worker[Any], target: str, argv: Sequence[str]) -> int:
    """Parse the flags of a verb, and do it."""
    options = options_of(worker, target)
    flags = verb_parser(verb, options, argv).parse(argv)  # type: ignore[attr-defined]
    _configure_logs(flags)
    preparation = Preparation(
        options,
        Inputs(flags, os.environ),
        uses_cache=worker.uses_cache,
        offline=getattr(flags, "offline", False),
        dry=verb == "explain",
    )
    if verb == "run":
        _forbid_core_dumps()
        return lifecycle.run(worker, preparation)
    return _check(preparation, flags) if verb == "check" else _explain(preparation, flags)


def _configure_logs(flags: argparse.Namespace) -> None:
    # Before the settings are resolved, since resolving may have something to say.
    verbose = flags.verbose is not None or os.environ.get("ARKINDEX_DEBUG", "").strip().lower() not in OFF
    is_json = flags.log_format is not None and flags.log_format.texts[-1] == "json"
    logs.configure(verbose=verbose, style="json" if is_json else "text")


def _forbid_core_dumps() -> None:
    import resource

    # A core file would hold every secret of the process.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _check(preparation: Preparation, flags: argparse.Namespace) -> int:
    context = preparation.prepare()
    lifecycle.announce(context, preparation)
    if not preparation.offline:
        with lifecycle.open_cache_of(context, preparation):
            pass
    if flags.json:
        sys.stdout.write(json.dumps(as_data((), preparation.worker.target)) + "\n")
    else:
        sys.stdout.write(f"{preparation.worker.target}: ready to run\n")
    return ExitCode.OK


def _explain(preparation: Preparation, flags: argparse.Namespace) -> int:
    from arkworker.cli.tables import explanation_table
    from arkworker.runtime.explanation import explain

    explanation = explain(preparation.prepare(), preparation.worker)
    if flags.json:
        sys.stdout.write(json.dumps(explanation, ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.write(explanation_table(explanation, show_shadowed=flags.all))
    return ExitCode.OK
