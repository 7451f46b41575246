"""The page, and the data behind it. None of this is part of Arkindex, of the ledger, or of the faults."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from arkworker.emulator import iiif, represent, viewer_data
from arkworker.emulator.failures import ApiFailureError
from arkworker.emulator.resources.processes import artifact_key
from arkworker.emulator.tables import Artifact, Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from arkworker.emulator.database import Database
    from arkworker.emulator.desk import Desk

PAGE = Path(__file__).parent / "page"
# Names and texts of a corpus come from anywhere: nothing but our own script runs in the page.
POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
LOG_PIECE = 1 << 20
LATEST_CALLS = 200
LARGEST_VIEW = 2000  # pixels, of an image in the page
LARGEST_ORDER = 1 << 20  # bytes, of what is to be run again


class Viewer:
    """What the page asks for."""

    def __init__(self, desk: Desk, database: Database) -> None:
        self._desk = desk
        self._database = database

    async def page(self, _request: Request) -> Response:
        policy = " ".join([f"{POLICY}; img-src 'self'", *self._servers()])
        headers = {"content-security-policy": policy, "cache-control": "no-store", "referrer-policy": "no-referrer"}
        return Response((PAGE / "index.html").read_bytes(), headers=headers, media_type="text/html")

    def _servers(self) -> list[str]:
        """The origins of images elsewhere, from which the page may show some."""
        with self._database.transaction() as session:
            urls = session.scalars(select(Image.external_url).where(Image.external_url.is_not(None))).all()
        parts = {urlsplit(url or "")[:2] for url in urls}
        return sorted(f"{scheme}://{quote(place, safe=':.-[]')}" for scheme, place in parts if place)[:50]

    async def summary(self, _request: Request) -> Response:
        with self._database.transaction() as session:
            data = viewer_data.summary(session, self._desk)
        version = f"{self._database.version()}.{self._desk.ledger.count}"
        return JSONResponse({"version": version, **data})

    async def elements(self, request: Request) -> Response:
        query = request.query_params
        state = query.get("state", "")
        with self._database.transaction() as session:
            found = viewer_data.children(
                session,
                query.get("parent"),
                _offset(request),
                query.get("run") or None,
                state=state if state in viewer_data.STATES else "",
                search=query.get("q", ""),
            )
            return JSONResponse(found)

    async def element(self, request: Request) -> Response:
        with self._database.transaction() as session:
            found = viewer_data.element(session, str(request.path_params["id"]), self._desk)
        return JSONResponse(found, status_code=200 if found else 404)

    async def calls(self, _request: Request) -> Response:
        calls = self._desk.ledger.calls()[-LATEST_CALLS:]
        return JSONResponse([represent.pick(call, *viewer_data.CALL) for call in calls])

    async def call(self, request: Request) -> Response:
        number = request.path_params["number"]
        found = [call for call in self._desk.ledger.calls(after=number - 1) if call.number == number]
        return JSONResponse(viewer_data.call(found[0]) if found else None, 200 if found else 404)

    async def image(self, request: Request) -> Response:
        """An image, or a region of it, in as many pixels as a screen shows."""
        with self._database.transaction() as session:
            image = session.find(Image, str(request.path_params["id"]))
        region = re.fullmatch(r"\d{1,6},\d{1,6},(\d{1,6}),(\d{1,6})", request.query_params.get("region", ""))
        if image is None or image.external_url is not None or not image.width:
            return PlainTextResponse("no pixels", 404)
        width, height = (int(region[1]), int(region[2])) if region else (image.width, image.height)
        scale = min(1.0, LARGEST_VIEW / max(width, height, 1))
        size = f"{max(1, round(width * scale))},{max(1, round(height * scale))}"
        wanted = iiif.Request(region[0] if region else "full", size, "0", "default", "jpg")
        # The limit of the image server is one for workers.
        site = replace(self._desk.site, max_image_size=None)
        try:
            content, content_type = await run_in_threadpool(iiif.render, image, wanted, site)
        except ApiFailureError as failure:
            return PlainTextResponse("no pixels", failure.status)
        return Response(content, media_type=content_type, headers={"cache-control": "max-age=3600"})

    async def artifact(self, request: Request) -> Response:
        with self._database.transaction() as session:
            row = session.find(Artifact, str(request.path_params["id"]))
        if row is None:
            return PlainTextResponse("no such file", 404)
        path = self._desk.site.storage.path(artifact_key(row))
        if not path.exists():
            return PlainTextResponse("this file was announced, but never uploaded", 404)
        # To be kept, not to be opened here: it may be a page with a script.
        return FileResponse(path, filename=Path(row.path).name, media_type="application/octet-stream")

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

    async def run_again(self, request: Request) -> Response:
        """Run a worker again, with other values, on some elements or on all that its run had."""
        body = await request.body()
        try:
            asked = json.loads(body[:LARGEST_ORDER])
            run, values, elements = asked["run"], dict(asked["values"]), asked.get("elements")
        except (ValueError, TypeError, KeyError, RecursionError):
            return JSONResponse({"error": "this is not a request to run again"}, 400)
        if self._desk.again is None:
            return JSONResponse({"error": "serve has no command to run: give it one after --"}, 409)
        try:
            identifier = await run_in_threadpool(self._desk.again, str(run), values, elements)
        except (LookupError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse({"run": identifier}, 201)


def routes(desk: Desk, database: Database) -> Sequence[BaseRoute]:
    """The routes of the page and of its data."""
    viewer = Viewer(desk, database)
    return [
        Route("/", viewer.page),
        Route("/element/{id:uuid}", viewer.page),
        Route("/viewer/summary", viewer.summary),
        Route("/viewer/elements", viewer.elements),
        Route("/viewer/elements/{id:uuid}", viewer.element),
        Route("/viewer/images/{id:uuid}", viewer.image),
        Route("/viewer/calls", viewer.calls),
        Route("/viewer/calls/{number:int}", viewer.call),
        Route("/viewer/artifacts/{id:uuid}", viewer.artifact),
        Route("/viewer/tasks/{id:uuid}/log", viewer.log, methods=["GET", "PUT"]),
        Route("/viewer/runs", viewer.run_again, methods=["POST"]),
        Mount("/page", StaticFiles(directory=PAGE)),
    ]


def _offset(request: Request) -> int:
    text = request.query_params.get("offset", "0")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 15 else 0
