"""What all arrangements work on."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select

from arkworker.emulator.tables import Corpus

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from arkworker.emulator.database import Database
    from arkworker.emulator.ledger import Ledger
    from arkworker.emulator.site import Site
    from arkworker.emulator.tables import Row

RowType = TypeVar("RowType", bound="Row")


class Arrangement:
    """A part of the `Emulator`."""

    database: Database
    ledger: Ledger
    site: Site


def find(session: Session, table: type[RowType], identifier: str) -> RowType:
    """The row with this id.

    Raises:
        LookupError: There is none.
    """
    row = session.scalar(select(table).where(table.id == identifier))
    if row is None:
        raise LookupError(f"no {table.__name__} has the id {identifier!r}")
    return row


def corpus_id(session: Session, identifier: str | None) -> str:
    """The corpus with this id; without one, the first.

    Raises:
        LookupError: There is none.
    """
    if identifier is not None:
        return find(session, Corpus, identifier).id
    first = session.scalar(select(Corpus.id).order_by(Corpus.position).limit(1))
    if first is None:
        raise LookupError("there is no corpus yet: call add_corpus first")
    return first
