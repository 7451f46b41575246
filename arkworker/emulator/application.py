"""The ASGI application: the API and the page on one port, files and images on another."""

from __future__ import annotations

import ipaddress
import re
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router

from arkworker.emulator import openapi, viewer
from arkworker.emulator.desk import JSON, Answer, Window, dump
from arkworker.emulator.endpoint import API, Endpoint
from arkworker.emulator.failures import ApiFailureError, missing
from arkworker.emulator.files import FileEndpoint, Images
from arkworker.emulator.resources import all_operations

if TYPE_CHECKING:
    from starlette.requests import Request
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
    answers = (refuse_path, refuse_operation, refuse_method, complete_path)
    nowhere, elsewhere, wrong, incomplete = (Window(desk, None, partial(answer, desk)) for answer in answers)
    images = Images(desk, database)
    image = "/iiif/{version:int}/{id:uuid}"
    named = image + "/{region}/{size}/{rotation}/{quality}.{extension}"
    files = [
        Route("/storage/{key:path}", FileEndpoint(desk), methods=["GET", "PUT"]),
        Route(image + "/info.json", Window(desk, "GetImageInformation", images.describe), methods=["GET"]),
        Route(named, Window(desk, "GetImage", images.render), methods=["GET"]),
    ]
    routes = [
        Route(API + item.path, Window(desk, item.id, Endpoint(item, desk, database).act), methods=[item.method])
        for item in operations
    ]
    routes.append(Route(openapi.PATH, Window(desk, "GetDocument", partial(describe, desk))))
    pages = viewer.routes(desk, database)
    # Last, without a method: what is left of a known path is the wrong method.
    paths = {API + item.path for item in operations}
    refusals = [Route(path, wrong) for path in paths]
    refusals += [Route(path.removesuffix("/"), incomplete) for path in paths if path.endswith("/")]
    # Below a path that is known, what is not an id is 404; below others the operation is one that is not here.
    patterns = {re.sub(r":(?!path)\w+", "", API + item.path) for item in all_operations("enterprise")}
    refusals += [Route(path, nowhere) for path in patterns]
    refusals.append(Route(API + "/{path:path}", elsewhere))
    api = Router([*routes, *files, *pages, *refusals], redirect_slashes=False, default=nowhere)
    storage = Router(files, redirect_slashes=False, default=nowhere)
    middleware = [Middleware(Guard, host=host)]
    return Starlette(routes=[Mount("/", Ports(desk, api, storage))], middleware=middleware)


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


async def describe(desk: Desk, _call: Call, _request: Request, _content: bytes) -> Answer:
    """The OpenAPI document."""
    site = desk.site
    return Answer(200, dump(openapi.document(all_operations(site.edition), site.url, site.edition)), (JSON,))


async def refuse_path(_desk: Desk, _call: Call, _request: Request, _content: bytes) -> Answer:
    raise missing("No operation has this path.")


async def refuse_method(desk: Desk, call: Call, request: Request, content: bytes) -> Answer:
    """Of a path that is known."""
    if _asked(call) in LACKING:
        return await refuse_operation(desk, call, request, content)
    raise ApiFailureError(405, [((), "method_not_allowed", f'Method "{call.method}" not allowed.')])


async def complete_path(_desk: Desk, call: Call, request: Request, _content: bytes) -> Answer:
    """Of a path that is known, without the slash at its end: reading is led there, as by Django."""
    if call.method not in ("GET", "HEAD"):
        raise missing("No operation has this path; with a slash at its end, one has.")
    return Answer(301, b"", (("location", str(request.url.replace(path=f"{call.path}/"))),))


async def refuse_operation(desk: Desk, call: Call, request: Request, content: bytes) -> Answer:
    """One that the emulator does not have: 501 with its name, counted for the end."""
    if ".." in call.path.split("/"):
        return await refuse_path(desk, call, request, content)
    call.operation = LACKING.get(_asked(call), _asked(call))
    desk.ledger.lacking[call.operation] += 1
    raise ApiFailureError(501, [((), "not_implemented", f"The emulator has no operation {call.operation}.")])


def _asked(call: Call) -> str:
    """The method and the path of a request as an operation has them, below `/api/v1`."""
    return f"{call.method} {_ID.sub('{id}', call.path.removeprefix(API))}"
