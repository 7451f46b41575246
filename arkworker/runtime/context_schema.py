"""The JSON Schema of a context, as `explain --json` shows it under `context`."""

from __future__ import annotations

from typing import Any

from arkworker.arkindex.payload import Process
from arkworker.settings.schema import DIALECT

_TEXT = {"type": "string"}
_OPTIONAL_TEXT = {"type": ["string", "null"]}
_OBJECT = {"type": "object"}

_PROPERTIES: dict[str, tuple[dict[str, Any], str]] = {
    "config": (_OBJECT, "The worker's configuration, by the names of its options."),
    "arguments": ({"type": ["object", "null"]}, "The worker's extra flags; null without any."),
    "secrets": ({"type": "object", "additionalProperties": {"const": "**********"}}, "The loaded secrets, masked."),
    "is_read_only": ({"type": "boolean"}, "Nothing is written on Arkindex."),
    "worker_run_id": (_OPTIONAL_TEXT, "The worker run that results are signed with; null in developer mode."),
    "task_id": (_OPTIONAL_TEXT, "The Ponos task."),
    "task_chunk": (_OPTIONAL_TEXT, "Index of the chunk that the task works on."),
    "task_data_dir": (_TEXT, "Root of the tasks' data."),
    "work_dir": (_TEXT, "Directory of this task; files left there become its artifacts."),
    "process": ({"anyOf": [{"$ref": "#/$defs/Process"}, {"type": "null"}]}, "The process of the worker run."),
    "worker_details": (_OBJECT, "The worker as Arkindex describes it."),
    "corpus_id": (_OPTIONAL_TEXT, "The corpus (project) to work on."),
    "model_version_id": (_OPTIONAL_TEXT, "The model version to work with."),
    "model_details": (_OBJECT, "The model, with its id."),
    "model_configuration": (_OBJECT, "The configuration kept with the model version."),
    "use_cache": ({"type": "boolean"}, "Whether the worker has a cache."),
    "cache_path": (_OPTIONAL_TEXT, "The file of the cache; null for one in memory, or none."),
    "secrets_dir": (_TEXT, "The local secrets directory."),
    "model_dir": (_OPTIONAL_TEXT, "Where the agent put the files of the model."),
    "extras_dir": (_OPTIONAL_TEXT, "Where a person put extra files, in developer mode."),
    "api": (
        {
            "type": "object",
            "properties": {
                "url": {"type": "string", "format": "uri"},
                "token": {"enum": ["**********", None]},
                "scheme": _TEXT,
                "schema_url": _OPTIONAL_TEXT,
                "csrf_cookie": _OPTIONAL_TEXT,
                "verify": {"type": "boolean"},
                "ca_bundle": _OPTIONAL_TEXT,
                "user_agent": _OPTIONAL_TEXT,
                "connect_timeout": {"type": "number", "description": "seconds"},
                "read_timeout": {"type": "number", "description": "seconds"},
            },
            "required": ["url", "token", "scheme"],
            "additionalProperties": False,
        },
        "How Arkindex is reached.",
    ),
}


def context_schema() -> dict[str, Any]:
    process = Process.model_json_schema(mode="serialization")
    return {
        "$schema": DIALECT,
        "title": "The context of a worker, as explain --json shows it",
        "type": "object",
        "properties": {name: schema | {"description": text} for name, (schema, text) in _PROPERTIES.items()},
        "required": sorted(_PROPERTIES),
        "additionalProperties": False,
        "$defs": {"Process": process},
    }
