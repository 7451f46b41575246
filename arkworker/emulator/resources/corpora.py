"""Corpora, the types and classes that each of them has, and images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from sqlalchemy import func, select

from arkworker.emulator import iiif, represent
from arkworker.emulator.endpoint import Operations, PageQuery, paginate
from arkworker.emulator.failures import conflict, invalid
from arkworker.emulator.tables import COLORS, ENTITY_COLORS, Corpus, ElementType, EntityType, Image, MLClass
from arkworker.emulator.values import Body, Id, Name, Slug

if TYPE_CHECKING:
    from arkworker.emulator.endpoint import ApiRequest

operations = Operations()


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
def retrieve_corpus(request: ApiRequest, corpus_id: str) -> dict[str, Any]:
    corpus = request.get(Corpus, corpus_id)
    types = request.session.scalars(
        select(ElementType).where(ElementType.corpus_id == corpus.id).order_by(ElementType.position)
    )
    return {
        "id": corpus.id,
        "name": corpus.name,
        "description": corpus.description,
        "public": corpus.public,
        "indexable": False,
        "created": corpus.created,
        "types": [represent.element_type(row) for row in types],
    }


@operations("CreateElementType", "POST /elements/type/", body=NewElementType, status=201)
def create_element_type(request: ApiRequest, body: NewElementType) -> dict[str, Any]:
    corpus = request.refer(Corpus, body.corpus, "corpus")
    _must_be_new(request, ElementType, ElementType.slug == body.slug, corpus, "The fields corpus, slug")
    row = ElementType(corpus_id=corpus.id, slug=body.slug, display_name=body.display_name, folder=body.folder)
    row.color = _next_color(request, ElementType, corpus)
    request.session.add(row)
    request.session.flush()
    return {**represent.element_type(row), "corpus": corpus.id}


@operations("ListCorpusMLClasses", "GET /corpus/{id:uuid}/classes/", query=PageQuery, pagination="page")
def list_classes(request: ApiRequest, corpus_id: str, query: PageQuery) -> dict[str, Any]:
    corpus = request.get(Corpus, corpus_id)
    rows = select(MLClass).where(MLClass.corpus_id == corpus.id).order_by(MLClass.name)
    return paginate(request, query, rows, lambda row: {"id": row.id, "name": row.name})


@operations("CreateMLClass", "POST /corpus/{id:uuid}/classes/", body=NewClass, status=201)
def create_class(request: ApiRequest, corpus_id: str, body: NewClass) -> dict[str, Any]:
    corpus = request.get(Corpus, corpus_id)
    _must_be_new(request, MLClass, MLClass.name == body.name, corpus, "The fields corpus, name")
    row = MLClass(corpus_id=corpus.id, name=body.name)
    request.session.add(row)
    request.session.flush()
    return {"id": row.id, "name": row.name}


@operations("ListCorpusEntityTypes", "GET /corpus/{id:uuid}/entity-types/", query=PageQuery, pagination="page")
def list_entity_types(request: ApiRequest, corpus_id: str, query: PageQuery) -> dict[str, Any]:
    corpus = request.get(Corpus, corpus_id)
    rows = select(EntityType).where(EntityType.corpus_id == corpus.id).order_by(EntityType.name)
    return paginate(request, query, rows, _entity_type)


@operations("CreateEntityType", "POST /entity/types/", body=NewEntityType, status=201)
def create_entity_type(request: ApiRequest, body: NewEntityType) -> dict[str, Any]:
    corpus = request.refer(Corpus, body.corpus, "corpus")
    _must_be_new(request, EntityType, EntityType.name == body.name, corpus, "The fields corpus, name")
    row = EntityType(corpus_id=corpus.id, name=body.name, color=_next_color(request, EntityType, corpus))
    request.session.add(row)
    request.session.flush()
    return {**_entity_type(row), "corpus": corpus.id}


def _next_color(request: ApiRequest, table: type[ElementType | EntityType], corpus: Corpus) -> str:
    """Another one for each new type, in turn."""
    used = request.session.scalar(select(func.count()).select_from(table).where(table.corpus_id == corpus.id)) or 0
    colors = COLORS if table is ElementType else ENTITY_COLORS
    return colors[used % len(colors)]


def _entity_type(row: EntityType) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "color": row.color}


def _must_be_new(request: ApiRequest, table: Any, same: Any, corpus: Corpus, fields: str) -> None:
    if request.session.scalar(select(table.id).where(table.corpus_id == corpus.id, same)) is not None:
        raise invalid(f"{fields} must make a unique set.", code="unique")


class NewImage(Body):
    hash: str = Field(pattern=r"^[0-9a-f]{32}$")


class ImageChange(Body):
    status: Literal["checked", "unchecked", "error"]


class NewUrl(Body):
    url: str = Field(pattern=r"^https?://[^\s?#]+$", max_length=2000)
    width: int | None = Field(None, gt=0)
    height: int | None = Field(None, gt=0)


@operations("CreateImage", "POST /image/", body=NewImage, status=201)
def create_image(request: ApiRequest, body: NewImage) -> dict[str, Any]:
    known = request.session.scalar(select(Image).where(Image.hash == body.hash))
    if known is not None:
        raise invalid("Image with this hash already exists.", "hash", code="unique", id=known.id)
    row = Image(path=body.hash, width=0, height=0, status="unchecked", hash=body.hash)
    request.session.add(row)
    request.session.flush()
    row.file = request.site.storage.path(f"images/{row.id}")
    put = request.site.storage.sign("PUT", f"images/{row.id}")
    return {**represent.image(row, request.site), "s3_put_url": f"{request.site.storage_url}{put}"}


@operations("RetrieveImage", "GET /image/{id:uuid}/")
def retrieve_image(request: ApiRequest, image_id: str) -> dict[str, Any]:
    return represent.image(request.get(Image, image_id), request.site)


@operations("PartialUpdateImage", "PATCH /image/{id:uuid}/", body=ImageChange)
def update_image(request: ApiRequest, image_id: str, body: ImageChange) -> dict[str, Any]:
    """Marking an image as checked reads its size from the file that was uploaded."""
    row = request.get(Image, image_id)
    row.status = body.status
    if body.status == "checked" and row.file:
        try:
            row.width, row.height = iiif.measure(row.file)
        except OSError:
            raise invalid("The image cannot be read.", "status", code="unreadable") from None
    return represent.image(row, request.site)


@operations("CreateIIIFURL", "POST /image/iiif/url/", body=NewUrl, status=201)
def create_iiif_url(request: ApiRequest, body: NewUrl) -> dict[str, Any]:
    known = request.session.scalar(select(Image).where(Image.external_url == body.url))
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
    request.session.add(row)
    request.session.flush()
    return represent.image(row, request.site)
