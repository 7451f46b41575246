"""The ASGI application: the API and the page on one port, files and images on another."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router

from arkworker.emulator import openapi, viewer
from arkworker.emulator.desk import JSON, Answer, Exchange, dump
from arkworker.emulator.endpoint import API, Endpoint
from arkworker.emulator.failures import ApiFailureError, missing
from arkworker.emulator.files import FileEndpoint, ImageEndpoint
from arkworker.emulator.resources import all_operations

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from arkworker.emulator.database import Database
    from arkworker.emulator.desk import Desk
    from arkworker.emulator.ledger import Call


# Operations of Arkindex that workers do not use, by method and path, so that a refusal can name them.
LACKING = {
    "GET /user/": "RetrieveUser",
    "GET /corpus/": "ListCorpus",
    "POST /corpus/": "CreateCorpus",
    "PATCH /corpus/{id}/": "PartialUpdateCorpus",
    "DELETE /corpus/{id}/": "DestroyCorpus",
    "PUT /element/{id}/": "UpdateElement",
    "DELETE /element/{id}/": "DestroyElement",
    "GET /process/": "ListProcesses",
    "GET /process/{id}/": "RetrieveProcess",
    "GET /transcription/{id}/": "RetrieveTranscription",
    "PATCH /transcription/{id}/": "PartialUpdateTranscription",
    "DELETE /transcription/{id}/": "DestroyTranscription",
}
_ID = re.compile(r"(?<=/)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=/|$)", re.IGNORECASE)


def create_application(desk: Desk, database: Database, host: str) -> ASGIApp:
    """Everything that the emulator answers.

    Args:
        desk: Where all requests pass by.
        database: What they are about.
        host: Where it listens.
    """
    operations = all_operations(desk.site.edition)
    routes = [Route(API + item.path, Endpoint(item, desk, database), methods=[item.method]) for item in operations]
    nowhere = Window(desk, refuse_path)
    files = [
        Route("/storage/{key:path}", FileEndpoint(desk), methods=["GET", "PUT"]),
        *_image_routes(ImageEndpoint(desk, database)),
    ]
    pages = viewer.routes(desk, database)
    # Last, without a method: what is left of a known path is the wrong method.
    refusals = [Route(path, Window(desk, refuse_method)) for path in {API + item.path for item in operations}]
    # Below a path that is known, what is not an id is 404; below others the operation is one that is not here.
    patterns = {re.sub(r":(?!path)\w+", "", API + item.path) for item in all_operations("enterprise")}
    refusals += [Route(path, nowhere) for path in patterns]
    refusals.append(Route(API + "/{path:path}", Window(desk, refuse_operation)))
    known = [*routes, Route(openapi.PATH, Window(desk, describe, "GetDocument")), *files, *pages, *refusals]
    api = Router(known, redirect_slashes=False, default=nowhere)
    storage = Router(files, redirect_slashes=False, default=nowhere)
    middleware = [Middleware(Guard, host=host)]
    return Starlette(routes=[Mount("/", Ports(desk, api, storage))], middleware=middleware)


def _image_routes(endpoint: ASGIApp) -> list[Route]:
    base = "/iiif/{version:int}/{id:uuid}"
    image = base + "/{region}/{size}/{rotation}/{quality}.{extension}"
    return [Route(base + "/info.json", endpoint, methods=["GET"]), Route(image, endpoint, methods=["GET"])]


class Ports:
    """Which port was called: the storage has its own, so that it is another origin."""

    def __init__(self, desk: Desk, api: ASGIApp, storage: ASGIApp) -> None:
        self._desk = desk
        self._api = api
        self._storage = storage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        storage = scope["server"][1] == self._desk.site.storage_port
        scope["state"]["origin"] = "storage" if storage else "api"
        await (self._storage if storage else self._api)(scope, receive, send)


class Guard:
    """Refuses what a page of another origin sends, also one whose own name leads to this machine (DNS rebinding)."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        called, origin = headers.get("host", ""), headers.get("origin")
        changes = scope["method"] not in ("GET", "HEAD", "OPTIONS")
        if not self._answers_to(_name_in(called)):
            await PlainTextResponse("Invalid host header", 400)(scope, receive, send)
        elif changes and origin is not None and origin.lower() != f"http://{called.lower()}":
            await PlainTextResponse("A page of another origin cannot change anything here", 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _answers_to(self, name: str) -> bool:
        # Asked to listen to the network, the emulator is called by names that it cannot know.
        return not is_loopback(self._host) or is_loopback(name) or name == self._host.lower()


def is_loopback(name: str) -> bool:
    """Whether a name or address is one of this machine alone: `localhost`, `127.0.0.1`, `::1`."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def _name_in(host: str) -> str:
    """The name in a `Host` header, without port and brackets."""
    found = re.fullmatch(r"\[([^\]]*)\](?::\d*)?|([^:]*)(?::\d*)?", host)
    return (found[1] or found[2] or "").lower() if found else ""


class Window:
    """What gives one answer whatever is asked: recorded, and made to fail, as an operation is."""

    def __init__(self, desk: Desk, answer: Callable[[Desk, Call], Answer], operation: str | None = None) -> None:
        self._desk = desk
        self._answer = answer
        self._operation = operation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._desk.attend(self._operation, Exchange(scope, receive, send), self._act)

    async def _act(self, call: Call) -> Answer:
        return self._answer(self._desk, call)


def describe(desk: Desk, _call: Call) -> Answer:
    """The OpenAPI document."""
    site = desk.site
    return Answer(200, dump(openapi.document(all_operations(site.edition), site.url, site.edition)), (JSON,))


def refuse_path(_desk: Desk, _call: Call) -> Answer:
    raise missing("No operation has this path.")


def refuse_method(desk: Desk, call: Call) -> Answer:
    """Of a path that is known."""
    if _asked(call) in LACKING:
        return refuse_operation(desk, call)
    raise ApiFailureError(405, [((), "method_not_allowed", f'Method "{call.method}" not allowed.')])


def refuse_operation(desk: Desk, call: Call) -> Answer:
    """One that the emulator does not have: 501 with its name, counted for the end."""
    if ".." in call.path.split("/"):
        return refuse_path(desk, call)
    call.operation = LACKING.get(_asked(call), _asked(call))
    desk.ledger.lacking[call.operation] += 1
    raise ApiFailureError(501, [((), "not_implemented", f"The emulator has no operation {call.operation}.")])


def _asked(call: Call) -> str:
    """The method and the path of a request as an operation has them, below `/api/v1`."""
    return f"{call.method} {_ID.sub('{id}', call.path.removeprefix(API))}"
