"""Corpora, the types and classes that each of them has, and images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import Field
from sqlalchemy import func, select

from arkworker.emulator import iiif, represent
from arkworker.emulator.endpoint import ApiRequest, Operations, PageQuery
from arkworker.emulator.failures import conflict, invalid
from arkworker.emulator.tables import COLORS, ENTITY_COLORS, Corpus, ElementType, EntityType, Image, Json, MLClass
from arkworker.emulator.values import Body, Id, Name, Slug

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

operations = Operations()

Word = TypeVar("Word", ElementType, EntityType, MLClass)


class NewElementType(Body):
    corpus: Id
    slug: Slug
    display_name: Name
    folder: bool = False


class NewClass(Body):
    name: Name


class NewEntityType(Body):
    corpus: Id
    name: Name


@operations("RetrieveCorpus", "GET /corpus/{id:uuid}/")
def retrieve_corpus(request: ApiRequest, corpus: Corpus) -> Json:
    types = select(ElementType).filter_by(corpus_id=corpus.id).order_by(ElementType.position)
    return {
        **represent.pick(corpus, "id", "name", "description", "public"),
        "indexable": False,
        "created": corpus.created,
        "types": [represent.element_type(row) for row in request.session.scalars(types)],
    }


@operations("CreateElementType", "POST /elements/type/", status=201)
def create_element_type(request: ApiRequest, body: NewElementType) -> Json:
    corpus = request.refer(Corpus, body.corpus, "corpus")
    color = next_color(request.session, ElementType, corpus.id)
    named = {"slug": body.slug, "display_name": body.display_name, "folder": body.folder}
    row = _keep_new(request, ElementType(corpus_id=corpus.id, color=color, **named), "slug")
    return {**represent.element_type(row), "corpus": corpus.id}


@operations("ListCorpusMLClasses", "GET /corpus/{id:uuid}/classes/")
def list_classes(request: ApiRequest, corpus: Corpus, query: PageQuery) -> Json:
    rows = select(MLClass).filter_by(corpus_id=corpus.id).order_by(MLClass.name)
    return request.page(query, rows, represent.named)


@operations("CreateMLClass", "POST /corpus/{id:uuid}/classes/", status=201)
def create_class(request: ApiRequest, corpus: Corpus, body: NewClass) -> Json:
    return represent.named(_keep_new(request, MLClass(corpus_id=corpus.id, name=body.name), "name"))


@operations("ListCorpusEntityTypes", "GET /corpus/{id:uuid}/entity-types/")
def list_entity_types(request: ApiRequest, corpus: Corpus, query: PageQuery) -> Json:
    rows = select(EntityType).filter_by(corpus_id=corpus.id).order_by(EntityType.name)
    return request.page(query, rows, represent.entity_type)


@operations("CreateEntityType", "POST /entity/types/", status=201)
def create_entity_type(request: ApiRequest, body: NewEntityType) -> Json:
    corpus = request.refer(Corpus, body.corpus, "corpus")
    color = next_color(request.session, EntityType, corpus.id)
    row = _keep_new(request, EntityType(corpus_id=corpus.id, name=body.name, color=color), "name")
    return {**represent.entity_type(row), "corpus": corpus.id}


def next_color(session: Session, table: type[ElementType | EntityType], corpus_id: str) -> str:
    """Another one for each new type, in turn."""
    used = session.scalar(select(func.count()).select_from(table).filter_by(corpus_id=corpus_id)) or 0
    colors = COLORS if table is ElementType else ENTITY_COLORS
    return colors[used % len(colors)]


def _keep_new(request: ApiRequest, row: Word, key: str) -> Word:
    """Keep a row whose `key` no other one of its corpus has."""
    same = select(type(row).id).filter_by(**{name: getattr(row, name) for name in ("corpus_id", key)})
    if request.session.scalar(same) is not None:
        raise invalid(f"The fields corpus, {key} must make a unique set.", code="unique")
    return request.session.keep(row)


class NewImage(Body):
    hash: str = Field(pattern=r"^[0-9a-f]{32}$")


class ImageChange(Body):
    status: Literal["checked", "unchecked", "error"]


class NewUrl(Body):
    url: str = Field(pattern=r"^https?://[^\s?#]+$", max_length=2000)
    width: int | None = Field(None, gt=0)
    height: int | None = Field(None, gt=0)


@operations("CreateImage", "POST /image/", status=201)
def create_image(request: ApiRequest, body: NewImage) -> Json:
    known = request.session.scalar(select(Image).filter_by(hash=body.hash))
    if known is not None:
        raise invalid("Image with this hash already exists.", "hash", code="unique", id=known.id)
    row = request.session.keep(Image(path=body.hash, width=0, height=0, status="unchecked", hash=body.hash))
    row.file = request.site.storage.path(f"images/{row.id}")
    return {**represent.image(row, request.site), "s3_put_url": request.site.address("PUT", f"images/{row.id}")}


@operations("RetrieveImage", "GET /image/{id:uuid}/")
def retrieve_image(request: ApiRequest, image: Image) -> Json:
    return represent.image(image, request.site)


@operations("PartialUpdateImage", "PATCH /image/{id:uuid}/")
def update_image(request: ApiRequest, image: Image, body: ImageChange) -> Json:
    """Marking an image as checked reads its size from the file that was uploaded."""
    image.status = body.status
    if body.status == "checked" and image.file:
        try:
            image.width, image.height = iiif.measure(image.file)
        except OSError:
            raise invalid("The image cannot be read.", "status", code="unreadable") from None
    return represent.image(image, request.site)


@operations("CreateIIIFURL", "POST /image/iiif/url/", status=201)
def create_iiif_url(request: ApiRequest, body: NewUrl) -> Json:
    known = request.session.scalar(select(Image).filter_by(external_url=body.url))
    if known is not None:
        message = "Image with this URL already exists."
        if request.site.error_style == "legacy":  # before Arkindex 1.11.2
            raise invalid(message, "url", code="unique", id=known.id)
        raise conflict(message, "url", code="unique", existing_id=known.id)
    if body.width is None or body.height is None:
        # The real server asks the other one; the emulator has no network, by design.
        raise invalid("The emulator needs both the width and the height of an image elsewhere.", "width")
    path = body.url.rstrip("/").rsplit("/", 1)[-1]
    row = Image(path=path, width=body.width, height=body.height, external_url=body.url)
    return represent.image(request.session.keep(row), request.site)
