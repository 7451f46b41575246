"""The statements of schema version 5, what versions 3 and 4 had instead, and the columns that follow from them.

The text of the version 5 tables and indexes is the one that the published library emits: a file with exactly these
statements is taken as it is.
"""

from __future__ import annotations

import enum
import functools
import sqlite3
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_VERSION = 5
MERGED_VERSIONS = (3, 4, 5)

# Which releases of arkindex-base-worker read a version.
RELEASES = MappingProxyType({1: "0.2.4", 2: "0.3.3", 3: "0.3.6 to 0.4.0", 4: "0.5.0", 5: "0.5.1"})

_IMAGES = '("id" TEXT NOT NULL PRIMARY KEY, "width" INTEGER NOT NULL, "height" INTEGER NOT NULL, "url" TEXT NOT NULL'
_ENTITY = '"offset" INTEGER NOT NULL CHECK (offset >= 0), "length" INTEGER NOT NULL CHECK (length > 0), '
_TRACE = '"worker_run_id" TEXT, "confidence" REAL, '

# In the order of their references: a table comes after those that it refers to.
TABLES = MappingProxyType(
    {
        "images": _IMAGES + ', "version" INTEGER NOT NULL)',
        "elements": '("id" TEXT NOT NULL PRIMARY KEY, "parent_id" TEXT, "type" VARCHAR(50) NOT NULL, "image_id" TEXT, '
        '"polygon" text, "rotation_angle" INTEGER NOT NULL, "mirrored" INTEGER NOT NULL, "initial" INTEGER NOT NULL, '
        '"worker_version_id" TEXT, "worker_run_id" TEXT, "confidence" REAL, '
        'FOREIGN KEY ("image_id") REFERENCES "images" ("id"))',
        "transcriptions": '("id" TEXT NOT NULL PRIMARY KEY, "element_id" TEXT NOT NULL, "text" TEXT NOT NULL, '
        '"confidence" REAL, "orientation" VARCHAR(50) NOT NULL, "worker_version_id" TEXT, "worker_run_id" TEXT, '
        'FOREIGN KEY ("element_id") REFERENCES "elements" ("id"))',
        "classifications": '("id" TEXT NOT NULL PRIMARY KEY, "element_id" TEXT NOT NULL, "class_name" TEXT NOT NULL, '
        '"confidence" REAL NOT NULL, "state" VARCHAR(10) NOT NULL, "worker_run_id" TEXT, '
        'FOREIGN KEY ("element_id") REFERENCES "elements" ("id"))',
        "transcription_entities": f'("transcription_id" TEXT NOT NULL, "type" VARCHAR(50) NOT NULL, {_ENTITY}{_TRACE}'
        'PRIMARY KEY ("transcription_id", "type"), '
        'FOREIGN KEY ("transcription_id") REFERENCES "transcriptions" ("id"))',
        "datasets": '("id" TEXT NOT NULL PRIMARY KEY, "name" VARCHAR(255) NOT NULL, '
        '"state" VARCHAR(255) NOT NULL DEFAULT \'open\', "sets" TEXT NOT NULL)',
        "dataset_elements": '("id" TEXT NOT NULL PRIMARY KEY, "element_id" TEXT NOT NULL, "dataset_id" TEXT NOT NULL, '
        '"set_name" VARCHAR(255) NOT NULL, FOREIGN KEY ("element_id") REFERENCES "elements" ("id"), '
        'FOREIGN KEY ("dataset_id") REFERENCES "datasets" ("id"))',
    }
)
_VERSION = '("version" INTEGER NOT NULL PRIMARY KEY)'
_OLDER_TABLES: Mapping[int, Mapping[str, str]] = {
    5: {},
    4: {"images": _IMAGES + ")"},
    3: {
        "images": _IMAGES + ")",
        "entities": '("id" TEXT NOT NULL PRIMARY KEY, "type" VARCHAR(50) NOT NULL, "name" TEXT NOT NULL, '
        '"validated" INTEGER NOT NULL, "metas" text, "worker_run_id" TEXT)',
        "transcription_entities": f'("transcription_id" TEXT NOT NULL, "entity_id" TEXT NOT NULL, {_ENTITY}{_TRACE}'
        'PRIMARY KEY ("transcription_id", "entity_id"))',
    },
}
_INDEXES = {
    "cachedelement_image_id": ("elements", "image_id"),
    "cachedtranscription_element_id": ("transcriptions", "element_id"),
    "cachedclassification_element_id": ("classifications", "element_id"),
    "cachedtranscriptionentity_transcription_id": ("transcription_entities", "transcription_id"),
    "cacheddatasetelement_element_id": ("dataset_elements", "element_id"),
    "cacheddatasetelement_dataset_id": ("dataset_elements", "dataset_id"),
}
# Ours alone: the published library reads the children of an element without any.
_OWN_INDEXES = {"cachedelement_parent_id": ("elements", "parent_id")}


