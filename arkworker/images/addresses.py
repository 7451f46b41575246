"""Addresses on their way into a message."""

from __future__ import annotations

import re

from arkworker.text import printable

_ADDRESS = re.compile(r"^(?P<scheme>[A-Za-z][\w+.-]*://)(?:[^/?#]*@)?(?P<rest>[^?#]*)(?P<query>[?#].*)?$", re.DOTALL)


def presentable(address: str) -> str:
    """The text, escaped and shortened; of an address without user, password, query and fragment."""
    match = _ADDRESS.match(address)
    if match is None:
        return printable(address)
    return printable(match["scheme"] + match["rest"]) + ("?…" if match["query"] else "")
