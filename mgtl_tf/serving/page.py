"""The page: its template, and what of it is the same for every answer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgtl_tf.retrieval.headings import trained_for_turns
from mgtl_tf.retrieval.localizer import Localizer
from mgtl_tf.serving.ground_extent import GroundExtent
from mgtl_tf.serving.limits import Limits
from mgtl_tf.serving.places_map import PlacesMap
from polar.text import spelled

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_FOLDER = Path(__file__).parent / "templates"
_FRESH = {"cache-control": "no-store"}


class Page:
    """The page of one model and gallery.

    Args:
        localizer: what answers.
        limits: of uploads.
        places: the gallery's map.
    """

    def __init__(self, localizer: Localizer, limits: Limits, places: PlacesMap):
        details = localizer.encoder.details
        self._values = {
            "megabytes": limits.upload_bytes / 2**20,
            "upload_bytes": limits.upload_bytes,
            "count": len(localizer.index.places),
            "known": places.known,
            "step": places.step,
            "extent": GroundExtent.of(localizer.index, details),
            "trained_for_turns": trained_for_turns(details),
        }
        self._template = _template()

    def __call__(
        self, request: Request, values: Mapping[str, Any], status: int = 200
    ) -> Response:
        """An answer.

        Args:
            request: what it answers.
            values: `result` with its `name`, or `error`; or neither.
            status: of HTTP.
        """
        from starlette.responses import HTMLResponse

        text = self._template.render(
            {
                "result": None,
                "error": None,
                "name": "",
                "address": str(request.base_url).rstrip("/"),
                **self._values,
                **values,
            }
        )
        # Names of files need not be UTF-8.
        return HTMLResponse(spelled(text), status, _FRESH)


def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")
