"""Caches of every version, written by `sqlite3` alone with the statements that the published library emits."""

# ruff: noqa: E501 - the statements are those of the published library, each on its line

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from pathlib import Path

VERSION_5 = """
CREATE TABLE "version" ("version" INTEGER NOT NULL PRIMARY KEY);
CREATE TABLE "images" ("id" TEXT NOT NULL PRIMARY KEY, "width" INTEGER NOT NULL, "height" INTEGER NOT NULL, "url" TEXT NOT NULL, "version" INTEGER NOT NULL);
CREATE TABLE "elements" ("id" TEXT NOT NULL PRIMARY KEY, "parent_id" TEXT, "type" VARCHAR(50) NOT NULL, "image_id" TEXT, "polygon" text, "rotation_angle" INTEGER NOT NULL, "mirrored" INTEGER NOT NULL, "initial" INTEGER NOT NULL, "worker_version_id" TEXT, "worker_run_id" TEXT, "confidence" REAL, FOREIGN KEY ("image_id") REFERENCES "images" ("id"));
CREATE INDEX "cachedelement_image_id" ON "elements" ("image_id");
CREATE TABLE "transcriptions" ("id" TEXT NOT NULL PRIMARY KEY, "element_id" TEXT NOT NULL, "text" TEXT NOT NULL, "confidence" REAL, "orientation" VARCHAR(50) NOT NULL, "worker_version_id" TEXT, "worker_run_id" TEXT, FOREIGN KEY ("element_id") REFERENCES "elements" ("id"));
CREATE INDEX "cachedtranscription_element_id" ON "transcriptions" ("element_id");
CREATE TABLE "classifications" ("id" TEXT NOT NULL PRIMARY KEY, "element_id" TEXT NOT NULL, "class_name" TEXT NOT NULL, "confidence" REAL NOT NULL, "state" VARCHAR(10) NOT NULL, "worker_run_id" TEXT, FOREIGN KEY ("element_id") REFERENCES "elements" ("id"));
CREATE INDEX "cachedclassification_element_id" ON "classifications" ("element_id");
CREATE TABLE "transcription_entities" ("transcription_id" TEXT NOT NULL, "type" VARCHAR(50) NOT NULL, "offset" INTEGER NOT NULL CHECK (offset >= 0), "length" INTEGER NOT NULL CHECK (length > 0), "worker_run_id" TEXT, "confidence" REAL, PRIMARY KEY ("transcription_id", "type"), FOREIGN KEY ("transcription_id") REFERENCES "transcriptions" ("id"));
CREATE INDEX "cachedtranscriptionentity_transcription_id" ON "transcription_entities" ("transcription_id");
CREATE TABLE "datasets" ("id" TEXT NOT NULL PRIMARY KEY, "name" VARCHAR(255) NOT NULL, "state" VARCHAR(255) NOT NULL DEFAULT 'open', "sets" TEXT NOT NULL);
CREATE TABLE "dataset_elements" ("id" TEXT NOT NULL PRIMARY KEY, "element_id" TEXT NOT NULL, "dataset_id" TEXT NOT NULL, "set_name" VARCHAR(255) NOT NULL, FOREIGN KEY ("element_id") REFERENCES "elements" ("id"), FOREIGN KEY ("dataset_id") REFERENCES "datasets" ("id"));
CREATE INDEX "cacheddatasetelement_element_id" ON "dataset_elements" ("element_id");
CREATE INDEX "cacheddatasetelement_dataset_id" ON "dataset_elements" ("dataset_id");
"""
_IMAGES_5 = VERSION_5[VERSION_5.index('CREATE TABLE "images"') : VERSION_5.index('CREATE TABLE "elements"')]
_ENTITIES_5 = VERSION_5[
    VERSION_5.index('CREATE TABLE "transcription_entities"') : VERSION_5.index('CREATE TABLE "datasets"')
]
VERSION_4 = VERSION_5.replace(
    _IMAGES_5,
    'CREATE TABLE "images" ("id" TEXT NOT NULL PRIMARY KEY, "width" INTEGER NOT NULL, "height" INTEGER NOT NULL, "url" TEXT NOT NULL);\n',
)
VERSION_3 = VERSION_4.replace(
    _ENTITIES_5,
    """
CREATE TABLE "entities" ("id" TEXT NOT NULL PRIMARY KEY, "type" VARCHAR(50) NOT NULL, "name" TEXT NOT NULL, "validated" INTEGER NOT NULL, "metas" text, "worker_run_id" TEXT);
CREATE TABLE "transcription_entities" ("transcription_id" TEXT NOT NULL, "entity_id" TEXT NOT NULL, "offset" INTEGER NOT NULL CHECK (offset >= 0), "length" INTEGER NOT NULL CHECK (length > 0), "worker_run_id" TEXT, "confidence" REAL, PRIMARY KEY ("transcription_id", "entity_id"), FOREIGN KEY ("transcription_id") REFERENCES "transcriptions" ("id"), FOREIGN KEY ("entity_id") REFERENCES "entities" ("id"));
CREATE INDEX "cachedtranscriptionentity_transcription_id" ON "transcription_entities" ("transcription_id");
CREATE INDEX "cachedtranscriptionentity_entity_id" ON "transcription_entities" ("entity_id");
""",
)
SCHEMAS = {3: VERSION_3, 4: VERSION_4, 5: VERSION_5}
TABLES = (
    "images",
    "elements",
    "transcriptions",
    "classifications",
    "transcription_entities",
    "datasets",
    "dataset_elements",
)
Row = dict[str, Any]


