"""Which children are created together with their first transcription, so that requests are few.

`CreateElementTranscriptions` does the work of `CreateElements` and `CreateTranscriptions` for children of one type. A
full batch of it always saves a request. What is left of each type may be cheaper in the other two, which take several
types, and transcriptions of any element.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arkworker.arkindex.publishing.nodes import Node
    from arkworker.geometry import Polygon


_NOWHERE: tuple[str, Polygon] = "", ()


@dataclass(frozen=True, slots=True)
class _Rest:
    """Children of one type below one parent that fill no batch."""

    parent: int
    siblings: int  # how many other rests the parent has
    children: tuple[Node, ...]


def choose(nodes: Sequence[Node], size: int) -> set[Node]:
    """The children to create together with their first transcription; batches hold `size` of them."""
    chosen: set[Node] = set()
    rests: list[_Rest] = []
    plain: list[int] = []  # by parent: outlined children that are created by themselves in any case
    loose = sum(len(node.transcriptions) for node in nodes)
    for number, parent in enumerate(nodes):
        groups = _candidates(parent)
        loose -= sum(map(len, groups))
        outlined = sum(_place(child) != _NOWHERE for child in parent.children)
        plain.append(outlined - sum(map(len, groups)))
        for group in groups:
            full = len(group) // size * size
            chosen.update(group[:full])
            if full < len(group):
                rests.append(_Rest(number, len(groups), tuple(group[full:])))
    rests.sort(key=lambda rest: (-rest.siblings, rest.parent, len(rest.children)))
    for rest in rests[_cheapest(rests, plain, loose, size) :]:
        chosen.update(rest.children)
    return chosen


def _candidates(parent: Node) -> list[list[Node]]:
    """The children that can be so created, by type: Arkindex names them, and takes equal outlines for one element."""
    outlines = Counter(map(_place, parent.children))
    groups: dict[str, list[Node]] = defaultdict(list)
    for node in parent.children:
        child = node.child
        is_plain = child is not None and child.name is None and child.polygon is not None and child.image is None
        if child is not None and is_plain and node.transcriptions and outlines[_place(node)] == 1:
            groups[child.type].append(node)
    return list(groups.values())


def _place(node: Node) -> tuple[str, Polygon]:
    """Type and outline on the image of its parent, whether that is closed or not."""
    if node.child is None or node.child.polygon is None or node.child.image is not None:
        return _NOWHERE
    outline = tuple(node.child.polygon)
    return node.child.type, outline[:-1] if outline[0] == outline[-1] else outline


def _cheapest(rests: Sequence[_Rest], plain: Sequence[int], loose: int, size: int) -> int:
    """How many of the rests, from the first one, are better not created together with their transcriptions."""
    apart = list(plain)
    cost = least = 0
    best = 0
    for number, rest in enumerate(rests, start=1):
        count = len(rest.children)
        grown = apart[rest.parent] + count
        cost += _batches(grown, size) - _batches(apart[rest.parent], size) - 1
        cost += _batches(loose + count, size) - _batches(loose, size)
        apart[rest.parent], loose = grown, loose + count
        if cost < least:
            least, best = cost, number
    return best


def _batches(count: int, size: int) -> int:
    return -(-count // size)
