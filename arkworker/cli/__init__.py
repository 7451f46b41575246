"""The command line: `python -m arkworker VERB …`. Each verb imports what it needs when it is called."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, NoReturn

from arkworker.lazy import uncollected
from arkworker.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from arkworker.runtime.stopping import Stopping
    from arkworker.runtime.worker import Worker

#: Verbs that are about one worker: TARGET directly follows them.
OF_A_WORKER = {
    "run": "run the worker",
    "check": "do everything that comes before the worker's code, and stop there",
    "explain": "show every value of the context, and where it comes from",
    "schema": "write the JSON Schema, the declaration or the documentation of its configuration",
}
#: The others, each with the module that does it, by `perform(argv, stopping)`; its flags are in `make_parser()`.
OTHERS = {
    "init": ("make a new worker project", "arkworker.cli.initialising"),
    "import": ("write a typed worker from a declaration file", "arkworker.cli.importing"),
    "validate": ("check declaration files against the rules of Arkindex", "arkworker.cli.validating"),
    "publish": ("send the results that a run with --results recorded", "arkworker.cli.publishing"),
    "secrets": ("store and list local, encrypted secrets", "arkworker.cli.secrets"),
    "serve": ("serve an emulated Arkindex, for development and tests", "arkworker.cli.serving"),
    "completion": ("complete verbs and flags in a shell: bash, zsh or fish", "arkworker.cli.completing"),
}

#: Flags without a verb.
_ALONE = ("--help", "--version")

LEAST_DESCRIPTORS = 64

HELP = """\
usage: arkworker VERB TARGET [flags]

Run typed workers for Arkindex. TARGET is the worker: module:name, or path/to/file.py:name.

VERBS ABOUT A WORKER

{of_a_worker}

OTHER VERBS

{others}

FLAGS

  -h, --help  show this help, or that of a verb: arkworker run TARGET --help
  --version   show the version

EXAMPLES

  arkworker run worker.py:PageLines -c worker.yml --config.threshold 0.7
  arkworker explain worker.py:PageLines --all
  arkworker schema worker.py:PageLines --format markdown

EXIT CODES

  0 done   1 failed   2 usage   69 Arkindex unavailable   75 uncertain   78 configuration   128+n stopped by signal n
