"""The SQLite export of a real Arkindex, read into the emulator, to reproduce production bugs on one machine."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
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
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from arkworker.emulator.emulator import Emulator

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
        names: dict[str, str] = {}
        versions = []
        for row in self._rows("worker_version"):
            names[row["id"]] = str(row["name"])
            declaration = {"slug": row["slug"], "display_name": row["name"], "type": row["type"], "configuration": []}
            versions.append({"id": row["id"], "worker_id": new_id(), "declaration": declaration})
        self._write(WorkerVersion, versions)
        runs = self._rows("worker_run")
        models = {row["model_version_id"]: row for row in runs if row.get("model_version_id")}
        known = {row["model_id"]: {"id": row["model_id"], "name": row["model_name"]} for row in models.values()}
        self._write(Model, known.values())
        of_models = [{"id": key, "model_id": row["model_id"], "configuration": {}} for key, row in models.items()]
        self._write(ModelVersion, of_models)
        self._write(
            WorkerRun,
            (
                {
                    "id": row["id"],
                    "process_id": process,
                    "version_id": row["worker_version_id"],
                    "model_version_id": row.get("model_version_id"),
                    "summary": f"Worker {names[row['worker_version_id']]} @ {row['worker_version_id'][:6]}",
                    "parents": [],
                    "saved": json.loads(row["configuration"]) if row.get("configuration") else None,
                }
                for row in runs
            ),
        )

    def _add_elements(self, corpus: str) -> None:
        self._write(
            Image,
            (
                {
                    "id": row["id"],
                    "path": row["url"].rpartition("/")[2],
                    "width": row["width"],
                    "height": row["height"],
                    "external_url": row["url"],
                }
                for row in self._rows("image")
            ),
        )
        # What a type is, the export does not tell; one that never has an image is a folder.
        found = self._file.execute("SELECT type, count(image_id) FROM element GROUP BY type ORDER BY min(rowid)")
        types = {slug: {"id": new_id(), "slug": slug, "folder": not images} for slug, images in found}
        for number, item in enumerate(types.values()):
            item |= {"corpus_id": corpus, "display_name": item["slug"], "color": COLORS[number % len(COLORS)]}
        self._write(ElementType, types.values())
        self._write(
            Element,
            (
                {
                    "id": row["id"],
                    "corpus_id": corpus,
                    "type_id": types[row["type"]]["id"],
                    "name": row["name"],
                    "image_id": row["image_id"],
                    "polygon": closed(json.loads(row["polygon"])) if row["polygon"] else None,
                    "rotation_angle": row.get("rotation_angle") or 0,
                    "mirrored": bool(row.get("mirrored")),
                    "confidence": row.get("confidence"),
                    "worker_run_id": row.get("worker_run_id"),
                    "created": _moment(row.get("created")),
                }
                for row in self._rows("element")
            ),
        )
        links = self._rows("element_path", "ORDER BY parent_id, ordering, rowid")
        self._write(ElementLink, ({key: row[key] for key in ("parent_id", "child_id")} for row in links))

    def _add_results(self, corpus: str) -> None:
        texts = ("id", "element_id", "text", "confidence", "orientation", "worker_run_id")
        self._write(Transcription, self._picked("transcription", texts))
        ids = {row["class_name"]: new_id() for row in self._rows("classification")}
        self._write(MLClass, ({"id": ids[name], "corpus_id": corpus, "name": name} for name in ids))
        self._write(
            Classification,
            (
                {**row, "ml_class_id": ids[name]}
                for row in self._picked(
                    "classification", ("id", "element_id", "confidence", "worker_run_id", "class_name")
                )
                for name in [row.pop("class_name")]
            ),
        )
        self._write(MetaData, self._picked("metadata", ("id", "element_id", "type", "name", "value", "worker_run_id")))
        kinds = self._rows("entity_type")
        colors = [row.get("color") or ENTITY_COLORS[n % len(ENTITY_COLORS)] for n, row in enumerate(kinds)]
        self._write(
            EntityType,
            (
                {"id": row["id"], "corpus_id": corpus, "name": row["name"], "color": color}
                for row, color in zip(kinds, colors, strict=True)
            ),
        )
        names = ("id", "transcription_id", "type_id", "offset", "length", "confidence", "worker_run_id")
        if "type_id" in self.columns.get("transcription_entity", ()):  # before Arkindex 1.9 it named entities
            self._write(TranscriptionEntity, self._picked("transcription_entity", names))
        vectors = self._picked("embedding", ("id", "element_id", "value", "worker_run_id"))
        self._write(Embedding, ({**row, "value": json.loads(row["value"])} for row in vectors))

    def _add_datasets(self, corpus: str) -> None:
        sets: dict[tuple[str, str], str] = {}
        for row in self._rows("dataset"):
            self._write(
                Dataset,
                [{"id": row["id"], "corpus_id": corpus, "name": row["name"], "description": row["description"] or ""}],
            )
            sets |= {(row["id"], name): new_id() for name in (row.get("sets") or "").split(",") if name}
        members = self._rows("dataset_element")
        sets = {(row["dataset_id"], row["set_name"]): new_id() for row in members} | sets
        self._write(DatasetSet, ({"id": i, "dataset_id": dataset, "name": name} for (dataset, name), i in sets.items()))
        self._write(
            DatasetElement,
            ({"set_id": sets[row["dataset_id"], row["set_name"]], "element_id": row["element_id"]} for row in members),
        )

    def _rows(self, table: str, order: str = "ORDER BY rowid") -> list[dict[str, Any]]:
        """All rows of a table, ids as Arkindex writes them; none where the export has no such table."""
        if table not in self.columns:
            return []
        found = self._file.execute(f'SELECT * FROM "{table}" {order}')  # noqa: S608 - names of the structure above
        return [{key: _id(key, row[key]) for key in row.keys()} for row in found]  # noqa: SIM118 - a row is not a mapping

    def _picked(self, table: str, names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        for row in self._rows(table):
            yield {name: row.get(name) for name in names}

    def _write(self, table: type[Base], rows: Iterable[dict[str, Any]]) -> None:
        piece: list[dict[str, Any]] = []
        for row in rows:
            piece.append(row)
            if len(piece) == PIECE:
                self._session.execute(insert(table), piece)
                piece = []
        if piece:
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