class Kind(enum.Enum):
    """What the values of a column must be, so that the typed models can read them."""

    ID = "32 lower-case hexadecimal characters"
    TEXT = "text in UTF-8"
    INTEGER = "an integer"
    NATURAL = "an integer from 0"
    POSITIVE = "an integer from 1"
    FLAG = "0 or 1"
    REAL = "a finite number"
    POINTS = "a list of points [x, y] in JSON"


_NAMED_KINDS = {
    "polygon": Kind.POINTS,
    "mirrored": Kind.FLAG,
    "initial": Kind.FLAG,
    "validated": Kind.FLAG,
    "offset": Kind.NATURAL,
    "length": Kind.POSITIVE,
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the cache."""

    name: str
    kind: Kind
    nullable: bool
    reference: bool  # a foreign key: what it holds is an id of another table


def create_statements() -> list[str]:
    """The statements that create an empty cache, its version row included, without the indexes."""
    tables = [f'CREATE TABLE "{name}" {columns}' for name, columns in {"version": _VERSION, **TABLES}.items()]
    return [*tables, f'INSERT INTO "version" ("version") VALUES ({SCHEMA_VERSION})']  # noqa: S608 - a constant


def index_statements() -> dict[str, str]:
    """The statement that creates each index, by name."""
    indexes = {**_INDEXES, **_OWN_INDEXES}
    return {name: f'CREATE INDEX "{name}" ON "{table}" ("{column}")' for name, (table, column) in indexes.items()}


def is_exactly_ours(objects: set[tuple[str, str, str | None]]) -> bool:
    """Whether (type, name, statement) of all the objects of a file are those of version 5, our own indexes or not."""
    ours = _exact_objects()
    optional = {entry for entry in ours if entry[1] in _OWN_INDEXES}
    return ours - optional <= objects <= ours


@functools.cache
def columns_of(version: int) -> Mapping[str, tuple[Column, ...]]:
    """The columns of every table of a version but `version` itself, in the order of TABLES."""
    connection = sqlite3.connect(":memory:")
    tables = {**TABLES, **_OLDER_TABLES[version]}
    for name, definition in tables.items():
        connection.execute(f'CREATE TABLE "{name}" {definition}')
    columns = {name: _columns(connection, name) for name in tables}
    connection.close()
    return MappingProxyType(columns)


def _columns(connection: sqlite3.Connection, table: str) -> tuple[Column, ...]:
    rows = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
    references = {row[3] for row in connection.execute(f'PRAGMA foreign_key_list("{table}")')}
    return tuple(
        Column(name, _kind(name, declared), nullable=not required, reference=name in references)
        for _, name, declared, required, *_ in rows
    )


def _kind(name: str, declared: str) -> Kind:
    if name == "id" or name.endswith("_id"):
        return Kind.ID
    return _NAMED_KINDS.get(name) or {"INTEGER": Kind.INTEGER, "REAL": Kind.REAL}.get(declared, Kind.TEXT)


@functools.cache
def _exact_objects() -> frozenset[tuple[str, str, str | None]]:
    connection = sqlite3.connect(":memory:")
    for statement in [*create_statements(), *index_statements().values()]:
        connection.execute(statement)
    objects = frozenset(connection.execute("SELECT type, name, sql FROM sqlite_master"))
    connection.close()
    return objects
