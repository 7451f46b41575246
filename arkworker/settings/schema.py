"""The JSON Schema (2020-12) of a worker's configuration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arkworker.settings.catalogue import WorkerOptions

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def as_json_schema(worker: WorkerOptions, description: str = "") -> dict[str, Any]:
    """The schema of the mapping that a configuration file holds."""
    schema: dict[str, Any] = {"$schema": DIALECT}
    if worker.configuration is None:
        return schema | {"title": worker.target, "description": description, "type": "object"}
    schema |= worker.configuration.model_json_schema(by_alias=True)
    if description:
        schema["description"] = description
    return schema


def to_text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
