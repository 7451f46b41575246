"""The sessions of a run's cache, and which of them user code has in hand."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from arkworker.errors import ArkworkerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy.orm import Session


class Sessions:
    """Makes sessions, as calling it does, and lends the one that is open to what is read meanwhile.

    What user code has added but not committed is so seen, and no second connection waits for its locks. SQLAlchemy
    allows one thread for each session: the others are refused.

    Attributes:
        began_empty: Whether the cache holds nothing but what this run has put there: it is in memory. It then says
            little about an element, and Arkindex goes before it.

    Args:
        make: Opens a session for the time of a block.
    """

    def __init__(self, make: Callable[[], AbstractContextManager[Session]], *, began_empty: bool = False) -> None:
        self.began_empty = began_empty
        self._make = make
        self._thread = threading.get_ident()
        self._open = threading.local()
        self._is_closed = False

    @contextmanager
    def __call__(self) -> Iterator[Session]:
        """A session: committed when the block succeeds, rolled back otherwise."""
        with self._make() as session:
            before = self._current
            self._open.session = session
            try:
                yield session
            finally:
                self._open.session = before

    @contextmanager
    def borrowed(self) -> Iterator[Session]:
        """The session that is open in this thread; between them, one for the time of the block.

        Raises:
            ArkworkerError: This is not the thread of user code, or the run is over.
        """
        if self._current is not None:
            yield self._current
            return
        if self._is_closed:
            raise ArkworkerError("the run is over, and its cache is closed")
        if threading.get_ident() != self._thread:
            raise ArkworkerError(
                "the cache belongs to the thread that user code was called in: read there, or with source='api'"
            )
        with self._make() as session:
            yield session

    def close(self) -> None:
        """Lend nothing more."""
        self._is_closed = True

    @property
    def _current(self) -> Session | None:
        return getattr(self._open, "session", None)
