"""The application: which address answers what.

GET  /                    the page
POST /                    the page with the answer about an upload
POST /locate              the same answer as experiments.locate's JSON
GET  /health              whether it is up, and what it serves
GET  /openapi.json        what /locate takes and answers, for programs
GET  /positions           of the places, for the map
GET  /places/ROW.jpg      a place's aerial image
"""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp

from mgtl_tf.galleries.encoder import UnreadableImage
from mgtl_tf.retrieval.answers import Located
from mgtl_tf.retrieval.headings import rotations, trained_with_rotations
from mgtl_tf.retrieval.localizer import Localizer
from mgtl_tf.retrieval.report.rendering import page_environment
from mgtl_tf.serving.decoding import PROCESSES, Decoders
from mgtl_tf.serving.guard import Guard, Hosts, client_of
from mgtl_tf.serving.limits import Limits, Refused, WorkQueue
from mgtl_tf.serving.places_map import GroundExtent, PlacesMap
from mgtl_tf.serving.request_fields import RequestFields, parse_fields
from mgtl_tf.serving.uploaded_images import MOST_PIXELS
from mgtl_tf.serving.uploads import Body, receive
from mgtl_tf.serving.view import answer_json, result_view, small_picture
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.locate import warnings_about
from polar.gpano import Panorama
from polar.text import utf8_text

_HERE = Path(__file__).parent
_PICTURE_PLACES = 64
_KEPT = {"cache-control": "private, max-age=3600"}
_FRESH = {"cache-control": "no-store"}

# As Python's int() also takes what is no row's only address.
_ROW = re.compile("0|[1-9][0-9]{0,17}")

# Of the most pixels, what the model is given: 16.8 million, which it reads in
# half a second; of larger images means over areas.
_MODEL_PART = 4

_Show = Callable[[Located, Panorama, list[str]], Any]


def create_app(
    localizer: Localizer,
    hosts: Hosts | None = None,
    limits: Limits | None = None,
) -> ASGIApp:
    """The page and the endpoint of one model and gallery.

    Args:
        localizer: answers.
        hosts: that requests may ask for; by default those of 127.0.0.1.
        limits: of requests.
    """
    site = _Site(localizer, limits or Limits())
    app = Starlette(
        routes=[
            Route("/", site.empty_page),
            Route("/", site.page, methods=["POST"]),
            Route("/locate", site.locate, methods=["POST"]),
            Route("/health", site.health),
            Route("/openapi.json", _openapi),
            Route("/positions", site.positions),
            Route("/places/{row}.jpg", site.picture),
            Mount("/static", StaticFiles(directory=_HERE / "static")),
        ],
        exception_handlers={Refused: site.refused, 500: _failed},
    )
    return Guard(app, hosts or Hosts.of("127.0.0.1"))


async def _openapi(request: Request) -> Response:
    return FileResponse(_HERE / "static/openapi.json")


async def _failed(request: Request, error: Exception) -> Response:
    return _json({"error": "the server failed; its log says why"}, 500)


