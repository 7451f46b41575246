"""Throwaway GPG key rings and a store of secrets beside them."""

from __future__ import annotations

from gpg_stores import directory, empty_key_ring, key_ring, locked_key_ring, other_key_ring, store

__all__ = ["directory", "empty_key_ring", "key_ring", "locked_key_ring", "other_key_ring", "store"]
