"""Undoing what was begun when it cannot be ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from arkworker.arkindex.client import Client
from arkworker.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Steps that undo others, in the order of those; each says whether the ones before it should be undone, too.
Undo: TypeAlias = list[Callable[[Client], bool]]


@contextmanager
def undone_on_failure(client: Client) -> Iterator[Undo]:
    """The steps that are taken, the last one first, when the block fails or a signal ends it."""
    undo: Undo = []
    try:
        yield undo
    except BaseException as failure:
        with _cleaning(client, failure) as cleaner:
            for step in reversed(undo):
                if not step(cleaner):
                    break
        raise


@contextmanager
def _cleaning(client: Client, failure: BaseException) -> Iterator[Client]:
    """The client to clean up with: one that waits for nothing where it is not an error, but a signal, that ends us."""
    if isinstance(failure, Exception):
        yield client
        return
    hurried = client.twin(_NoWait())
    try:
        yield hurried
    finally:
        hurried.close()


class _NoWait:
    def now(self) -> float:
        return time.monotonic()

    def sleep(self, _seconds: float) -> NoReturn:
        raise StoppedError(0)  # the client gives up what it would have waited for
