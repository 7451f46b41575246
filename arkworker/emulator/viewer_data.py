"""What the page shows: the corpus, one element with all that was found on it, and how far the workers are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, func, select

from arkworker.emulator import represent
from arkworker.emulator.tables import (
    Activity,
    Corpus,
    Element,
    ElementLink,
    Embedding,
    Task,
    Transcription,
    TranscriptionEntity,
    WorkerRun,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from arkworker.emulator.desk import Desk

PAGE_SIZE = 200
MOST_CHILDREN = 2000


def summary(session: Session, desk: Desk) -> dict[str, Any]:
    """The instance at a glance."""
    corpora = session.scalars(select(Corpus).order_by(Corpus.position))
    counts = dict(session.execute(select(Element.corpus_id, func.count()).group_by(Element.corpus_id)).all())
    runs = session.scalars(select(WorkerRun).order_by(WorkerRun.position.desc()))
    return {
        "edition": desk.site.edition,
        "url": desk.site.url,
        "calls": desk.ledger.count,
        "corpora": [{"id": row.id, "name": row.name, "elements": counts.get(row.id, 0)} for row in corpora],
        "runs": [_run(session, row, desk) for row in runs],
    }


def children(session: Session, parent: str | None, offset: int, run: str | None) -> dict[str, Any]:
    """A piece of what is below an element, or at the top of all corpora."""
    if parent:
        statement = select(Element).join(ElementLink, ElementLink.child_id == Element.id)
        statement = statement.where(ElementLink.parent_id == parent).order_by(ElementLink.position)
    else:
        top = ~exists().where(ElementLink.child_id == Element.id)
        statement = select(Element).where(top).order_by(Element.position)
    total = session.scalar(select(func.count()).select_from(statement.order_by(None).subquery()))
    rows = session.scalars(statement.offset(offset).limit(PAGE_SIZE)).all()
    ids = [row.id for row in rows]
    below = dict(session.execute(_count(ElementLink.parent_id, ids)).all())
    states = _states(session, ids, run)
    items = [{**_item(row), "children": below.get(row.id, 0), "state": states.get(row.id)} for row in rows]
    return {"total": total, "offset": offset, "elements": items}


def element(session: Session, identifier: str, desk: Desk) -> dict[str, Any] | None:
    """One element: where it stands, what was found on it, what became of it."""
    row = session.scalar(select(Element).where(Element.id == identifier))
    if row is None:
        return None
    statement = select(Element).join(ElementLink, ElementLink.child_id == Element.id)
    below = session.scalars(
        statement.where(ElementLink.parent_id == row.id).order_by(ElementLink.position).limit(MOST_CHILDREN)
    ).all()
    ids = [child.id for child in below]
    counts = dict(session.execute(_count(ElementLink.parent_id, ids)).all())
    texts = _texts(session, [row.id, *ids])
    image = row.image
    return {
        **_item(row),
        "created": row.created,
        "worker_run": represent.worker_run(session, row.worker_run_id),
        "corpus": row.corpus.name,
        "image": image and {"id": image.id, "width": image.width, "height": image.height},
        "path": _path(session, row),
        "children": [
            {**_item(c), "children": counts.get(c.id, 0), "transcriptions": texts.get(c.id, [])} for c in below
        ],
        "transcriptions": texts.get(row.id, []),
        "classifications": represent.classifications(session, row.id),
        "metadata": represent.metadata_of(session, row.id),
        "embeddings": session.scalar(select(func.count()).where(Embedding.element_id == row.id)),
        "history": _history(row.id, desk),
    }


def _item(row: Element) -> dict[str, Any]:
    names = ("id", "name", "polygon", "confidence", "rotation_angle", "mirrored")
    kind = {"type": row.type.slug, "type_name": row.type.display_name, "color": row.type.color}
    return {**{name: getattr(row, name) for name in names}, **kind}


def _run(session: Session, row: WorkerRun, desk: Desk) -> dict[str, Any]:
    states = session.execute(
        select(Activity.state, func.count()).where(Activity.worker_run_id == row.id).group_by(Activity.state)
    )
    tasks = session.scalars(select(Task).filter_by(worker_run_id=row.id).order_by(Task.position))
    size = desk.site.storage.size
    return {
        "id": row.id,
        "summary": row.summary,
        "mode": row.process.mode,
        "states": dict(states.all()),
        "tasks": [{"id": t.id, "slug": t.slug, "state": t.state, "log_size": size(f"logs/{t.id}")} for t in tasks],
    }


def _count(column: Any, ids: list[str]) -> Any:
    return select(column, func.count()).where(column.in_(ids)).group_by(column)


def _states(session: Session, ids: list[str], run: str | None) -> dict[str, str]:
    rows = select(Activity.element_id, Activity.state).where(Activity.element_id.in_(ids))
    if run is not None:
        rows = rows.where(Activity.worker_run_id == run)
    return dict(session.execute(rows.order_by(Activity.position)).all())


def _texts(session: Session, ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    rows = session.scalars(
        select(Transcription).where(Transcription.element_id.in_(ids)).order_by(Transcription.position)
    ).all()
    entities: dict[str, list[dict[str, Any]]] = {}
    chosen = TranscriptionEntity.transcription_id.in_([row.id for row in rows])
    for entity in session.scalars(select(TranscriptionEntity).where(chosen).order_by(TranscriptionEntity.offset)):
        entities.setdefault(entity.transcription_id, []).append(represent.entity(entity, session))
    for row in rows:
        item = {**represent.transcription(row, session), "entities": entities.get(row.id, [])}
        found.setdefault(row.element_id, []).append(item)
    return found


def _path(session: Session, row: Element) -> list[dict[str, Any]]:
    """The way from the top to an element, by its first parent each time."""
    path: list[dict[str, Any]] = []
    seen = {row.id}
    parent = _parent(session, row.id)
    while parent is not None and parent.id not in seen:
        seen.add(parent.id)
        path.insert(0, _item(parent))
        parent = _parent(session, parent.id)
    return path


def _parent(session: Session, identifier: str) -> Element | None:
    statement = select(Element).join(ElementLink, ElementLink.parent_id == Element.id)
    return session.scalar(statement.where(ElementLink.child_id == identifier).order_by(ElementLink.position).limit(1))


def _history(identifier: str, desk: Desk) -> list[dict[str, Any]]:
    changes = desk.ledger.changes_of(identifier)
    return [{"time": c.time, "state": c.state, "run": c.worker_run_id, "call": c.call} for c in changes]
