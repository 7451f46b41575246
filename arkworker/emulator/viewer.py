"""The page, and the data behind it. None of this is part of Arkindex, of the ledger, or of the faults."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from arkworker.emulator import iiif, viewer_data
from arkworker.emulator.tables import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from arkworker.emulator.database import Database
    from arkworker.emulator.desk import Desk

PAGE = Path(__file__).parent / "page"
# Names and texts of a corpus come from anywhere: nothing but our own script runs in the page.
HEADERS = {"content-security-policy": "default-src 'self'; frame-ancestors 'none'", "cache-control": "no-store"}
LOG_PIECE = 1 << 20
LATEST_CALLS = 200
LARGEST_VIEW = 1600  # pixels, of an image in the page


class Viewer:
    """What the page asks for."""

    def __init__(self, desk: Desk, database: Database) -> None:
        self._desk = desk
        self._database = database

    async def page(self, _request: Request) -> Response:
        return Response((PAGE / "index.html").read_bytes(), headers=HEADERS, media_type="text/html")

    async def summary(self, _request: Request) -> Response:
        with self._database.transaction() as session:
            data = viewer_data.summary(session, self._desk)
        version = f"{self._database.version()}.{self._desk.ledger.count}"
        return JSONResponse({"version": version, **data})

    async def elements(self, request: Request) -> Response:
        query = request.query_params
        with self._database.transaction() as session:
            return JSONResponse(viewer_data.children(session, query.get("parent"), _offset(request), query.get("run")))

    async def element(self, request: Request) -> Response:
        with self._database.transaction() as session:
            found = viewer_data.element(session, str(request.path_params["id"]), self._desk)
        return JSONResponse(found, status_code=200 if found else 404)

    async def calls(self, _request: Request) -> Response:
        calls = self._desk.ledger.calls()[-LATEST_CALLS:]
        return JSONResponse([_call(asdict(call)) for call in calls])

    async def image(self, request: Request) -> Response:
        with self._database.transaction() as session:
            image = session.scalar(select(Image).where(Image.id == str(request.path_params["id"])))
        if image is None or image.external_url is not None or not image.width:
            return PlainTextResponse("no pixels", 404)
        scale = min(1.0, LARGEST_VIEW / max(image.width, image.height))
        size = f"{max(1, round(image.width * scale))},{max(1, round(image.height * scale))}"
        wanted = iiif.Request("full", size, "0", "default", "jpg")
        content, content_type = await run_in_threadpool(iiif.render, image, wanted, self._desk.site)
        return Response(content, media_type=content_type, headers={"cache-control": "max-age=3600"})

    async def log(self, request: Request) -> Response:
        key = f"logs/{request.path_params['id']}"
        storage = self._desk.site.storage
        if request.method == "PUT":
            # `worker 2>&1 | curl -T - …`: the log grows while the request lasts.
            with contextlib.suppress(ClientDisconnect):
                async for piece in request.stream():
                    storage.append(key, piece)
            return Response(status_code=204)
        piece = storage.read_from(key, _offset(request), LOG_PIECE)
        return Response(piece, media_type="text/plain; charset=utf-8")


def routes(desk: Desk, database: Database) -> Sequence[BaseRoute]:
    """The routes of the page and of its data."""
    viewer = Viewer(desk, database)
    return [
        Route("/", viewer.page),
        Route("/viewer/summary", viewer.summary),
        Route("/viewer/elements", viewer.elements),
        Route("/viewer/elements/{id:uuid}", viewer.element),
        Route("/viewer/images/{id:uuid}", viewer.image),
        Route("/viewer/calls", viewer.calls),
        Route("/viewer/tasks/{id:uuid}/log", viewer.log, methods=["GET", "PUT"]),
        Mount("/page", StaticFiles(directory=PAGE)),
    ]


def _offset(request: Request) -> int:
    text = request.query_params.get("offset", "0")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 15 else 0


def _call(call: dict[str, Any]) -> dict[str, Any]:
    names = (
        "number",
        "time",
        "operation",
        "method",
        "path",
        "status",
        "answered",
        "acted",
        "seconds",
        "task_id",
        "faults",
    )
    return {name: call[name] for name in names}
