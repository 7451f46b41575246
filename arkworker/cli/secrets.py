"""The verb `secrets`: sets and lists local, encrypted secrets. A content is never an argument, which others see."""

from __future__ import annotations

import getpass
import os
import sys
from typing import TYPE_CHECKING

from arkworker.cli import terminal
from arkworker.cli.flags import PlainParser
from arkworker.errors import ExitCode, UsageError
from arkworker.storage.directories import secrets_directory
from arkworker.storage.local_secrets import SecretStore, check_secret_name
from arkworker.text import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from arkworker.runtime.stopping import Stopping

_LONGEST = 1024 * 1024  # bytes; the store refuses more


def perform(argv: Sequence[str], stopping: Stopping) -> int:
    """`secrets set NAME`, or `secrets list`."""
    flags = make_parser().parse_args(argv)
    store = SecretStore(secrets_directory(os.environ.get("XDG_CONFIG_HOME"), os.environ), environ=os.environ)
    if flags.action == "list":
        return _list(store, flags)
    check_secret_name(flags.name)
    with stopping.interruptible():
        content = _read_content(flags.name)
    path = store.set(flags.name, content, key=flags.gpg_key)
    if flags.json:
        terminal.write_json({"name": flags.name, "path": str(path)})
    else:
        terminal.write(f"{printable(flags.name)}: stored, encrypted, in {printable(str(path), 500)}\n")
    return ExitCode.OK


def make_parser() -> argparse.ArgumentParser:
    parser = PlainParser(
        "secrets",
        "The local secrets: files in ~/.config/arkindex/secrets that GPG encrypts for you.",
        surplus="the content of a secret is read from standard input",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="set|list", parser_class=_Action)
    setting = actions.add_parser("set", help="Store a secret.")
    setting.description = (
        "Store a secret. Its content is asked for on a terminal; otherwise it is standard input, without a last line "
        "break: arkworker secrets set NAME < file"
    )
    setting.add_argument("name", metavar="NAME", help="Name of the secret; .json, .yaml and .yml make it data.")
    setting.add_argument("--gpg-key", metavar="ID", help="The key to encrypt for; it is remembered.")
    listing = actions.add_parser("list", help="List the names of all secrets.")
    listing.description = "List the names of all local secrets."
    for action in (setting, listing):
        action.add_json("the answer, or all problems,")
    return parser


class _Action(PlainParser):
    def __init__(self, prog: str) -> None:
        super().__init__(prog.removeprefix("arkworker "), "")


def _list(store: SecretStore, flags: argparse.Namespace) -> int:
    names = store.list()
    if flags.json:
        terminal.write_json({"secrets": names})
    else:
        terminal.write("".join(f"{printable(name)}\n" for name in names))
    return ExitCode.OK


def _read_content(name: str) -> bytes:
    if sys.stdin is None:
        raise UsageError("standard input is closed: the content of the secret is read from there")
    if sys.stdin.isatty():
        content = getpass.getpass(f"Content of {printable(name)}: ").encode()
    else:
        content = sys.stdin.buffer.read(_LONGEST + 3)
        content = content.removesuffix(b"\n").removesuffix(b"\r")
    if not content:
        raise UsageError("no content: give it on standard input, or type it when asked")
    return content
