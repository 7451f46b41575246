"""Corpora, types, images, elements and what is written on them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sqlalchemy import select

from arkworker.emulator import iiif
from arkworker.emulator.resources.elements import link, whole
from arkworker.emulator.tables import COLORS, Corpus, Element, ElementType, Image, new_id
from arkworker.emulator.values import closed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from arkworker.emulator.database import Database
    from arkworker.emulator.ledger import Ledger
    from arkworker.emulator.site import Site
    from arkworker.emulator.tables import Polygon, Row

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


# Where an element's pixels come from: a file, or a size (the page is drawn), or the id of an image.
Pixels: TypeAlias = Path | tuple[int, int] | str


class CorpusArrangement(Arrangement):
    """The part of the `Emulator` that makes corpora."""

    def add_corpus(
        self,
        name: str = "Corpus",
        types: Iterable[str] = ("page", "paragraph", "text_line"),
        *,
        id: str | None = None,  # noqa: A002 - as everywhere in Arkindex
    ) -> str:
        """Add a corpus with these element types; returns its id."""
        with self.database.transaction() as session:
            row = Corpus(name=name, id=id or new_id())
            session.add(row)
            session.flush()
            for slug in types:
                _add_type(session, row.id, slug, slug, folder=False)
            return row.id

    def add_type(
        self, slug: str, *, name: str = "", folder: bool = False, color: str = "", corpus: str | None = None
    ) -> str:
        """Add an element type, to the first corpus unless another is named; returns its id."""
        with self.database.transaction() as session:
            return _add_type(session, corpus_id(session, corpus), slug, name or slug, folder=folder, color=color)

    def add_image(self, pixels: Path | tuple[int, int], *, url: str | None = None) -> str:
        """An image, from a file or drawn in this size, or of this size elsewhere, on a IIIF server; its id.

        Raises:
            OSError: The file is missing, or is not an image.
        """
        with self.database.transaction() as session:
            return _add_image(session, pixels, url).id

    def add_element(  # noqa: PLR0913 - keywords, each with a default
        self,
        type: str = "page",  # noqa: A002 - as everywhere in Arkindex
        name: str = "",
        *,
        corpus: str | None = None,
        parent: str | None = None,
        image: Pixels | None = None,
        polygon: Polygon | None = None,
        **attributes: Any,
    ) -> str:
        """Add an element; returns its id. Further attributes are columns, such as `id`, `rotation_angle` or `mirrored`.

        Raises:
            LookupError: The corpus, its type or the parent does not exist.
        """
        with self.database.transaction() as session:
            owner = find(session, Element, parent).corpus_id if parent else corpus_id(session, corpus)
            source = _find_image(session, image, parent)
            row = Element(
                corpus_id=owner,
                type_id=_find_type(session, owner, type),
                name=name or type,
                image_id=source and source.id,
                polygon=source and (closed(polygon) if polygon else whole(source)),
                **attributes,
            )
            session.add(row)
            session.flush()
            if parent:
                link(session, parent, [row.id])
            return row.id

    def add_elements(
        self,
        count: int,
        type: str = "page",  # noqa: A002 - as everywhere in Arkindex
        *,
        name: str = "",
        corpus: str | None = None,
        image: Pixels | None = None,
    ) -> list[str]:
        """Add many similar elements, on one image or on none; returns their ids, in order."""
        with self.database.transaction() as session:
            owner = corpus_id(session, corpus)
            kind = _find_type(session, owner, type)
            source = _find_image(session, image, None)
            common = {"image_id": source and source.id, "polygon": source and whole(source)}
            rows = [
                Element(id=new_id(), corpus_id=owner, type_id=kind, name=f"{name or type} {number}", **common)
                for number in range(1, count + 1)
            ]
            session.add_all(rows)
            return [row.id for row in rows]


def spelled(name: str) -> str:
    """The name of a file as text; bytes in it that are not UTF-8 are replaced."""
    return os.fsencode(name).decode("utf-8", "replace")


def _add_type(  # noqa: PLR0913 - what a type is
    session: Session, corpus: str, slug: str, name: str, *, folder: bool, color: str = ""
) -> str:
    used = len(session.scalars(select(ElementType.id).where(ElementType.corpus_id == corpus)).all())
    color = color or COLORS[used % len(COLORS)]
    row = ElementType(corpus_id=corpus, slug=slug, display_name=name, folder=folder, color=color)
    session.add(row)
    session.flush()
    return row.id


def _find_type(session: Session, corpus: str, slug: str) -> str:
    row = session.scalar(select(ElementType.id).filter_by(corpus_id=corpus, slug=slug))
    if row is None:
        raise LookupError(f"the corpus has no element type {slug!r}: call add_type first")
    return row


def _add_image(session: Session, pixels: Path | tuple[int, int], url: str | None = None) -> Image:
    if isinstance(pixels, Path):
        width, height = iiif.measure(pixels)
        row = Image(path=spelled(pixels.name), width=width, height=height, file=pixels.resolve())
    else:
        width, height = pixels
        row = Image(path=f"{width}x{height}", width=width, height=height, external_url=url)
    session.add(row)
    session.flush()
    return row


def _find_image(session: Session, pixels: Pixels | None, parent: str | None) -> Image | None:
    if isinstance(pixels, str):
        return find(session, Image, pixels)
    if pixels is not None:
        return _add_image(session, pixels)
    return find(session, Element, parent).image if parent else None
