"""What a handler is given: the request, the session of its transaction, the caller, and the instance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import bindparam, select

from arkworker.emulator.failures import invalid, missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from arkworker.emulator.authentication import Caller
    from arkworker.emulator.ledger import Call, StateChange
    from arkworker.emulator.site import Site
    from arkworker.emulator.tables import Row

RowType = TypeVar("RowType", bound="Row")


@cache
def _by_id(table: type[RowType]) -> Select[Any]:
    # Nearly every operation begins with it: built once a table.
    return select(table).where(table.id == bindparam("id"))


@dataclass(frozen=True)
class ApiRequest:
    """One request, inside its transaction.

    Attributes:
        url: Its own address, with the host that the client used.
        query: The raw query parameters, for the links to other pages.
        call: Its line in the ledger.
        changes: The changes of activities, for the ledger once the transaction is done.
    """

    session: Session
    site: Site
    caller: Caller
    call: Call
    url: str
    query: Mapping[str, str]
    changes: list[StateChange]

    def get(self, table: type[RowType], identifier: Any) -> RowType:
        """The row that the path names; a 404 when there is none."""
        row = self.find(table, identifier)
        if row is None:
            raise missing()
        return row

    def refer(self, table: type[RowType], identifier: Any, *attr: str | int) -> RowType:
        """The row that the body names at `attr`; a 400 when there is none."""
        row = self.find(table, identifier)
        if row is None:
            raise invalid(f'Invalid pk "{identifier}" - object does not exist.', *attr, code="does_not_exist")
        return row

    def find(self, table: type[RowType], identifier: Any) -> RowType | None:
        row: RowType | None = self.session.scalar(_by_id(table), {"id": str(identifier)})
        return row


@dataclass(frozen=True)
class Reply:
    """An answer that is not just JSON with the status of the operation; no content sends no body."""

    content: Any = None
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
