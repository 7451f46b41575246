"""Content codings of HTTP: a body, decompressed piece by piece, and refused where it ends too early.

urllib3 decodes them, too, but takes a compressed body that was cut for a whole one.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from arkworker.transport.failures import Fault, TransportError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

ACCEPTED = "gzip, deflate"  # what servers may send
_GZIP = frozenset({"gzip", "x-gzip"})
_MAGIC = b"\x1f\x8b"  # at the start of each member of a gzip file
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


def decoded(pieces: Iterator[bytes], coding: str, size: int) -> Iterator[bytes]:
    """The content of a body.

    Args:
        pieces: The body, as it came.
        coding: What `Content-Encoding` says. A body in one that was not asked for stays as it is: this may be the
            file's own.
        size: The most bytes of a piece that is made.

    Raises:
        TransportError: It ends too early, is damaged, or is compressed more than once, which has no bound.
    """
    name = coding.strip().lower()
    if "," in name:
        raise TransportError("the answer is compressed more than once", Fault.GARBLED)
    if name in _GZIP:
        return _members(pieces, size)
    return _deflated(pieces, size) if name == "deflate" else pieces


def _members(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The members of a gzip file, one after the other; what follows them and is not one is left out."""
    rest = yield from _inflated(pieces, _beginning(pieces, b""), _GZIP_WINDOW, size)
    while (rest := _beginning(pieces, rest)) and _MAGIC.startswith(rest[:2]):
        rest = yield from _inflated(pieces, rest, _GZIP_WINDOW, size)


def _deflated(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The format of zlib, or what is in it alone: servers send either under this name."""
    beginning = _beginning(pieces, b"")
    is_zlib = beginning[:1] and beginning[0] & 15 == zlib.DEFLATED and int.from_bytes(beginning[:2]) % 31 == 0
    rest = yield from _inflated(pieces, beginning, zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS, size)
    if not rest:
        next(pieces, b"")  # so that the end of the body is seen


def _beginning(pieces: Iterator[bytes], rest: bytes) -> bytes:
    """At least two bytes, which tell what it is, where there are so many."""
    while len(rest) < 2 and (piece := next(pieces, b"")):
        rest += piece
    return rest


def _inflated(pieces: Iterator[bytes], rest: bytes, window: int, size: int) -> Generator[bytes, None, bytes]:
    """The content of `rest` and the pieces after it, up to the end that the data mark; returns what follows it."""
    if not rest:
        return rest  # there is no body at all
    decoder = zlib.decompressobj(window)
    while not decoder.eof:
        try:
            made = decoder.decompress(rest, size)
        except zlib.error:
            raise TransportError("the answer cannot be decompressed", Fault.GARBLED) from None
        rest = decoder.unconsumed_tail
        if made:
            yield made
        elif not decoder.eof:
            rest = next(pieces, b"")
            if not rest:
                raise TransportError("the answer was cut short", Fault.GARBLED)
    return decoder.unused_data