class _Site:
    """The handlers, and what they share."""

    def __init__(self, localizer: Localizer, limits: Limits):
        self._localizer = localizer
        self._limits = limits
        self._queue = WorkQueue(
            limits.places, limits.share, limits.model_seconds
        )
        # Pictures come in dozens, and have places of their own.
        self._decoding = WorkQueue(
            _PICTURE_PLACES,
            _PICTURE_PLACES // 2,
            limits.queue_seconds,
            PROCESSES,
        )
        self._decoders = Decoders(limits)
        index, details = localizer.index, localizer.encoder.details
        self._rotations = rotations(details)
        self._map = PlacesMap.of(index.coordinates)
        environment = page_environment(
            _HERE / "templates",
            # Names of files need not be UTF-8.
            finalize=lambda v: utf8_text(v) if type(v) is str else v,
        )
        self._templates = Jinja2Templates(env=environment)
        self._page_values = {
            "result": None,
            "error": None,
            "upload_bytes": limits.upload_bytes,
            "count": len(index.places),
            "map": self._map,
            "extent": GroundExtent.of(index, details),
            "trained_with_rotations": trained_with_rotations(details),
        }

    async def empty_page(self, request: Request) -> Response:
        return self._page(request)

    async def page(self, request: Request) -> Response:
        crop = self._localizer.encoder.crop
        index, decoders = self._localizer.index, self._decoders

        def show(located: Located, decoded: Panorama, lines: list[str]) -> Any:
            view = result_view(located, decoded.pixels, crop, index, decoders)
            return view | {"warnings": lines}

        return self._page(request, result=await self._answer(request, show))

    def _page(
        self, request: Request, status: int = 200, **values: Any
    ) -> Response:
        address = str(request.base_url).rstrip("/")
        values = {**self._page_values, "address": address, **values}
        return self._templates.TemplateResponse(
            request, "page.html", values, status, _FRESH
        )

    async def locate(self, request: Request) -> Response:
        def show(located: Located, decoded: Panorama, lines: list[str]) -> Any:
            return [answer_json(located, self._localizer.index, lines)]

        return _json(await self._answer(request, show))

    async def refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)  # noqa: S101
        if request.url.path == "/":
            return self._page(request, error.status, error=error.reason)
        return _json({"error": error.reason}, error.status)

    async def health(self, request: Request) -> Response:
        return _json(
            {
                "status": "ok",
                "places": len(self._localizer.index.places),
                "model_hash": self._localizer.encoder.model_hash,
                "requests": self._queue.taken,
            }
        )

    async def positions(self, request: Request) -> Response:
        kind = "application/octet-stream"
        return Response(self._map.content, media_type=kind)

    async def picture(self, request: Request) -> Response:
        places, text = self._localizer.index.places, request.path_params["row"]
        if not _ROW.fullmatch(text) or int(text) >= len(places):
            raise Refused(404, "no such place")
        image, client = places[int(text)].image, _client(request)
        with self._decoding.place(client):
            file = await self._decoding.run(
                lambda: small_picture(self._decoders, image), client
            )
        if file is None:
            raise Refused(404, "its image cannot be read")
        return Response(file, 200, _KEPT, media_type="image/jpeg")

    async def _answer(self, request: Request, show: _Show) -> Any:
        """Receives an upload, decodes and locates it, each in its queue."""
        body, client = Body(request, self._limits), _client(request)
        try:
            with self._queue.place(client):
                upload = await receive(body)
                until = time.monotonic() + self._limits.model_seconds
                fields = parse_fields(upload.fields)
                decoded = await self._decoding.run(
                    lambda: self._decoded(upload.image, fields), client
                )
                located = await self._queue.run(
                    lambda: self._located(decoded, fields), client, until
                )
                image = Path(upload.name or "panorama")
                located = dataclasses.replace(located, image=image)
                near = fields.near is not None
                lines = warnings_about(
                    self._localizer, [located], near, fields.unknown_heading
                )
                return await self._decoding.run(
                    lambda: show(located, decoded, lines), client
                )
        except Refused as error:
            # Not of the slow, who would go on being slow.
            if error.status != 408:
                await body.drain()
            raise

    def _decoded(self, image: bytes, fields: RequestFields) -> Panorama:
        # All turns together take no more memory than one image may.
        turned = self._rotations if fields.unknown_heading else 1
        most = MOST_PIXELS // max(turned, _MODEL_PART)
        return self._decoders.decode(image, most, not fields.unknown_heading)

    def _located(self, decoded: Panorama, fields: RequestFields) -> Located:
        try:
            located = self._localizer.locate(
                decoded.pixels, **dataclasses.asdict(fields)
            )
        except (UserError, UnreadableImage) as error:
            raise Refused(422, str(error)) from error
        return located.of_stored(decoded.heading)


def _json(content: object, status: int = 200) -> Response:
    # In ASCII: texts may hold what UTF-8 does not take.
    text = json.dumps(content, allow_nan=False)
    return Response(text, status, media_type="application/json")


def _client(request: Request) -> str:
    return client_of(request.client.host if request.client else "")
