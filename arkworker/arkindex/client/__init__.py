"""The client of the Arkindex API: operations by id, pages, files; repeated as the retry contract says.

`requests` is imported by the first request, so that this package costs nothing to those who send none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arkworker.lazy import lazy_names
from arkworker.transport.connection import Connection

if TYPE_CHECKING:
    from arkworker.arkindex.client.attempts import Outcome, RetryBudget
    from arkworker.arkindex.client.client import Client
    from arkworker.arkindex.client.pages import Paginator
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Client": "client",
            "Outcome": "attempts",
            "Paginator": "pages",
            "RetryBudget": "attempts",
        },
    )

__all__ = ["Client", "Connection", "Outcome", "Paginator", "RetryBudget"]
