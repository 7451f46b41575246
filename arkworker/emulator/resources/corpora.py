"""Corpora, and the types and classes that each of them has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from arkworker.emulator import represent
from arkworker.emulator.failures import invalid
from arkworker.emulator.operations import Operations
from arkworker.emulator.pagination import PageQuery, paginate
from arkworker.emulator.tables import Corpus, ElementType, EntityType, MLClass
from arkworker.emulator.values import Body, Id, Name, Slug

if TYPE_CHECKING:
    from arkworker.emulator.requests import ApiRequest

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
    row = EntityType(corpus_id=corpus.id, name=body.name)
    request.session.add(row)
    request.session.flush()
    return {**_entity_type(row), "corpus": corpus.id}


def _entity_type(row: EntityType) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "color": row.color}


def _must_be_new(request: ApiRequest, table: Any, same: Any, corpus: Corpus, fields: str) -> None:
    if request.session.scalar(select(table.id).where(table.corpus_id == corpus.id, same)) is not None:
        raise invalid(f"{fields} must make a unique set.", code="unique")
