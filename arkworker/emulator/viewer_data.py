"""What the page shows: the corpus, one element with all that was found on it, and how far the workers are."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, func, select

from arkworker.emulator import declarations, represent
from arkworker.emulator.ledger import MASK
from arkworker.emulator.resources.elements import children_of
from arkworker.emulator.tables import (
    COLORS,
    Activity,
    Artifact,
    Classification,
    Corpus,
    Element,
    ElementLink,
    ElementType,
    Embedding,
    EntityType,
    MetaData,
    Signed,
    Task,
    Transcription,
    TranscriptionEntity,
    WorkerRun,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from arkworker.emulator.database import Transaction
    from arkworker.emulator.desk import Desk
    from arkworker.emulator.ledger import Call
    from arkworker.emulator.tables import Json

PAGE_SIZE = 200
MOST_CHILDREN = 2000
STATES = ("queued", "started", "processed", "error")
LOG_END = 4 << 20  # bytes of a log that are searched for a failed element
MOST_LINES = 40
# What the list of requests shows of each.
CALL = ("number", "time", "operation", "method", "path", "status", "answered", "acted", "seconds", "faults")
COMPLAINT = re.compile(r"\b(WARNING|ERROR|CRITICAL)\b")
# The results that are counted for a run.
COUNTED: dict[str, type[Element | Signed]] = {
    "elements": Element,
    "transcriptions": Transcription,
    "entities": TranscriptionEntity,
    "classifications": Classification,
    "metadata": MetaData,
    "embeddings": Embedding,
}


def summary(session: Session, desk: Desk) -> Json:
    """The instance at a glance."""
    corpora = session.scalars(select(Corpus).order_by(Corpus.position))
    counts = dict(session.execute(select(Element.corpus_id, func.count()).group_by(Element.corpus_id)).all())
    runs = session.scalars(select(WorkerRun).order_by(WorkerRun.position.desc()))
    return {
        "edition": desk.site.edition,
        "url": desk.site.url,
        "calls": desk.ledger.count,
        "can_run": desk.again is not None,
        "corpora": [{**represent.named(row), "elements": counts.get(row.id, 0)} for row in corpora],
        "types": types(session),
        "runs": [_run(session, row, desk) for row in runs],
    }


def types(session: Session) -> list[Json]:
    """The types of elements and of entities, each with a colour that no other one has."""
    counts = dict(session.execute(select(Element.type_id, func.count()).group_by(Element.type_id)).all())
    rows = session.scalars(select(ElementType).order_by(ElementType.position))
    kinds = session.scalars(select(EntityType).order_by(EntityType.position))
    shown: list[tuple[Any, ...]] = []
    shown += [(row.slug, row.display_name, row.color, "element", counts.get(row.id, 0)) for row in rows]
    shown += [(row.name, row.name, row.color, "entity", None) for row in kinds]
    items: list[Json] = [dict(zip(("key", "name", "color", "kind", "count"), item, strict=True)) for item in shown]
    taken: set[str] = set()
    for number, item in enumerate(items):
        if item["color"].lower() in taken:
            free = [color for color in COLORS if color not in taken]
            item["color"] = free[0] if free else f"{(number * 2654435761) & 0xFFFFFF:06x}"
        taken.add(item["color"].lower())
    return items


def children(  # noqa: PLR0913 - one for each filter of the list
    session: Session, parent: str | None, offset: int, run: str | None, *, state: str = "", search: str = ""
) -> Json:
    """A piece of what is below an element, or at the top; of all elements with a state, or a name like this."""
    if state or search:
        statement = select(Element).order_by(Element.position)
        if search:
            statement = statement.where(Element.name.icontains(search, autoescape=True))
        if state:
            known = select(Activity.element_id).where(Activity.state == state)
            statement = statement.where(Element.id.in_(known if run is None else known.filter_by(worker_run_id=run)))
    elif parent:
        statement = children_of(parent)
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


def element(session: Transaction, identifier: str, desk: Desk) -> Json | None:
    """One element: where it stands, what was found on it, what became of it."""
    row = session.find(Element, identifier)
    if row is None:
        return None
    below = session.scalars(children_of(row.id).limit(MOST_CHILDREN)).all()
    ids = [child.id for child in below]
    counts = dict(session.execute(_count(ElementLink.parent_id, ids)).all())
    texts = _texts(session, [row.id, *ids])
    image = row.image
    changes = desk.ledger.changes_of(row.id)
    history = [{**represent.pick(c, "time", "state"), "run": c.worker_run_id, "call": c.call} for c in changes]
    failed = any(change["state"] == "error" for change in history[-1:])
    return {
        **_item(row),
        "created": row.created,
        "worker_run": represent.worker_run(row),
        "corpus": row.corpus.name,
        "image": image and {**represent.pick(image, "id", "width", "height"), "url": image.external_url},
        "path": _path(session, row),
        "children": [
            {**_item(c), "children": counts.get(c.id, 0), "transcriptions": texts.get(c.id, [])} for c in below
        ],
        "transcriptions": texts.get(row.id, []),
        "classifications": represent.classifications(row),
        "metadata": represent.metadata_of(row),
        "embeddings": session.scalar(select(func.count()).where(Embedding.element_id == row.id)),
        "history": history,
        "reason": _reason(session, row.id, history[-1]["run"], desk) if failed else [],
    }


def call(row: Call) -> Json:
    """A request with all that is known of it; secrets are hidden."""
    return {**represent.pick(row, *CALL, "query", "headers", "body", "task_id"), "answer": _answer(row)}


def _answer(row: Call) -> Any:
    text = re.sub(r"signature=[^\"&]+", f"signature={MASK}", row.answer)
    try:
        content = json.loads(text)
    except ValueError:
        return text
    if row.operation == "RetrieveSecret" and isinstance(content, dict):
        content["content"] = MASK
    if row.operation == "RetrieveWorkerRunConfiguration" and isinstance(content, dict):
        for item in content.get("configuration", ()):
            if isinstance(item, dict) and item.get("secret"):
                item["value"] = MASK
    return content


def _item(row: Element) -> Json:
    kind = {"type": row.type.slug, "type_name": row.type.display_name, "color": row.type.color}
    shown = represent.pick(row, "id", "name", "polygon", "confidence", "rotation_angle", "mirrored")
    return {**shown, **kind, "run": row.worker_run_id}


def _run(session: Session, row: WorkerRun, desk: Desk) -> Json:
    states = session.execute(
        select(Activity.state, func.count()).where(Activity.worker_run_id == row.id).group_by(Activity.state)
    )
    tasks = session.scalars(select(Task).filter_by(worker_run_id=row.id).order_by(Task.position))
    return {
        "id": row.id,
        "summary": row.summary,
        "mode": row.process.mode,
        "states": dict(states.all()),
        "model": row.model_version and row.model_version.model.name,
        "configuration": list(_configuration(row)),
        "results": {
            name: count
            for name, table in COUNTED.items()
            if (count := session.scalar(select(func.count()).where(table.worker_run_id == row.id)))
        },
        "tasks": [_task(session, task, desk) for task in tasks],
    }


def _task(session: Session, row: Task, desk: Desk) -> Json:
    artifacts = session.scalars(select(Artifact).filter_by(task_id=row.id).order_by(Artifact.path))
    return {
        **represent.pick(row, "id", "slug", "state"),
        "log_size": desk.site.storage.size(f"logs/{row.id}"),
        "artifacts": [represent.pick(artifact, "id", "path", "size") for artifact in artifacts],
    }


def _configuration(row: WorkerRun) -> Iterator[Json]:
    """The options of a run with their values, and where those are from."""
    if row.version.legacy:
        return
    model = row.model_version.configuration if row.model_version else {}
    saved = row.saved or {}
    values = {item["key"]: item for item in declarations.configuration(row.version.declaration, model, saved)}
    for key, option in declarations.fields(row.version.declaration):
        origin = "user" if key in saved else "model" if key in model else "default"
        names = ("type", "display_name", "help_text", "choices", "many", "required")
        yield {
            "key": key,
            "value": values[key]["value"],
            "origin": origin,
            **{name: option.get(name) for name in names},
        }


def _reason(session: Session, identifier: str, run: str, desk: Desk) -> list[str]:
    """What the logs of a run say of an element: each line with its id, and the traceback below it."""
    lines: list[str] = []
    for task in session.scalars(select(Task.id).filter_by(worker_run_id=run).order_by(Task.position)):
        key = f"logs/{task}"
        start = max(0, desk.site.storage.size(key) - LOG_END)
        following = False
        for line in desk.site.storage.read_from(key, start, LOG_END).decode("utf-8", "replace").splitlines():
            following = identifier in line or (following and _continues(line))
            if following:
                lines.append(line)
    # From the first complaint on; what a worker said while all went well comes only where it never complained.
    first = next((number for number, line in enumerate(lines) if COMPLAINT.search(line)), 0)
    return lines[first:][-MOST_LINES:]


def _continues(line: str) -> bool:
    """Whether a line of a log belongs to the one before it, as those of a traceback do."""
    return (
        line.startswith((" ", "\t", "Traceback"))
        or re.match(r"[A-Za-z_.]+(Error|Exception|Warning)\b", line) is not None
    )


def _count(column: Any, ids: list[str]) -> Any:
    return select(column, func.count()).where(column.in_(ids)).group_by(column)


def _states(session: Session, ids: list[str], run: str | None) -> dict[str, str]:
    rows = select(Activity.element_id, Activity.state).where(Activity.element_id.in_(ids))
    if run is not None:
        rows = rows.where(Activity.worker_run_id == run)
    return dict(session.execute(rows.order_by(Activity.position)).all())


def _texts(session: Session, ids: list[str]) -> dict[str, list[Json]]:
    """The transcriptions of elements, each with its entities."""
    chosen = select(Transcription).where(Transcription.element_id.in_(ids)).order_by(Transcription.position)
    rows = session.scalars(chosen).all()
    inside = TranscriptionEntity.transcription_id.in_([row.id for row in rows])
    entities = defaultdict(list)
    for entity in session.scalars(select(TranscriptionEntity).where(inside).order_by(TranscriptionEntity.offset)):
        entities[entity.transcription_id].append(represent.entity(entity))
    found = defaultdict(list)
    for row in rows:
        found[row.element_id].append({**represent.transcription(row), "entities": entities[row.id]})
    return found


def _path(session: Session, row: Element) -> list[Json]:
    """The way from the top to an element, by its first parent each time."""
    path = [row]
    parents = select(Element).join(ElementLink, ElementLink.parent_id == Element.id).order_by(ElementLink.position)
    while parent := session.scalar(parents.where(ElementLink.child_id == path[0].id).limit(1)):
        if parent in path:
            break
        path.insert(0, parent)
    return [_item(parent) for parent in path[:-1]]