def identifier(number: int) -> str:
    """An id as the cache stores it."""
    return f"{number:032x}"


class Rows:
    """Rows with plausible values for what a test does not care about."""

    @staticmethod
    def image(number: int, **values: Any) -> tuple[str, Row]:
        row = {"id": identifier(number), "width": 100, "height": 200, "url": "https://iiif.test/1", "version": 2}
        return "images", {**row, **values}

    @staticmethod
    def element(number: int, **values: Any) -> tuple[str, Row]:
        row = {"id": identifier(number), "type": "page", "rotation_angle": 0, "mirrored": 0, "initial": 0}
        return "elements", {**row, "polygon": "[[0, 0], [9, 0], [9, 9]]", **values}

    @staticmethod
    def transcription(number: int, element: int, **values: Any) -> tuple[str, Row]:
        row = {"id": identifier(number), "element_id": identifier(element), "text": "Le dix-neuvième"}
        return "transcriptions", {**row, "orientation": "horizontal-lr", "confidence": 0.5, **values}

    @staticmethod
    def classification(number: int, element: int, **values: Any) -> tuple[str, Row]:
        row = {"id": identifier(number), "element_id": identifier(element), "class_name": "blank"}
        return "classifications", {**row, "confidence": 0.5, "state": "pending", **values}

    @staticmethod
    def entity(transcription: int, **values: Any) -> tuple[str, Row]:
        row = {"transcription_id": identifier(transcription), "type": "person", "offset": 0, "length": 3}
        return "transcription_entities", {**row, **values}

    @staticmethod
    def dataset(number: int, **values: Any) -> tuple[str, Row]:
        return "datasets", {"id": identifier(number), "name": "words", "state": "open", "sets": "train,test", **values}

    @staticmethod
    def member(number: int, element: int, dataset: int) -> tuple[str, Row]:
        row = {"id": identifier(number), "element_id": identifier(element), "dataset_id": identifier(dataset)}
        return "dataset_elements", {**row, "set_name": "train"}


class WriteCache(Protocol):
    def __call__(
        self, name: str, *rows: tuple[str, Row], version: int = 5, schema: str | None = None, extra: str = ""
    ) -> Path: ...


def insert(connection: sqlite3.Connection, table: str, row: Row) -> None:
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" for _ in row)
    connection.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', tuple(row.values()))


@pytest.fixture
def rows() -> type[Rows]:
    return Rows


@pytest.fixture
def write_cache(tmp_path: Path) -> WriteCache:
    """Write a cache of a version, or with a schema of its own, and return its path."""

    def write(name: str, *rows: tuple[str, Row], version: int = 5, schema: str | None = None, extra: str = "") -> Path:
        path = tmp_path / name
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.executescript(schema if schema is not None else SCHEMAS[version])
            if schema is None or '"version" (' in schema:
                connection.execute("INSERT INTO version VALUES (?)", (version,))
            connection.execute("BEGIN")
            for table, row in rows:
                insert(connection, table, row)
            connection.execute("COMMIT")
            connection.executescript(extra)
        return path

    return write


@pytest.fixture
def read_cache() -> Any:
    """All the rows of a cache, by table, in the order of their ids."""

    def read(path: Path) -> dict[str, list[Row]]:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return {
                table: [dict(row) for row in connection.execute(f'SELECT * FROM "{table}" ORDER BY 1, 2')]
                for table in TABLES
            }

    return read
