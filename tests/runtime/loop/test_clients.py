"""The two clients of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arkworker.arkindex.client import Client, Connection
from arkworker.runtime.loop.clients import Clients

if TYPE_CHECKING:
    import pytest


def test_an_unsafe_connection_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """By the client of the run; these two are of the same connection."""
    client = Client(Connection(url="http://arkindex.example.org", token="t"))

    Clients(client).close()

    assert caplog.text.count("travels unencrypted") == 1
