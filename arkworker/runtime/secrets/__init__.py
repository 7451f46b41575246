"""Secrets: from a reference to the content, with no content in any message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arkworker.lazy import lazy_names

if TYPE_CHECKING:
    from arkworker.runtime.secrets.loading import SecretsApi, is_community, load_secret
    from arkworker.runtime.secrets.names import check_secret_name, secrets_directory
    from arkworker.runtime.secrets.store import SecretStore
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "SecretStore": "store",
            "SecretsApi": "loading",
            "check_secret_name": "names",
            "is_community": "loading",
            "load_secret": "loading",
            "secrets_directory": "names",
        },
    )

__all__ = ["SecretStore", "SecretsApi", "check_secret_name", "is_community", "load_secret", "secrets_directory"]
