"""The verb `completion`: a script that completes command lines in bash, zsh or fish."""

from __future__ import annotations

import argparse
import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from arkworker.cli import OF_A_WORKER, OTHERS, terminal
from arkworker.cli.descriptions import descriptions
from arkworker.cli.flags import Command, PlainParser, run_parser, schema_parser
from arkworker.errors import ExitCode, UsageError
from arkworker.options.options import alternatives, choices_of
from arkworker.runtime.target import load_target
from arkworker.runtime.worker import options_of
from arkworker.settings.catalogue import WorkerOptions
from arkworker.settings.sources.source import PLATFORM_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from arkworker.runtime.stopping import Stopping

SHELLS = ("bash", "zsh", "fish")
#: How the help calls what is a file or a folder.
_FILES = {"FILE", "PATH", "PROJECT"}
_FOLDERS = {"DIR", "DIRECTORY"}
#: What is one word in every shell.
_PLAIN = re.compile(r"[\w@%+=:,./-]+")


def perform(argv: Sequence[str], stopping: Stopping) -> int:
    """Write the script of a shell."""
    flags = make_parser().parse_args(list(argv))
    try:
        import shtab
    except ModuleNotFoundError:
        raise UsageError("completion needs shtab: pip install 'arkworker[completion]'") from None
    options = WorkerOptions("TARGET", processes_elements=True)
    if flags.target is not None:
        with terminal.aside(), stopping.interruptible():
            options = options_of(load_target(flags.target), flags.target)
    root = _root(options)
    for parser in (root, *_below(root)):
        for action in parser._actions:  # noqa: SLF001 - argparse gives them nowhere else
            _describe(action, options)
    terminal.write(shtab.complete(root, flags.shell))
    return ExitCode.OK


def make_parser() -> PlainParser:
    parser = PlainParser(
        "completion",
        "Write a script that completes verbs and flags; with TARGET, the options of that worker, too. "
        'In bash: eval "$(arkworker completion bash worker.py:PageLines)"',
    )
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help="The shell to write it for.")
    parser.add_argument("target", metavar="TARGET", nargs="?", help="The worker: module:name, or path/to/file.py:name.")
    parser.add_json()
    return parser


def _root(options: WorkerOptions) -> argparse.ArgumentParser:
    """All verbs, each with the parser that it has when it is called."""
    root = argparse.ArgumentParser(prog="arkworker")
    root.add_argument("--version", action="version", version="")
    for verb, text in OF_A_WORKER.items():
        _add_verb(root, verb, text, _with_target(_parser_of(verb, options)))
    for verb, (text, module) in OTHERS.items():
        _add_verb(root, verb, text, import_module(module).make_parser())
    return root


def _parser_of(verb: str, options: WorkerOptions) -> argparse.ArgumentParser:
    return schema_parser(options.target) if verb == "schema" else run_parser(Command(verb, options.target, ()), options)


def _with_target(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The parser of a verb, with the TARGET that was taken off before it was asked."""
    parser.add_argument("target", metavar="FILE")
    parser._actions.insert(0, parser._actions.pop())  # noqa: SLF001 - it comes first
    return parser


def _add_verb(root: argparse.ArgumentParser, verb: str, text: str, parser: argparse.ArgumentParser) -> None:
    verbs: Any = next((action for action in _subparsers(root)), None) or root.add_subparsers()
    made: Callable[..., argparse.ArgumentParser] = lambda **_: parser  # noqa: E731 - in place of a class
    verbs._parser_class = made  # noqa: SLF001 - it is not made here
    verbs.add_parser(verb, help=text)


def _subparsers(parser: argparse.ArgumentParser) -> list[Any]:
    return [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001


def _below(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    found: list[argparse.ArgumentParser] = []
    for verbs in _subparsers(parser):
        for verb in verbs.choices.values():
            found += [verb, *_below(verb)]
    return found


def _describe(action: Any, options: WorkerOptions) -> None:
    """Say what an argument is for, and what it may be: a file, a folder, or one of a few words."""
    import shtab

    action.help = action.help or descriptions().get(tuple(action.dest.split(".")), "")
    if action.metavar in _FILES:
        action.complete = shtab.FILE
    elif action.metavar in _FOLDERS:
        action.complete = shtab.DIRECTORY
    elif action.choices is None and action.option_strings:
        action.choices = _choices_of(action.dest, options) or None


def _choices_of(name: str, options: WorkerOptions) -> list[str]:
    root, *rest = name.split(".")
    option = options.flags.get((root, *rest)) or options.flags.get((root, ".".join(rest)))
    field = PLATFORM_FIELDS.get((root, *rest))
    annotation = option.annotation if option is not None else field.annotation if field is not None else None
    # In the scripts that shtab writes, a blank would part a choice, and a `$(…)` in it would be run.
    return [choice for choice in map(str, choices_of(alternatives(annotation))) if _PLAIN.fullmatch(choice)]
