"""The JSON Schemas (2020-12) in `schemas/`, of what reaches a worker and what it writes, whatever it declares.

`python -m arkworker.cli.schema_files --write schemas` writes them, `--check` compares them.

Those of environment, file and payloads are made here. Each is true as far as JSON Schema goes: what a worker accepts
validates, what it refuses does not. Beyond it lie:

- names: which options there are is in each worker's own schema (`arkworker schema TARGET`);
- keys and options given twice, and all limits on size and depth;
- text of files and variables: an unquoted `1.10` is text for an option that takes text, a number to a JSON parser;
- the port of a URL, the largest number of a variable, and whether a file, a directory or an id exists.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import TypeAdapter

from arkworker.arkindex.payload import LegacyRun, ModernConfiguration, WorkerRun
from arkworker.cli.descriptions import descriptions
from arkworker.options.options import ENVIRONMENT_PREFIX
from arkworker.runtime.explanation import context_schema
from arkworker.settings.platform import platform_fields, variable_of
from arkworker.settings.schema import DIALECT, to_text
from arkworker.settings.sources.configuration import CONFIGURATION, WORKER_RUN
from arkworker.storage import files
from arkworker.storage.recording.lines import line_schema

if TYPE_CHECKING:
    from pydantic import BaseModel

_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}


def platform_schemas() -> dict[str, dict[str, Any]]:
    """Each schema by the name of its file."""
    return {
        "configuration-file.schema.json": _configuration_file(),
        "environment.schema.json": _environment(),
        "modern-configuration.schema.json": _payload(ModernConfiguration, f"The answer of {CONFIGURATION}"),
        "worker-run.schema.json": _payload(
            WorkerRun, f"The answer of {WORKER_RUN}, where the instance merges the configuration itself"
        ),
        "worker-run-legacy.schema.json": _legacy_run(),
    }


def _environment() -> dict[str, Any]:
    paths = {variable_of(field): path for path, field in platform_fields().items() if variable_of(field)}
    return {
        "$schema": DIALECT,
        "title": "The environment of a worker",
        "description": "An empty variable counts as absent; variables that are not named here are not read.",
        "type": "object",
        "properties": {name: _variable(paths[name]) for name in sorted(filter(None, paths))},
        "patternProperties": {
            f"^{ENVIRONMENT_PREFIX}_.": {"description": "An option of the worker, by the name of its field."}
        },
        "additionalProperties": {"type": "string"},
    }


def _variable(path: tuple[str, ...]) -> dict[str, Any]:
    """A variable is text; the type of its field says which."""
    schema: dict[str, Any] = {"description": descriptions()[path], "type": "string"}
    field = platform_fields()[path]
    annotated: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    typed = TypeAdapter(annotated).json_schema(mode="validation")
    options = [option for option in typed.get("anyOf", [typed]) if option.get("type") != "null"]
    kind = options[0].get("type")
    if kind == "integer":
        positive = r"(?=[\s+0_]*[1-9])" if options[0].get("minimum") == 1 else ""
        schema["pattern"] = rf"^({positive}\s*\+?[0-9]+(_[0-9]+)*(\.0+)?\s*)?$"
    elif kind == "string":
        schema |= _allow_empty({key: value for key, value in options[0].items() if key not in ("title", "type")})
    elif kind == "boolean":
        schema["description"] += " 0, false, no, off and the empty text mean off; any other text means on."
    return schema


def _allow_empty(constraints: dict[str, Any]) -> dict[str, Any]:
    if "pattern" not in constraints:
        return constraints
    return {"anyOf": [{"const": ""}, {key: value for key, value in constraints.items() if key != "format"}]}


def _configuration_file() -> dict[str, Any]:
    common = {
        "extras_dir": _TEXT | {"description": "Directory with extra files, such as a model."},
        "secrets": {"type": "array", "items": _TEXT, "description": "Names of secrets to load."},
    }
    item = {
        "type": "object",
        "properties": {"key": _TEXT, "value": {}, "secret": {"type": "boolean"}},
        "required": ["key", "value", "secret"],
        "additionalProperties": False,
    }
    modern = {
        "title": "The list that Arkindex sends",
        "type": "object",
        "properties": common | {"configuration": {"type": "array", "items": item}},
        "required": ["configuration"],
        "additionalProperties": False,
    }
    flat = {
        "title": "A mapping of options; `debug` turns on debug logs",
        "type": "object",
        "properties": common | {"configuration": False},
        "propertyNames": {"minLength": 1},
    }
    return {
        "$schema": DIALECT,
        "title": "The configuration file of a worker (-c FILE)",
        "oneOf": [{"type": "null"}, flat, modern],
    }


def _payload(model: type[BaseModel], title: str) -> dict[str, Any]:
    return {"$schema": DIALECT} | model.model_json_schema(mode="validation") | {"title": title}


def _legacy_run() -> dict[str, Any]:
    """A worker run that carries the layers of its configuration: both models hold of it."""
    run, layers = (model.model_json_schema(mode="validation") for model in (WorkerRun, LegacyRun))
    definitions = run.pop("$defs") | layers.pop("$defs")
    return {
        "$schema": DIALECT,
        "title": f"The answer of {WORKER_RUN}, where it carries the layers of the configuration",
        "allOf": [run, layers],
        "$defs": definitions,
    }


def texts() -> dict[str, str]:
    """The content of each file by its name."""
    schemas = platform_schemas() | {"context.schema.json": context_schema(), "results.schema.json": line_schema()}
    return {name: to_text(schema) for name, schema in sorted(schemas.items())}


def main() -> int:
    parser = argparse.ArgumentParser(prog="schema_files", description="Write the schemas, or check them.")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", metavar="DIR", type=Path)
    action.add_argument("--check", metavar="DIR", type=Path)
    flags = parser.parse_args()
    if flags.write:
        for name, text in texts().items():
            files.replace(flags.write / name, text.encode())
        return 0
    stale = stale_files(flags.check)
    for name in stale:
        sys.stderr.write(f"{flags.check / name} is not up to date: run `make schemas`\n")
    return int(bool(stale))


def stale_files(directory: Path) -> list[str]:
    """The files that are missing, different, or no longer generated."""
    expected = texts()
    found = {path.name: path.read_text(encoding="utf-8") for path in directory.glob("*.json")}
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


if __name__ == "__main__":
    sys.exit(main())
