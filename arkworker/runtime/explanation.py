"""What `explain` says of a context: every data field and where it came from, secrets masked; and the schema of that."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from arkworker.options.options import Group, Option, key_of, walk
from arkworker.options.secret import Secret
from arkworker.runtime.log_lines import mask
from arkworker.runtime.origins import FROM_RUN
from arkworker.settings.reading import Reference

if TYPE_CHECKING:
    from arkworker.runtime.context import WorkerContext
    from arkworker.settings.catalogue import WorkerOptions
    from arkworker.settings.provenance import Origin

STARS = "**********"


def explain(context: WorkerContext[Any], worker: WorkerOptions, *, offline: bool = False) -> dict[str, Any]:
    """The interface of `explain --json`: `target`, `mode`, `context`, `origins`.

    Where a worker run was not asked, `unknown` names the values that it may bring.
    """
    return {
        "target": worker.target,
        "mode": "developer" if context.is_read_only else "worker run",
        "context": context_data(context),
        "origins": {name: _origin(name, context.origins[name], worker) for name in sorted(context.origins)},
        **({"unknown": _unknown(context)} if offline and not context.is_read_only else {}),
    }


def _unknown(context: WorkerContext[Any]) -> list[str]:
    origins = context.origins.items()
    weaker = [name for name, origin in origins if name.startswith("config.") and origin.source == "default"]
    return sorted([*weaker, *FROM_RUN, "secrets"])


def context_data(context: WorkerContext[Any]) -> dict[str, Any]:
    """Every data field, as JSON can hold it; what is absent is null, secrets are stars."""
    hidden = ("origins", "_runner")
    names = [item.name for item in dataclasses.fields(context) if item.name not in hidden]
    fields = {name: getattr(context, name) for name in names}
    fields["corpus_id"] = fields.pop("_corpus_id")
    connection = dataclasses.asdict(fields.pop("connection"))
    fields["api"] = connection | {"token": STARS if connection["token"] else None}
    return {name: plain(value) for name, value in fields.items()}


def plain(value: Any) -> Any:
    """A value as JSON can hold it: secrets are stars, and so is what signs an address."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, (Secret, Reference)):
        return STARS
    if isinstance(value, BaseModel):
        fields = {key_of(name, field): getattr(value, name) for name, field in type(value).model_fields.items()}
        return {key: plain(item) for key, item in (fields | (value.model_extra or {})).items()}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    found = str(value) if isinstance(value, Path) else to_jsonable_python(value, fallback=str)
    return mask(found) if isinstance(found, str) else found


def _origin(name: str, origin: Origin, worker: WorkerOptions) -> dict[str, Any]:
    is_secret = name in ("api.token", "api.task_token") or _is_secret(name, worker)
    shadowed = [
        {
            "source": item.origin.source,
            "location": item.origin.location,
            "value": STARS if is_secret and item.value is not None else plain(item.value),
        }
        for item in origin.shadowed
    ]
    return {"source": origin.source, "location": origin.location, "shadowed": shadowed}


def _is_secret(name: str, worker: WorkerOptions) -> bool:
    root, _, path = name.partition(".")
    if root == "secrets":
        return True
    if root == "config":
        option = worker.options.get(path)
        return option is not None and option.is_secret
    parts: list[Option | Group] = list(walk(worker.arguments)) if root == "arguments" and worker.arguments else []
    return any(isinstance(part, Option) and part.name == path and part.is_secret for part in parts)


def leaves(data: Any, name: str = "") -> dict[str, Any]:
    """The leaves of the context's data by their dotted names, for a table."""
    if isinstance(data, dict) and data:
        return {
            leaf: value
            for key, item in data.items()
            for leaf, value in leaves(item, f"{name}.{key}" if name else key).items()
        }
    return {name: data}


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
    "extras_dir": (_OPTIONAL_TEXT, "The directory of extra files, in developer mode."),
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
    """The JSON Schema of a context, as `explain --json` shows it under `context`."""
    from arkworker.arkindex.payload import Process
    from arkworker.settings.schema import DIALECT

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
