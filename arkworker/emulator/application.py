"""The ASGI application: the API and the page on one port, files and images on another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount, Route, Router

from arkworker.emulator import openapi, viewer
from arkworker.emulator.delivery import Answer
from arkworker.emulator.desk import JSON, Exchange, dump
from arkworker.emulator.endpoint import Endpoint, read_body
from arkworker.emulator.failures import ApiFailureError, missing
from arkworker.emulator.files import FileEndpoint, ImageEndpoint
from arkworker.emulator.operations import API
from arkworker.emulator.resources import all_operations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

    from arkworker.emulator.database import Database
    from arkworker.emulator.desk import Desk
    from arkworker.emulator.ledger import Call


def create_application(desk: Desk, database: Database, hosts: Sequence[str]) -> ASGIApp:
    """Everything that the emulator answers.

    Args:
        desk: Where all requests pass by.
        database: What they are about.
        hosts: The names under which it may be called. A web page elsewhere that makes its own name point to this
            machine (DNS rebinding) is refused.
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
    known = [*routes, Route(openapi.PATH, Document(desk)), *files, *pages, *refusals]
    api = Router(known, redirect_slashes=False, default=nowhere)
    storage = Router(files, redirect_slashes=False, default=nowhere)
    middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)]
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


class Nowhere:
    """What nothing else answers: written down, then 404."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._desk.attend(None, Exchange(scope, receive, send), self._act, _read)

    async def _act(self, _call: Call) -> Answer:
        raise missing("No operation has this path.")


class Refusal(Nowhere):
    """A path that is known, with a method that is not: 405."""

    async def _act(self, call: Call) -> Answer:
        raise ApiFailureError(405, [((), "method_not_allowed", f'Method "{call.method}" not allowed.')])


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
