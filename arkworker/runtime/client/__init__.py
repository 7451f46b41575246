"""The client of the Arkindex API: operations by id, pages, files; repeated as the retry contract says.

`requests` is imported by the first request, so that this package costs nothing to those who send none.
"""

from __future__ import annotations

from arkworker.runtime.client.attempts import Outcome, RetryBudget
from arkworker.runtime.client.client import Client
from arkworker.runtime.client.connection import Connection
from arkworker.runtime.client.pages import Paginator

__all__ = ["Client", "Connection", "Outcome", "Paginator", "RetryBudget"]
