"""What stops a vast.ai instance is read from the environment alone, and is what was given."""

from __future__ import annotations

from arkworker.runtime import instance


def test_token_of_the_instance_is_the_one_that_was_given() -> None:
    """Not the stars that stand for it elsewhere."""
    environ = {"TASK_BOOTSTRAP": "1", "CONTAINER_ID": "7", "CONTAINER_API_KEY": "k3y", "ARKINDEX_CORPUS_ID": "/wrong"}

    settings = instance._instance_settings([], environ)

    assert settings is not None
    assert settings.container_api_key is not None
    assert (settings.container_id, settings.container_api_key.get_secret_value()) == ("7", "k3y")