"""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """The console command `arkworker`."""
    try:
        code = _descriptors_mistake() or invoke(sys.argv[1:] if argv is None else argv, is_own=argv is None)
    except KeyboardInterrupt:  # while our own modules were imported: what watches for signals is one of them
        code = 128 + 2
    _leave(code)


def command(worker: type[Worker[Any]] | Worker[Any] | Callable[..., Any], argv: Sequence[str] | None = None) -> None:
    """The console command of one worker: the verb `run`, without a target.

    Ends the process. In a process that `--jobs` has started and that imports the script calling this, it does nothing.

    Args:
        worker: A worker class, a worker, or a function `(context, cache)`.
        argv: The flags; those of this process by default.
    """
    if worker.__module__ == "__mp_main__":
        return
    if mistake := _descriptors_mistake():
        _leave(mistake)
    from arkworker.cli.failures import guarded
    from arkworker.runtime.target import as_worker

    flags = sys.argv[1:] if argv is None else argv
    target = f"{worker.__module__}:{getattr(worker, '__qualname__', type(worker).__qualname__)}"

    def run(stopping: Stopping) -> int:
        return _run_made(lambda: as_worker(worker, target), target, flags, stopping)

    _leave(guarded(run, flags, target, is_own=argv is None))


def _descriptors_mistake() -> int:
    """The exit code where this process may open too few files, even for its own modules; said at once. 0 elsewhere."""
    try:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft in range(LEAST_DESCRIPTORS) and hard not in range(LEAST_DESCRIPTORS):
            resource.setrlimit(resource.RLIMIT_NOFILE, (LEAST_DESCRIPTORS, hard))
            soft = LEAST_DESCRIPTORS
    except (ImportError, OSError):
        soft = 0
    if soft not in range(LEAST_DESCRIPTORS):
        return 0
    told = f"this process may not open enough files at once: at least {LEAST_DESCRIPTORS} (ulimit -n) are needed"
    with suppress(OSError):
        os.write(2, f"arkworker: {told}\n".encode())
    return 78


def _leave(code: int) -> NoReturn:
    if code > 128 or "arkworker.cli.process" in sys.modules:
        from arkworker.cli.process import leave, wait_for_user_code

        if code > 128:
            leave(code)
        wait_for_user_code(code)
    sys.exit(code)


def _run_made(make: Callable[[], Worker[Any]], target: str, argv: Sequence[str], stopping: Stopping) -> int:
    from pathlib import Path

    with uncollected():
        from arkworker.cli.flags import Command
        from arkworker.cli.running import perform
    from arkworker.cli.instance import instance_stopped_after

    with instance_stopped_after(argv, os.environ):
        return perform(Command("run", target, argv, Path(sys.argv[0]).name), make(), stopping)


def invoke(argv: Sequence[str], *, is_own: bool = False) -> int:
    """Run one command line; answers the exit code.

    Args:
        argv: Its words.
        is_own: Whether this process ends with it. Elsewhere, logging and limits are as before when this returns.
    """
    if not argv or argv[0] in ("-h", "--help"):
        return _show(HELP.format(of_a_worker=_listed(OF_A_WORKER), others=_listed(OTHERS)))
    if argv[0] == "--version":
        return _show(f"arkworker {__version__}\n")
    with uncollected():
        from arkworker.cli.failures import guarded

    target = argv[1] if len(argv) > 1 and argv[0] not in OTHERS else ""
    return guarded(lambda stopping: _verb(argv[0], argv[1:], stopping), argv, target, is_own=is_own)


def _show(text: str) -> int:
    from arkworker.cli import terminal

    terminal.prepare()
    try:
        terminal.write(text)
    except BrokenPipeError:
        return terminal.finish(1)
    except terminal.OutputError as error:
        terminal.write_error(f"arkworker: {error}\n")
        return 1
    return 0


def _listed(verbs: dict[str, Any]) -> str:
    summaries = {verb: summary if isinstance(summary, str) else summary[0] for verb, summary in verbs.items()}
    return "\n".join(f"  {verb:<10}  {summary}" for verb, summary in summaries.items())


def _verb(verb: str, rest: Sequence[str], stopping: Stopping) -> int:
    if verb in OTHERS:
        from importlib import import_module

        return int(import_module(OTHERS[verb][1]).perform(rest, stopping))
    if verb not in OF_A_WORKER:
        from arkworker.errors import UsageError
        from arkworker.text import did_you_mean, printable

        verbs = [*OF_A_WORKER, *OTHERS]
        if verb.startswith("-") and not did_you_mean(verb, _ALONE):
            raise UsageError(f"the verb goes before {printable(verb, 60)}: arkworker VERB TARGET, then the flags")
        remedy = did_you_mean(verb, [*verbs, *_ALONE]) or f"there are {', '.join(verbs)}"
        kind = "flag" if verb.startswith("-") else "verb"
        raise UsageError(f"unknown {kind} {printable(verb, 60)}; {remedy}")
    if verb != "run":
        return _about_worker(verb, rest, stopping)
    from arkworker.cli.instance import instance_stopped_after

    with instance_stopped_after(rest, os.environ):
        return _about_worker(verb, rest, stopping)


def _about_worker(verb: str, rest: Sequence[str], stopping: Stopping) -> int:
    if not rest or rest[0].startswith("-"):
        return _without_target(verb, rest)
    return _with_target(verb, rest[0], rest[1:], stopping)


def _without_target(verb: str, rest: Sequence[str]) -> int:
    if rest and rest[0] in ("-h", "--help"):
        from arkworker.cli.flags import Command, run_parser, schema_parser
        from arkworker.cli.help import TARGET
        from arkworker.settings.catalogue import WorkerOptions

        command = Command(verb, TARGET, ())
        options = WorkerOptions(TARGET, processes_elements=True)
        parser = schema_parser(TARGET) if verb == "schema" else run_parser(command, options)
        return _show(parser.format_help())
    from arkworker.errors import UsageError

    raise UsageError(f"TARGET is missing: arkworker {verb} module:name, or path/to/file.py:name, then the flags")


def _with_target(verb: str, target: str, argv: Sequence[str], stopping: Stopping) -> int:
    with uncollected():
        from arkworker.cli import terminal
        from arkworker.cli.failures import log_json, logs_json
        from arkworker.cli.flags import Command
        from arkworker.cli.running import perform
        from arkworker.runtime.named_files import current_folder
        from arkworker.runtime.target import load_target
    if verb != "schema" and logs_json(argv):
        log_json(argv)
    folder = current_folder()
    is_alone = verb != "run" or "--json" in argv
    with terminal.aside() if is_alone else nullcontext(), stopping.interruptible():
        worker = load_target(target)
    terminal.prepare()  # the author's code may have closed or replaced the streams
    if verb != "run" and current_folder() != folder:
        os.chdir(folder)  # the author's code moved; relative names on the command line did not
    if verb == "schema":
        from arkworker.cli.describing import schema

        return schema(worker, target, argv)
    return perform(Command(verb, target, argv, folder=folder), worker, stopping)
