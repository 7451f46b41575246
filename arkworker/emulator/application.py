"""The ASGI application: the API and the page on one port, files and images on another."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router

from arkworker.emulator import openapi, viewer
from arkworker.emulator.desk import JSON, Answer, Exchange, dump
from arkworker.emulator.endpoint import API, Endpoint, read_body
from arkworker.emulator.failures import ApiFailureError, missing
from arkworker.emulator.files import FileEndpoint, ImageEndpoint
from arkworker.emulator.resources import all_operations

if TYPE_CHECKING:
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
    nowhere = Nowhere(desk)
    files = [
        Route("/storage/{key:path}", FileEndpoint(desk), methods=["GET", "PUT"]),
        *_image_routes(ImageEndpoint(desk, database)),
    ]
    pages = viewer.routes(desk, database)
    # Last, without a method: what is left of a known path is the wrong method.
    refusals = [Route(path, Refusal(desk)) for path in {API + item.path for item in operations}]
    # Below a path that is known, what is not an id is 404; below others the operation is one that is not here.
    patterns = {re.sub(r":(?!path)\w+", "", API + item.path) for item in all_operations("enterprise")}
    refusals += [Route(path, nowhere) for path in patterns]
    refusals.append(Route(API + "/{path:path}", Lacking(desk)))
    known = [*routes, Route(openapi.PATH, Document(desk)), *files, *pages, *refusals]
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
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        called = headers.get(b"host", "")
        origin = headers.get(b"origin")
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


class Nowhere:
    """What nothing else answers: recorded, then 404."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._desk.attend(None, Exchange(scope, receive, send), self._act, _read)

    async def _act(self, _call: Call) -> Answer:
        raise missing("No operation has this path.")


class Refusal(Nowhere):
    """A path that is known, with a method that is not: 405."""

    async def _act(self, call: Call) -> Answer:
        if f"{call.method} {_asked_path(call)}" in LACKING:
            raise lacking(call, self._desk)
        raise ApiFailureError(405, [((), "method_not_allowed", f'Method "{call.method}" not allowed.')])


class Lacking(Nowhere):
    """An operation that the emulator does not have: 501 with its name, counted for the end."""

    async def _act(self, call: Call) -> Answer:
        if ".." in call.path.split("/"):
            raise missing("No operation has this path.")
        raise lacking(call, self._desk)


def lacking(call: Call, desk: Desk) -> ApiFailureError:
    """The refusal of an operation that the emulator does not have; counts it."""
    asked = f"{call.method} {_asked_path(call)}"
    name = LACKING.get(asked, asked)
    call.operation = name
    desk.ledger.lacking[name] += 1
    return ApiFailureError(501, [((), "not_implemented", f"The emulator has no operation {name}.")])


def _asked_path(call: Call) -> str:
    """The path of a request as an operation has it, below `/api/v1`."""
    return _ID.sub("{id}", call.path.removeprefix(API))


class Document:
    """The OpenAPI document: `GetDocument`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._desk.attend("GetDocument", Exchange(scope, receive, send), self._act, _read)

    async def _act(self, _call: Call) -> Answer:
        site = self._desk.site
        return Answer(200, dump(openapi.document(all_operations(site.edition), site.url, site.edition)), (JSON,))


async def _read(_call: Call, receive: Receive) -> None:
    await read_body(receive)
