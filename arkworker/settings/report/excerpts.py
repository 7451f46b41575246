"""Which lines of a file a report may show: those that hold nothing but known options that are no secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from arkworker.documents.nodes import Entry, Mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from arkworker.documents.nodes import Node


LONGEST_EXCERPT = 160  # characters of a line; what follows adds nothing on a screen
_COMMENT = re.compile(r"(?:^|\s)#")


def shown_part(line: str, column: int) -> str:
    """What may be shown of a line that is not hidden: up to a comment, which may say anything; nothing after it."""
    comment = _COMMENT.search(line)
    shown = line[: comment.start() if comment else None][:LONGEST_EXCERPT]
    return shown if column <= len(shown) else ""


def hidden_lines(root: Mapping, lines: list[str], is_shown: Callable[[str], bool]) -> frozenset[int]:
    """The numbers of the lines that stay hidden, from 1.

    Args:
        root: The document.
        lines: Its text.
        is_shown: Whether the value of a dotted name may be seen; what lies in it may, then, too.
    """
    hidden: set[int] = set()
    following: Entry | None = None
    for entry, shown in reversed(list(_entries(root, "", is_shown))):
        if shown:
            following = entry
        elif entry.key.line not in hidden:
            hidden.update(range(entry.key.line, _end(following, lines) + 1))
    return frozenset(hidden)


def _entries(node: Node, name: str, is_shown: Callable[[str], bool]) -> Iterator[tuple[Entry, bool]]:
    """All entries in the order of the document, and whether each may be seen."""
    for entry in node.entries if isinstance(node, Mapping) else ():
        inner = f"{name}.{entry.key.text}" if name else entry.key.text
        shown = is_shown(inner)
        yield entry, shown
        if shown:
            yield from _entries(entry.value, inner, is_shown)


def _end(following: Entry | None, lines: list[str]) -> int:
    """The last line of what stands before an entry, which may begin on that line."""
    if following is None:
        return len(lines)
    before = lines[following.key.line - 1][: following.key.column - 1]
    return following.key.line if before.strip() else following.key.line - 1
