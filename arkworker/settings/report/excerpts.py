"""Which lines of a file a report may show: those that hold nothing but known options that are no secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from arkworker.documents.nodes import Mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from arkworker.documents.nodes import Node


LONGEST_EXCERPT = 160  # characters of a line; what follows adds nothing on a screen
_COMMENT = re.compile(r"(?:^|\s)#")


def shown_part(line: str, column: int) -> str:
    """What may be shown of a line that is not hidden: up to a comment, which may say anything; nothing after it."""
    shown = line[:LONGEST_EXCERPT]
    comment = _COMMENT.search(shown)
    shown = shown[: comment.start() if comment else None]
    return shown if column <= len(shown) else ""


def hidden_lines(node: Node, is_shown: Callable[[str], bool], name: str = "") -> Iterator[int]:
    """The numbers of the lines that stay hidden, from 1.

    Args:
        node: The document, or a part of it.
        is_shown: Whether the value of a dotted name may be seen; what lies in it may, then, too.
        name: The dotted name of the part.
    """
    for entry in node.entries if isinstance(node, Mapping) else ():
        inner = f"{name}.{entry.key.text}" if name else entry.key.text
        if is_shown(inner):
            yield from hidden_lines(entry.value, is_shown, inner)
        else:
            yield from range(entry.key.line, max(entry.key.line, entry.value.end) + 1)
