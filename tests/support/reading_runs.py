"""What elements know of a run: an Arkindex, a cache, both or none."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from arkworker.arkindex.client import Client, Connection
from arkworker.arkindex.reading.access import ElementAccess
from arkworker.arkindex.reading.sessions import Sessions
from arkworker.elements.model import Element
from arkworker.storage.cache import session_scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Engine

    from arkworker.emulator import Emulator


@dataclass
class Run:
    """A run.

    Attributes:
        access: Its elements.
        sessions: Of its cache; calling it opens one, as for user code.
    """

    access: ElementAccess
    sessions: Any

    def element(self, element_id: str, **values: Any) -> Element:
        """An element of this run, of which no more is known."""
        return self.access.bind(Element(id=element_id, **values))


@contextmanager
def run_with(emulator: Emulator | None = None, engine: Engine | None = None, *, at_desk: bool = False) -> Iterator[Run]:
    """A run that knows what is given; a run without an Arkindex fails when it wants a client."""
    client = Client(Connection(url=emulator.url, token=emulator.token)) if emulator else None
    sessions = Sessions(partial(session_scope, engine), began_empty=not engine.url.database) if engine else None

    def find_client() -> Client:
        return client if client is not None else _refuse()

    access = ElementAccess(find_client, lambda: sessions, is_reachable=client is not None, local_files=at_desk)
    yield Run(access, sessions)
    if client is not None:
        client.close()


def _refuse() -> NoReturn:
    raise AssertionError("a client is wanted although the address of Arkindex is not set")
