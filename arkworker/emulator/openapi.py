"""The OpenAPI document of the emulator, drawn from its table of operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel

    from arkworker.emulator.endpoint import Operation

PATH = "/api/v1/openapi/"


def document(operations: Iterable[Operation], url: str, edition: str) -> dict[str, Any]:
    """The document of these operations, served at `url`."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.template, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.0.3",
        "info": {"title": f"Emulated Arkindex API ({edition})", "version": "1.12.0"},
        "servers": [{"url": url}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "tokenAuth": {"type": "http", "scheme": "Token"},
                "taskAuth": {"type": "http", "scheme": "Ponos"},
            }
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    description: dict[str, Any] = {
        "operationId": operation.id,
        "description": (operation.handler.__doc__ or "").strip(),
        "parameters": [_path_parameter(name) for name in operation.path_parameters],
        "responses": {str(operation.status): {"description": ""}},
        "security": [{"taskAuth": []}] if operation.task_only else [{"tokenAuth": []}, {"taskAuth": []}],
        "x-paginated": operation.is_paginated,
    }
    if operation.query is not None:
        description["parameters"] += _query_parameters(operation.query)
    if operation.body is not None:
        content = {"application/json": {"schema": _inline(operation.body.model_json_schema())}}
        description["requestBody"] = {"content": content}
    return description


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = _inline(model.model_json_schema())
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": part}
        for name, part in schema["properties"].items()
    ]


def _inline(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema as OpenAPI 3.0 and its readers know it: no `$defs`, no type null, nothing but validation."""
    definitions = schema.get("$defs", {})

    def walk(part: Any) -> Any:
        if isinstance(part, list):
            return [walk(item) for item in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return walk(definitions[part["$ref"].rsplit("/", 1)[-1]])
        if part.get("type") == "null":
            return {"nullable": True}
        kinds = [kind for kind in part.get("anyOf", ()) if kind != {"type": "null"}]
        if len(kinds) < len(part.get("anyOf", ())):
            rest = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
            return {**walk(rest), "nullable": True}
        return {key: walk(value) for key, value in part.items() if key not in _LEFT_OUT}

    # A property may have the name of a keyword that is left out, such as `description`.
    def properties(part: Any) -> Any:
        walked = walk(part)
        for name, value in part.get("properties", {}).items():
            walked["properties"][name] = walk(value)
        return walked

    return dict(properties(schema))


_LEFT_OUT = frozenset({"$defs", "title", "default", "description", "additionalProperties"})
