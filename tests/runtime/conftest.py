"""An emulated Arkindex, and a client of it that waits for nothing."""

from __future__ import annotations

from served_arkindex import arkindex_client, emulator, manual_clock, served

__all__ = ["arkindex_client", "emulator", "manual_clock", "served"]
