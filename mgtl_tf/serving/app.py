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
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mgtl_tf.retrieval.answers import Located
from mgtl_tf.retrieval.encoder import UnreadableImage
from mgtl_tf.retrieval.headings import rotations
from mgtl_tf.retrieval.localizer import Localizer
from mgtl_tf.serving.decoding import PROCESSES, Decoded, Decoders
from mgtl_tf.serving.guard import Guard, Hosts, client_of
from mgtl_tf.serving.images import MOST_PIXELS
from mgtl_tf.serving.limits import Limits, Refused, WorkQueue
from mgtl_tf.serving.openapi import openapi_document
from mgtl_tf.serving.page import Page, PlacesMap
from mgtl_tf.serving.request_fields import RequestFields, parse_fields
from mgtl_tf.serving.uploads import Body, Upload, receive
from mgtl_tf.serving.view import Pictures, answer_json, result_view
from mgtl_tf.utils.errors import UserError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

_HERE = Path(__file__).parent
_PICTURE_PLACES = 64
_BYTES = "application/octet-stream"
_KEPT = {"cache-control": "private, max-age=3600"}

# As Python's int() also takes what is no row's only address.
_ROW = re.compile("0|[1-9][0-9]{0,17}")

# Of the most pixels, what the model is given: 16.8 million, which it reads in
# half a second; of larger images means over areas.
_MODEL_PART = 4

_Answer = tuple[Located, np.ndarray]
"""An answer, and the upload's pixels."""

Result = TypeVar("Result")


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
    from starlette.applications import Starlette
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    site = _Site(localizer, limits or Limits())
    app = Starlette(
        routes=[
            Route("/", site.empty_page),
            Route("/", site.page, methods=["POST"]),
            Route("/locate", site.locate, methods=["POST"]),
            Route("/health", site.health),
            Route("/openapi.json", site.openapi),
            Route("/positions", site.positions),
            Route("/places/{row}.jpg", site.picture),
            Mount("/static", StaticFiles(directory=_HERE / "static")),
        ],
        exception_handlers={500: _failed},
    )
    return Guard(app, hosts or Hosts.of("127.0.0.1"))


async def _failed(request: Request, error: Exception) -> Response:
    return _json({"error": "the server failed; its log tells why"}, 500)


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
        self._pictures = Pictures(Decoders(limits))
        details = localizer.encoder.details
        self._rotations = rotations(details)
        self._map = PlacesMap.of(localizer.index.coordinates)
        self._page = Page(localizer, limits, self._map)

    async def empty_page(self, request: Request) -> Response:
        return self._page(request, {})

    async def page(self, request: Request) -> Response:
        crop = tuple(self._localizer.encoder.details["ground_crop"])

        def shown(answer: _Answer) -> dict[str, Any]:
            located, panorama = answer
            view = result_view(
                located,
                panorama,
                crop,
                self._localizer.index,
                self._pictures,
            )
            return {"result": view, "name": str(located.image)}

        try:
            return self._page(request, await self._ask(request, shown))
        except Refused as error:
            reason = {"error": error.reason}
            return self._page(request, reason, error.status)

    async def locate(self, request: Request) -> Response:
        def plain(answer: _Answer) -> list[dict[str, Any]]:
            return [answer_json(answer[0], self._localizer.index)]

        try:
            return _json(await self._ask(request, plain))
        except Refused as error:
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

    async def openapi(self, request: Request) -> Response:
        return _json(openapi_document())

    async def positions(self, request: Request) -> Response:
        from starlette.responses import Response

        return Response(self._map.content, 200, media_type=_BYTES)

    async def picture(self, request: Request) -> Response:
        from starlette.responses import Response

        places, text = self._localizer.index.places, request.path_params["row"]
        if not _ROW.fullmatch(text) or int(text) >= len(places):
            return Response(status_code=404)
        image, who = places[int(text)].image, _client(request)
        try:
            with self._decoding.place(who):
                file = await self._decoding.run(
                    lambda: self._pictures.small(image), who
                )
        except Refused as error:
            return Response(status_code=error.status)
        if file is None:
            return Response(status_code=404)
        return Response(file, 200, _KEPT, media_type="image/jpeg")

    async def _ask(
        self, request: Request, show: Callable[[_Answer], Result]
    ) -> Result:
        """Receives an upload, decodes and locates it, each in its queue."""
        body, who = Body(request, self._limits), _client(request)
        try:
            with self._queue.place(who):
                upload = await receive(body)
                until = time.monotonic() + self._limits.model_seconds
                fields = parse_fields(upload.fields)
                decoded = await self._decoding.run(
                    lambda: self._decoded(upload, fields), who
                )
                answer = await self._queue.run(
                    lambda: self._answer(upload, fields, decoded), who, until
                )
                return await self._decoding.run(lambda: show(answer), who)
        except Refused as error:
            # Not of the slow, who would go on being slow.
            if error.status != 408:
                await body.drain()
            raise

    def _decoded(self, upload: Upload, fields: RequestFields) -> Decoded:
        # All turns together take no more memory than one image may.
        turned = self._rotations if fields.unknown_heading else 1
        return self._pictures.decoders.decode(
            upload.image,
            MOST_PIXELS // max(turned, _MODEL_PART),
            believe=not fields.unknown_heading,
        )

    def _answer(
        self, upload: Upload, fields: RequestFields, decoded: Decoded
    ) -> _Answer:
        try:
            located = self._localizer.locate(
                decoded.pixels,
                fields.top_k,
                fields.near,
                fields.radius,
                fields.unknown_heading,
            )
        except (UserError, UnreadableImage) as error:
            # Here the command's flags are fields.
            raise Refused(422, str(error).replace("--", "")) from error
        located = dataclasses.replace(
            located,
            image=Path(upload.name or "panorama"),
            heading_read=decoded.heading,
        )
        return located, decoded.pixels


def _json(content: object, status: int = 200) -> Response:
    """As experiments.locate writes it."""
    from starlette.responses import Response

    text = json.dumps(content, allow_nan=False)
    return Response(text, status, media_type="application/json")


def _client(request: Request) -> str:
    return client_of(request.client.host if request.client else "")
