"""The local store of secrets: files that GPG encrypts."""

from __future__ import annotations

from arkworker.storage.local_secrets.content import check_secret_name
from arkworker.storage.local_secrets.store import SecretStore

__all__ = ["SecretStore", "check_secret_name"]
