"""The verb `serve`: an emulated Arkindex for development, until it is stopped."""

from __future__ import annotations

import argparse
import contextlib
import sys
import warnings
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from arkworker.cli import terminal
from arkworker.cli.flags import PlainParser
from arkworker.cli.parser import Within
from arkworker.errors import UsageError
from arkworker.settings.platform import MOST_JOBS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arkworker.runtime.stopping import Stopping

_PORT = Within(0, 65535)
_JOBS = Within(1, MOST_JOBS)
#: What the emulator is made of, besides the package's own dependencies.
_EXTRA = frozenset({"starlette", "uvicorn", "anyio", "h11", "click", "PIL"})


_FAULT = (
    "Make requests fail, as OPERATION:EFFECT[,NAME=VALUE…]; may be given several times. OPERATION is its id or a "
    "pattern: '*' matches all, files and images too. EFFECT is delay (seconds=), answer (status=, retry_after=), "
    "close, reset, cut (in the middle of the answer), slow (seconds=, the body), malformed or expired_token. "
    "acted=true makes them fail after the operation has been carried out. times=, skip=, rate= (from 0 to 1) and seed= "
    "select the requests. For example: --fault '*:delay,seconds=0.2' --fault 'Create*:answer,status=503,rate=0.3'. A "
    "project's file has the same under `faults`."
)


def perform(argv: Sequence[str], stopping: Stopping) -> int:
    """Serve until a signal comes; the exit code is that of the command that was given."""
    flags, command = _parse(list(argv))
    tell = terminal.write_error if flags.json else terminal.write
    # The emulator is interruptible until it is up, and then has its own way of stopping.
    with stopping.interruptible(), warnings.catch_warnings():
        # Pillow's readers warn of damaged notes in images, which are not what is looked at here.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        try:
            from arkworker.emulator import serve
        except ModuleNotFoundError as error:
            if error.name and error.name.partition(".")[0] in _EXTRA:
                raise UsageError("serve needs more packages: pip install 'arkworker[testing]'") from None
            raise
        return serve(
            flags.project,
            from_export=flags.from_export,
            host=flags.host,
            port=flags.port,
            storage_port=flags.storage_port,
            database=flags.database,
            directory=flags.directory,
            command=command,
            jobs=flags.jobs,
            once=flags.once,
            browse=webbrowser.open if flags.open else None,
            faults=flags.fault,
            announce=lambda line: tell(f"{line}\n"),
            echo=_echo,
        )


def _echo(piece: bytes) -> None:
    """What a worker writes, on standard error as if it ran here; if it cannot be written, the page has it."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.buffer.write(piece)
        sys.stderr.flush()


def _parse(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    own, command = argv, []
    if "--" in argv:
        end = argv.index("--")
        own, command = argv[:end], argv[end + 1 :]
        if not command:
            raise UsageError("after -- comes the command of a worker: -- python -m arkworker run worker.py:PageLines")
    flags = make_parser().parse_args(own)
    if flags.project is None and flags.from_export is None:
        raise UsageError("serve needs a PROJECT, a YAML file or a folder of images, or --from-export FILE")
    return flags, command


def _jobs(text: str) -> str:
    if text == "auto":
        return text
    try:
        return str(_JOBS(text))
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or auto") from None


def make_parser() -> PlainParser:
    parser = PlainParser(
        "serve",
        "Serve an emulated Arkindex: its API, its files and images, and a page that shows the corpus. A COMMAND is run "
        "as the platform would run a worker, once for each chunk.",
        surplus="the command of a worker goes after --",
    )
    parser.usage = "%(prog)s [PROJECT] [flags] [-- COMMAND …]"
    parser.add_argument("project", metavar="PROJECT", type=Path, nargs="?", help="A YAML file, or a folder of images.")
    parser.add_argument(
        "--from-export", metavar="FILE", type=Path, help="SQLite export of an Arkindex, which a PROJECT adds to."
    )
    parser.add_argument("--host", metavar="ADDRESS", default="127.0.0.1", help="Address to listen on.")
    parser.add_argument(
        "--port",
        metavar="N",
        type=_PORT,
        default=8000,
        help="Port of the API and the page; 0 for a free one.",
    )
    parser.add_argument(
        "--storage-port", metavar="N", type=_PORT, default=0, help="Port of files and images; 0 for a free one."
    )
    parser.add_argument(
        "--database",
        metavar="FILE",
        type=Path,
        help="SQLite file to keep everything in, with stored files in FILE.files; by default, all is in memory.",
    )
    parser.add_argument("--directory", metavar="DIR", type=Path, help="Folder to keep stored files in instead.")
    told = "How many processes the COMMAND uses: it is given --jobs N."
    parser.add_argument("--jobs", metavar="N", type=_jobs, help=told)
    parser.add_argument("--open", action="store_true", help="Open the page in a browser.")
    parser.add_argument("--once", action="store_true", help="Stop when the COMMAND has ended, with its exit code.")
    parser.add_argument("--fault", metavar="FAULT", action="append", default=[], help=_FAULT)
    parser.add_json()
    return parser
