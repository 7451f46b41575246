"""The JSON Schema (2020-12) of a worker's configuration file.

What it says is what `check` does, in both directions, but for what JSON Schema cannot say:

- a plain number or word is text for an option that takes text, as in `name: 5`: schemas see a number;
- names with dots (`advanced.batch_size`) and the list under `configuration:`, which programs write;
- values that exist or not: the 30th of February, a file, the port of an address; integers written as `1e3`;
- keys given twice, limits on size and depth, numbers beyond 64 bits, and validators of the author.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from arkworker.options.options import DEBUG

if TYPE_CHECKING:
    from arkworker.settings.catalogue import WorkerOptions

DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: What a file may hold besides options; options are not called so.
_RESERVED: dict[str, dict[str, Any]] = {
    DEBUG: {"type": ["boolean", "null"], "description": "Log at level DEBUG."},
    "extras_dir": {
        "type": ["string", "null"],
        "minLength": 1,
        "description": "Directory with extra files, such as a model.",
    },
    "secrets": {
        "type": ["array", "null"],
        "items": {"type": "string", "minLength": 1},
        "description": "Names of secrets to load.",
    },
}
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,9})?)?"
_BYTE = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?"
#: `format` says what is meant, and most validators do not look at it.
_FORMATS = {
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "date-time": rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt _]{_TIME}.*$",
    "time": rf"^{_TIME} ?([Zz]|[-+][0-9]{{2}}:?[0-9]{{2}})?$",
    "duration": rf"^[-+]?([Pp][0-9YMWDTHSymwdths.,]+|([0-9]+ ?[Dd][a-zA-Z]*,? ?)?{_CLOCK}|[0-9]+ ?[Dd][a-zA-Z]*,?)$",
    "uuid": r"^(urn:uuid:|\{)?[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?$",
    "uri": r"^\s*[a-zA-Z][a-zA-Z0-9+.-]*:.",
    "ipv4": rf"^({_BYTE}\.){{3}}{_BYTE}$",
    "ipv6": r"^[0-9a-fA-F.]*:[0-9a-fA-F:.]*(%.+)?$",
    "ipv4network": r"^([0-9]{1,3}\.){3}[0-9]{1,3}(/[0-9.]+)?$",
    "ipv6network": r"^[0-9a-fA-F.]*:[0-9a-fA-F:.]*(/[0-9]+)?$",
}


def as_json_schema(worker: WorkerOptions, description: str = "") -> dict[str, Any]:
    """The schema of the mapping that a configuration file holds."""
    schema: dict[str, Any] = {"$schema": DIALECT}
    if worker.configuration is None:
        return schema | {"title": worker.target, "description": description, "type": "object"}
    schema |= _exact(worker.configuration.model_json_schema(by_alias=True))
    declared = schema.get("properties", {})
    schema["properties"] = declared | {name: of for name, of in _RESERVED.items() if name not in declared}
    if description:
        schema["description"] = description
    return schema


def _exact(schema: Any) -> Any:
    """The schema with a pattern for each format, and the tag of each union that one is chosen by."""
    if isinstance(schema, list):
        return [_exact(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    pattern = _FORMATS.get(schema["format"]) if isinstance(schema.get("format"), str) else None
    added: dict[str, Any] = {}
    if pattern and "pattern" not in schema and schema.get("type") == "string":
        added["pattern"] = pattern
    if isinstance(schema.get("discriminator"), dict) and "oneOf" in schema:
        added["required"] = [schema["discriminator"]["propertyName"]]
    return {key: part if key in ("default", "examples") else _exact(part) for key, part in schema.items()} | added


def to_text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
