from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.emulator.conftest import World

RECONSTRUCTED = Path(__file__).parents[1] / "data" / "openapi-reconstructed.json"


def operations(document: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """What clients go by: method, path, parameters, whether there are pages and a body."""
    found = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parameters = {(item["name"], item["in"]) for item in operation.get("parameters", [])}
            signature = (method, path, operation["x-paginated"], "requestBody" in operation)
            found[operation["operationId"]] = (*signature, parameters)
    return found


def test_the_document_agrees_with_what_published_clients_call(world: World) -> None:
    """Ids, methods, paths, parameters, pages and bodies are those of the reconstructed document."""
    ours = operations(world.client.get("/openapi/", params={"format": "json"}))

    assert ours == operations(json.loads(RECONSTRUCTED.read_text()))


def test_the_document_needs_no_token(world: World) -> None:
    """Clients fetch it before they authenticate."""
    assert world.client.send("GET", "/openapi/", headers={"Authorization": ""}).status_code == 200


def test_bodies_are_described(world: World) -> None:
    """Keys and limits are in the document, without references and without type null."""
    document = world.client.get("/openapi/")
    body = document["paths"]["/api/v1/model/{id}/versions/"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]

    assert schema["properties"]["size"] == {"minimum": 0, "type": "integer", "nullable": True}
    assert "description" in schema["properties"]
    assert "$ref" not in json.dumps(document)
    assert '"null"' not in json.dumps(document)
