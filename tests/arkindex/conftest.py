"""An emulated Arkindex with a client of it that waits for nothing, and a local store of secrets."""

from __future__ import annotations

from gpg_stores import directory, empty_key_ring, key_ring, locked_key_ring, other_key_ring, store
from served_arkindex import arkindex_client, emulator, manual_clock, served

__all__ = [
    "arkindex_client",
    "directory",
    "empty_key_ring",
    "emulator",
    "key_ring",
    "locked_key_ring",
    "manual_clock",
    "other_key_ring",
    "served",
    "store",
]
