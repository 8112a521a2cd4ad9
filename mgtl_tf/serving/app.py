"""The application: which address answers what.

GET  /                    the page
POST /                    the page with the answer about an upload
POST /locate              the same answer as experiments.locate's JSON
GET  /health              whether it is up, and what it serves
GET  /positions           of the places, for the map
GET  /places/ROW.jpg      a place's aerial image
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

import numpy as np

from mgtl_tf.errors import UserError
from mgtl_tf.retrieval.answers import Located
from mgtl_tf.retrieval.encoder import UnreadableImage
from mgtl_tf.retrieval.headings import trained_for_turns
from mgtl_tf.retrieval.headings import turns
from mgtl_tf.retrieval.localizer import Localizer
from mgtl_tf.serving.addresses import told
from mgtl_tf.serving.ground_extent import GroundExtent
from mgtl_tf.serving.guard import Guard
from mgtl_tf.serving.guard import allowed_hosts
from mgtl_tf.serving.images import MOST_PIXELS
from mgtl_tf.serving.images import bounded
from mgtl_tf.serving.images import uploaded_pixels
from mgtl_tf.serving.limits import Limits
from mgtl_tf.serving.limits import Refused
from mgtl_tf.serving.places_map import PlacesMap
from mgtl_tf.serving.question import Question
from mgtl_tf.serving.question import parse_question
from mgtl_tf.serving.turns import Turns
from mgtl_tf.serving.uploads import Body
from mgtl_tf.serving.uploads import Upload
from mgtl_tf.serving.uploads import receive
from mgtl_tf.serving.view import picture_of
from mgtl_tf.serving.view import result_view

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

_HERE = Path(__file__).parent
_PICTURE_PLACES = 64
_BYTES = "application/octet-stream"
_FRESH = {"cache-control": "no-store"}
_KEPT = {"cache-control": "private, max-age=3600"}

Result = TypeVar("Result")


def create_app(
    localizer: Localizer, host: str = "127.0.0.1", limits: Limits | None = None
) -> Starlette:
    """The page and the endpoint of one model and gallery.

    Args:
        localizer: answers.
        host: that the server binds to; on loopback, only requests to
            loopback names are answered.
        limits: of requests.
    """
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.routing import Mount
    from starlette.routing import Route
    from starlette.staticfiles import StaticFiles

    site = _Site(localizer, limits or Limits())
    return Starlette(
        routes=[
            Route("/", site.empty_page),
            Route("/", site.page, methods=["POST"]),
            Route("/locate", site.locate, methods=["POST"]),
            Route("/health", site.health),
            Route("/positions", site.positions),
            Route("/places/{row:int}.jpg", site.picture),
            Mount("/static", StaticFiles(directory=_HERE / "static")),
        ],
        middleware=[
            Middleware(Guard),
            Middleware(TrustedHostMiddleware, allowed_hosts(host)),
        ],
    )


class _Site:
    """The handlers, and what they share."""

    def __init__(self, localizer: Localizer, limits: Limits):
        self._localizer = localizer
        self._limits = limits
        self._turns = Turns(limits.places, limits.queue_seconds)
        self._pictures = Turns(_PICTURE_PLACES, limits.queue_seconds)
        self._map = PlacesMap.of(localizer.index.coordinates)
        details = localizer.encoder.details
        self._turns_of_one = turns(details)
        self._trained_for_turns = trained_for_turns(details)
        self._extent = GroundExtent.of(localizer.index, details)
        self._template = _template()

    async def empty_page(self, request: Request) -> Response:
        return self._page(request, {})

    async def page(self, request: Request) -> Response:
        crop = tuple(self._localizer.encoder.details["ground_crop"])

        def shown(upload: Upload, question: Question) -> dict[str, Any]:
            located, panorama = self._answer(upload, question)
            view = result_view(located, panorama, crop, self._localizer.index)
            return {"result": view, "name": upload.name}

        try:
            return self._page(request, await self._ask(request, shown))
        except Refused as error:
            reason = {"error": error.reason}
            return self._page(request, reason, error.status)

    async def locate(self, request: Request) -> Response:
        from starlette.responses import JSONResponse

        def work(upload: Upload, question: Question) -> list[dict[str, Any]]:
            located, _ = self._answer(upload, question)
            return [told(located, self._localizer.index)]

        try:
            return JSONResponse(await self._ask(request, work))
        except Refused as error:
            reason = {"error": error.reason}
            return JSONResponse(reason, error.status)

    async def health(self, request: Request) -> Response:
        from starlette.responses import JSONResponse

        return JSONResponse(
            {
                "status": "ok",
                "places": len(self._localizer.index.places),
                "model_hash": self._localizer.encoder.model_hash,
                "requests": self._turns.taken,
            }
        )

    async def positions(self, request: Request) -> Response:
        from starlette.responses import Response

        return Response(self._map.content, 200, media_type=_BYTES)

    async def picture(self, request: Request) -> Response:
        from starlette.responses import Response

        places, row = self._localizer.index.places, request.path_params["row"]
        if row >= len(places):
            return Response(status_code=404)
        try:
            with self._pictures.place():
                file = await self._pictures.run(
                    lambda: picture_of(places[row].image)
                )
        except Refused as error:
            return Response(status_code=error.status)
        if file is None:
            return Response(status_code=404)
        return Response(file, 200, _KEPT, media_type="image/jpeg")

    async def _ask(
        self, request: Request, work: Callable[[Upload, Question], Result]
    ) -> Result:
        """Receives an upload and has it worked on in its turn."""
        body = Body(request, self._limits)
        try:
            with self._turns.place():
                upload = await receive(body)
                question = parse_question(upload.fields)
                return await self._turns.run(lambda: work(upload, question))
        except Refused as error:
            # Not of the slow, who would go on being slow.
            if error.status != 408:
                await body.drain()
            raise

    def _answer(
        self, upload: Upload, question: Question
    ) -> tuple[Located, np.ndarray]:
        """The answer, and the upload's pixels."""
        panorama = uploaded_pixels(upload.image)
        image = upload.image
        if question.unknown_heading:
            # All its turns together take no more memory than one image may.
            most = MOST_PIXELS // self._turns_of_one
            image = bounded(image, panorama, most)
        try:
            located = self._localizer.locate(
                image,
                question.top_k,
                question.near,
                question.radius,
                question.unknown_heading,
            )
        except (UserError, UnreadableImage) as error:
            # Here the command's flags are fields.
            raise Refused(422, str(error).replace("--", "")) from error
        name = Path(upload.name or "panorama")
        return dataclasses.replace(located, image=name), panorama

    def _page(
        self,
        request: Request,
        values: Mapping[str, Any],
        status: int = 200,
    ) -> Response:
        from starlette.responses import HTMLResponse

        text = self._template.render(
            {
                "result": None,
                "error": None,
                "name": "",
                "address": str(request.base_url).rstrip("/"),
                "megabytes": self._limits.upload_bytes / 2**20,
                "upload_bytes": self._limits.upload_bytes,
                "count": len(self._localizer.index.places),
                "known": self._map.known,
                "step": self._map.step,
                "extent": self._extent,
                "trained_for_turns": self._trained_for_turns,
                **values,
            }
        )
        return HTMLResponse(text, status, _FRESH)


def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")
