"""Secrets: from a reference to the content, with no content in any message."""

from __future__ import annotations

from arkworker.runtime.secrets.loading import SecretsApi, is_community, load_secret
from arkworker.runtime.secrets.names import check_secret_name, secrets_directory
from arkworker.runtime.secrets.store import SecretStore

__all__ = ["SecretStore", "SecretsApi", "check_secret_name", "is_community", "load_secret", "secrets_directory"]
