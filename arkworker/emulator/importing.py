"""The SQLite export of a real Arkindex, read into the emulator, to reproduce production bugs on one machine."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.exc import DatabaseError

from arkworker.emulator.arrange.corpora import spelled
from arkworker.emulator.tables import (
    COLORS,
    ENTITY_COLORS,
    Base,
    Classification,
    Corpus,
    Dataset,
    DatasetElement,
    DatasetSet,
    Element,
    ElementLink,
    ElementType,
    Embedding,
    EntityType,
    Image,
    MetaData,
    MLClass,
    Model,
    ModelVersion,
    Process,
    Transcription,
    TranscriptionEntity,
    WorkerRun,
    WorkerVersion,
    new_id,
)
from arkworker.emulator.values import closed
from arkworker.errors import ConfigurationError, Problem, UsageError
from arkworker.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sqlalchemy.orm import Session

    from arkworker.emulator.emulator import Emulator
    from arkworker.emulator.tables import Json

# Without these it is another file.
NEEDED = frozenset({"element", "element_path", "image"})
PIECE = 5000  # rows that are written at a time


def import_export(emulator: Emulator, path: Path) -> str:
    """Put all that an export holds into the emulator, under the ids that it has there; the id of its corpus.

    Images stay where they are, on their IIIF server.

    Raises:
        ConfigurationError: It is missing, or is not a file.
        UsageError: It cannot be read, is not an export, or contradicts itself.
    """
    shown = printable(str(path))
    if not path.is_file():
        raise ConfigurationError([Problem("", "export", shown, "it is missing, or is not a file")])
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as file:
            file.row_factory = sqlite3.Row
            with emulator.database.transaction() as session:
                return _Import(file, session).run(spelled(path.stem))
    except (sqlite3.Error, DatabaseError) as error:
        raise UsageError(f"cannot read the export {shown}: {getattr(error, 'orig', error)}") from None
    except (ValueError, KeyError, IndexError) as error:
        raise UsageError(f"cannot read the export {shown}: {printable(str(error))}") from None


class _Import:
    """One export on its way in.

    Attributes:
        columns: Of each of its tables; older exports have fewer.
    """

    def __init__(self, file: sqlite3.Connection, session: Session) -> None:
        self._file = file
        self._session = session
        tables = [row[0] for row in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        self.columns = {
            table: {row["name"] for row in file.execute("SELECT name FROM pragma_table_info(?)", (table,))}
            for table in tables
        }
        if missing := sorted(NEEDED - self.columns.keys()):
            raise ValueError(f"it is not an Arkindex export: it has no table {missing[0]}")

    def run(self, name: str) -> str:
        corpus = new_id()
        self._write(Corpus, [{"id": corpus, "name": name}])
        self._add_runs(corpus)
        self._add_elements(corpus)
        self._add_results(corpus)
        self._add_datasets(corpus)
        return corpus

    def _add_runs(self, corpus: str) -> None:
        """Worker versions, the runs of the past with their models, all in one process."""
        process = new_id()
        self._write(Process, [{"id": process, "corpus_id": corpus, "state": "completed", "chunks": 0}])
        names = {row["id"]: str(row["name"]) for row in self._rows("worker_version")}

        def declare(row: Json) -> Json:
            shown = {"slug": row["slug"], "display_name": row["name"], "type": row["type"], "configuration": []}
            return {"worker_id": new_id(), "declaration": shown}

        def configure(row: Json) -> Json:
            version = row["worker_version_id"]
            saved = json.loads(row["configuration"]) if row.get("configuration") else None
            summary = f"Worker {names[version]} @ {version[:6]}"
            of_process = {"process_id": process, "version_id": version, "parents": []}
            return {**of_process, "model_version_id": row.get("model_version_id"), "summary": summary, "saved": saved}

        self._copy(WorkerVersion, "worker_version", declare)
        models = {row["model_version_id"]: row for row in self._rows("worker_run") if row.get("model_version_id")}
        known = {row["model_id"]: {"id": row["model_id"], "name": row["model_name"]} for row in models.values()}
        self._write(Model, known.values())
        of_models = [{"id": key, "model_id": row["model_id"], "configuration": {}} for key, row in models.items()]
        self._write(ModelVersion, of_models)
        self._copy(WorkerRun, "worker_run", configure)

    def _add_elements(self, corpus: str) -> None:
        self._copy(Image, "image", lambda row: {"path": row["url"].rpartition("/")[2], "external_url": row["url"]})
        # What a type is, the export does not tell; one that never has an image is a folder.
        found = self._file.execute("SELECT type, count(image_id) FROM element GROUP BY type ORDER BY min(rowid)")
        types = {slug: {"id": new_id(), "slug": slug, "folder": not images} for slug, images in found}
        for number, item in enumerate(types.values()):
            item |= {"corpus_id": corpus, "display_name": item["slug"], "color": COLORS[number % len(COLORS)]}
        self._write(ElementType, types.values())
        self._copy(
            Element,
            "element",
            lambda row: {
                "corpus_id": corpus,
                "type_id": types[row["type"]]["id"],
                "polygon": closed(json.loads(row["polygon"])) if row["polygon"] else None,
                "rotation_angle": row.get("rotation_angle") or 0,
                "mirrored": bool(row.get("mirrored")),
                "created": _moment(row.get("created")),
            },
        )
        self._copy(ElementLink, "element_path", order="parent_id, ordering, rowid")

    def _add_results(self, corpus: str) -> None:
        self._copy(Transcription, "transcription")
        classes = {row["class_name"]: new_id() for row in self._rows("classification")}
        self._write(MLClass, ({"id": classes[name], "corpus_id": corpus, "name": name} for name in classes))
        self._copy(Classification, "classification", lambda row: {"ml_class_id": classes[row["class_name"]]})
        self._copy(MetaData, "metadata")
        colors = cycle(ENTITY_COLORS)
        self._copy(
            EntityType,
            "entity_type",
            lambda row: {"corpus_id": corpus, "color": row.get("color") or next(colors)},
        )
        if "type_id" in self.columns.get("transcription_entity", ()):  # before Arkindex 1.9 it named entities
            self._copy(TranscriptionEntity, "transcription_entity")
        self._copy(
            Embedding,
            "embedding",
            lambda row: {"value": json.loads(row["value"]), "created": _moment(row.get("created"))},
        )

    def _add_datasets(self, corpus: str) -> None:
        self._copy(Dataset, "dataset", lambda row: {"corpus_id": corpus, "description": row["description"] or ""})
        members = [(row["dataset_id"], row["set_name"]) for row in self._rows("dataset_element")]
        for row in self._rows("dataset"):
            members += [(row["id"], name) for name in (row.get("sets") or "").split(",") if name]
        sets = {pair: new_id() for pair in members}
        self._write(DatasetSet, ({"id": i, "dataset_id": dataset, "name": name} for (dataset, name), i in sets.items()))
        self._copy(DatasetElement, "dataset_element", lambda row: {"set_id": sets[row["dataset_id"], row["set_name"]]})

    def _rows(self, table: str, order: str = "rowid") -> list[Json]:
        """All rows of a table, ids as Arkindex writes them; none where the export has no such table."""
        if table not in self.columns:
            return []
        found = self._file.execute(f'SELECT * FROM "{table}" ORDER BY {order}')  # noqa: S608 - names of the structure
        return [{key: _id(key, row[key]) for key in row.keys()} for row in found]  # noqa: SIM118 - a row is not a mapping

    def _copy(
        self, table: type[Base], source: str, given: Callable[[Json], Json] = lambda _row: {}, order: str = "rowid"
    ) -> None:
        """Take over a table of the export: the columns that both have, and what `given` says of each row."""
        names = [column.name for column in table.__table__.columns if column.name in self.columns.get(source, ())]
        self._write(table, ({**{name: row[name] for name in names}, **given(row)} for row in self._rows(source, order)))

    def _write(self, table: type[Base], rows: Iterable[Json]) -> None:
        remaining = iter(rows)
        while piece := list(islice(remaining, PIECE)):
            self._session.execute(insert(table), piece)


def _id(key: str, value: Any) -> Any:
    """An id with its dashes, as the API shows it."""
    if not isinstance(value, str) or not (key == "id" or key.endswith("_id")) or key == "configuration_id":
        return value
    return str(UUID(value))


def _moment(seconds: Any) -> str:
    """A moment as Arkindex writes it."""
    moment = datetime.fromtimestamp(seconds or 0, UTC) if isinstance(seconds, int | float) else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
