"""The members of a tar, one after the other, out of a stream of bytes.

The tarfile module of the standard library takes a damaged header after the first member, a missing end mark and a cut
inside a header for the end of the archive, so that members vanish in silence; here each of them is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .extensions import Extensions, check_global
from .headers import BLOCK, EXTENSIONS, PAX_GLOBAL, parse
from .refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .headers import Member
    from .limits import Budget

ZEROS = bytes(BLOCK)
MAX_PADDING = 64 * 2**20  # after the end mark: tar fills up its last record, usually of ten kilobytes


class Stream:
    """The bytes of a tar; whoever takes some must get them all."""

    def __init__(self, contents: Iterator[memoryview]) -> None:
        self._contents = contents
        self._content = memoryview(b"")
        self._position = 0
        self._before = 0

    @property
    def offset(self) -> int:
        """How many bytes were taken."""
        return self._before + self._position

    def pieces(self, count: int) -> Iterator[memoryview]:
        """The next `count` bytes as they come, not copied: each piece is to be used before the next one."""
        while count:
            piece = self._content[self._position : self._position + count]
            if not piece:
                self._advance()
                continue
            self._position += len(piece)
            count -= len(piece)
            yield piece

    def take(self, count: int) -> bytes:
        """The next `count` bytes in one."""
        content = self.at_once(count)
        return b"".join(bytes(piece) for piece in self.pieces(count)) if content is None else bytes(content)

    def at_once(self, count: int) -> memoryview | None:
        """The next `count` bytes, not copied, when they have all come already; else None, and nothing is taken."""
        end = self._position + count
        if end > len(self._content):
            return None
        self._position = end
        return self._content[end - count : end]

    def rest(self) -> Iterator[memoryview]:
        """All that is left, as it comes."""
        yield self._content[self._position :]
        yield from self._contents

    def _advance(self) -> None:
        content = next(self._contents, None)
        if content is None:
            raise Refusal("is cut short: its tar ends too early")
        self._before += len(self._content)
        self._content, self._position = content, 0


def read_members(stream: Stream, budget: Budget) -> Iterator[Member]:
    """Each member, in order. Before asking for the next one, take its whole payload off the stream.

    Raises:
        Refusal: The tar is damaged, cut short, goes on after its end mark, or has something that is never extracted.
    """
    extensions = Extensions()
    while (block := stream.take(BLOCK)) != ZEROS:
        header = parse(block, stream.offset - BLOCK)
        if header.kind in EXTENSIONS:
            _extend(extensions, header, stream, budget)
            continue
        budget.spend_member()
        member = extensions.apply(header)
        if extensions:
            extensions = Extensions()
        size = member.size
        yield member
        if size % BLOCK:
            stream.take(-size % BLOCK)
    if extensions:
        raise Refusal("is cut short: its tar ends after an extended header")
    _finish(stream)


def _extend(extensions: Extensions, header: Member, stream: Stream, budget: Budget) -> None:
    budget.spend_extension(header.size)
    payload = stream.take(header.size)
    stream.take(-header.size % BLOCK)
    if header.kind != PAX_GLOBAL:
        extensions.add(header.kind, payload)
        return
    if extensions:
        raise Refusal("has a global header between an extended header and its member")
    budget.spend_member()
    check_global(payload)


def _finish(stream: Stream) -> None:
    if stream.take(BLOCK) != ZEROS:
        raise Refusal("is damaged: its tar has half an end mark")
    padding = 0
    for piece in stream.rest():
        padding += len(piece)
        if padding > MAX_PADDING or bytes(piece).strip(b"\0"):
            raise Refusal("has other data after the end of its tar")
