"""Corpora, types, images, elements and what is written on them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import select

from arkworker.emulator import iiif
from arkworker.emulator.resources.corpora import next_color
from arkworker.emulator.resources.elements import link, whole
from arkworker.emulator.tables import Corpus, Element, ElementType, Image, new_id
from arkworker.emulator.values import closed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from arkworker.emulator.database import Database, Transaction
    from arkworker.emulator.ledger import Ledger
    from arkworker.emulator.site import Site
    from arkworker.emulator.tables import Polygon


class Arrangement:
    """A part of the `Emulator`."""

    database: Database
    ledger: Ledger
    site: Site


def corpus_id(session: Transaction, identifier: str | None) -> str:
    """The corpus with this id; without one, the first.

    Raises:
        LookupError: There is none.
    """
    if identifier is not None:
        return session.look_up(Corpus, identifier).id
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
            corpus = session.keep(Corpus(name=name, id=id or new_id())).id
            for slug in types:
                _add_type(session, corpus, slug=slug, display_name=slug)
            return corpus

    def add_type(
        self, slug: str, *, name: str = "", folder: bool = False, color: str = "", corpus: str | None = None
    ) -> str:
        """Add an element type, to the first corpus unless another is named; returns its id."""
        with self.database.transaction() as session:
            columns = {"display_name": name or slug, "folder": folder, "color": color}
            return _add_type(session, corpus_id(session, corpus), slug=slug, **columns)

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
            owner = session.look_up(Element, parent).corpus_id if parent else corpus_id(session, corpus)
            source = _find_image(session, image, parent)
            place = {"image_id": source.id, "polygon": closed(polygon) if polygon else whole(source)} if source else {}
            kind = _find_type(session, owner, type)
            row = session.keep(Element(corpus_id=owner, type_id=kind, name=name or type, **place, **attributes))
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


def _add_type(session: Transaction, corpus: str, **columns: Any) -> str:
    columns["color"] = columns.get("color") or next_color(session, ElementType, corpus)
    return session.keep(ElementType(corpus_id=corpus, **columns)).id


def _find_type(session: Transaction, corpus: str, slug: str) -> str:
    row = session.scalar(select(ElementType.id).filter_by(corpus_id=corpus, slug=slug))
    if row is None:
        raise LookupError(f"the corpus has no element type {slug!r}: call add_type first")
    return row


def _add_image(session: Transaction, pixels: Path | tuple[int, int], url: str | None = None) -> Image:
    if isinstance(pixels, Path):
        width, height = iiif.measure(pixels)
        row = Image(path=spelled(pixels.name), width=width, height=height, file=pixels.resolve())
    else:
        width, height = pixels
        row = Image(path=f"{width}x{height}", width=width, height=height, external_url=url)
    return session.keep(row)


def _find_image(session: Transaction, pixels: Pixels | None, parent: str | None) -> Image | None:
    if isinstance(pixels, str):
        return session.look_up(Image, pixels)
    if pixels is not None:
        return _add_image(session, pixels)
    return session.look_up(Element, parent).image if parent else None
