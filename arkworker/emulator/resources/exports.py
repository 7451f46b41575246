"""Exports of a corpus or of a dataset, as SQLite files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from arkworker.emulator.export_file import write_export
from arkworker.emulator.failures import invalid, missing
from arkworker.emulator.operations import Operations
from arkworker.emulator.pagination import PageQuery, paginate
from arkworker.emulator.requests import Reply
from arkworker.emulator.tables import Corpus, Dataset, Export
from arkworker.emulator.values import Body, Id

if TYPE_CHECKING:
    from uuid import UUID

    from arkworker.emulator.requests import ApiRequest

operations = Operations()


class NewExport(Body):
    dataset_id: Id | None = None


class ExportsQuery(PageQuery):
    dataset_id: Id | None = None


@operations("ListExports", "GET /corpus/{id:uuid}/export/", query=ExportsQuery, pagination="page")
def list_exports(request: ApiRequest, corpus_id: str, query: ExportsQuery) -> dict[str, Any]:
    corpus = request.get(Corpus, corpus_id)
    rows = select(Export).where(Export.corpus_id == corpus.id).order_by(Export.position.desc())
    if query.dataset_id is not None:
        rows = rows.where(Export.dataset_id == str(query.dataset_id))
    return paginate(request, query, rows, _export)


@operations("StartExport", "POST /corpus/{id:uuid}/export/", body=NewExport, status=201)
def start_export(request: ApiRequest, corpus_id: str, body: NewExport) -> dict[str, Any]:
    """The export is done at once; a second one finds it there, as a client that asks twice in an hour does."""
    corpus = request.get(Corpus, corpus_id)
    if body.dataset_id is not None:
        request.refer(Dataset, body.dataset_id, "dataset_id")
    _refuse_second(request, corpus, body.dataset_id)
    row = Export(corpus_id=corpus.id, dataset_id=body.dataset_id and str(body.dataset_id), state="done")
    request.session.add(row)
    request.session.flush()
    write_export(request.session, row, request.site.storage.path(key(row)))
    return _export(row)


@operations("DownloadExport", "GET /export/{id:uuid}/")
def download_export(request: ApiRequest, export_id: str) -> Reply:
    row = request.get(Export, export_id)
    if row.state != "done":
        raise missing("This export is not done.")
    location = request.site.storage_url + request.site.storage.sign("GET", key(row))
    return Reply(status=302, headers=(("location", location),))


def key(row: Export) -> str:
    """Where the storage keeps the file."""
    return f"exports/{row.id}"


def _refuse_second(request: ApiRequest, corpus: Corpus, dataset_id: UUID | None) -> None:
    same = Export.dataset_id.is_(None) if dataset_id is None else Export.dataset_id == str(dataset_id)
    states = set(request.session.scalars(select(Export.state).where(Export.corpus_id == corpus.id, same)))
    if states & {"created", "running"}:
        raise invalid("An export is already running for this corpus.", code="running_export")
    if "done" in states:
        raise invalid("An export was made a short while ago.", code="existing_export")


def _export(row: Export) -> dict[str, Any]:
    names = ("id", "state", "created", "updated", "corpus_id", "dataset_id")
    return {**{name: getattr(row, name) for name in names}, "source": "default"}
