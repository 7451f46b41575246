"""The local store of secrets: files that GPG encrypts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arkworker.lazy import lazy_names

if TYPE_CHECKING:
    from arkworker.storage.secrets.names import check_secret_name, secrets_directory
    from arkworker.storage.secrets.store import SecretStore
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "SecretStore": "store",
            "check_secret_name": "names",
            "secrets_directory": "names",
        },
    )

__all__ = ["SecretStore", "check_secret_name", "secrets_directory"]
