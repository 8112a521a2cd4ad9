"""The page: its template, and what of it is the same for every answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

from mgtl_tf.retrieval.galleries.gallery import Index
from mgtl_tf.retrieval.headings import trained_with_rotations
from mgtl_tf.retrieval.localizer import Localizer
from mgtl_tf.retrieval.tiling.crop_settings import trained_on
from mgtl_tf.serving.limits import Limits
from mgtl_tf.utils.geodesy import earth_centred
from polar.text import spelled

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

MOST_POINTS = 200_000
"""Drawn at most; of a larger gallery every second place, or third, ..."""


@dataclass(frozen=True)
class PlacesMap:
    """Positions of places spread evenly over a gallery's rows.

    Attributes:
        step: rows from one of them to the next.
        content: their latitudes and longitudes in degrees, little-endian
            float64 [n, 2]; NaN where unknown.
        known: how many of all places have a position.
    """

    step: int
    content: bytes
    known: int

    @classmethod
    def of(cls, coordinates: np.ndarray) -> PlacesMap:
        """The map of a gallery.

        Args:
            coordinates: degrees, float64 [N, 2], NaN where unknown.
        """
        step = max(-(-len(coordinates) // MOST_POINTS), 1)
        known = int(np.isfinite(coordinates).all(axis=1).sum())
        shown = np.ascontiguousarray(coordinates[::step], "<f8")
        return cls(step, shown.tobytes(), known)


# Enough to tell how far apart places are.
_MOST_ASKED = 20_000


@dataclass(frozen=True)
class GroundExtent:
    """The square of ground under an image, its place in the middle.

    Attributes:
        metres: a side of it.
        origin: how that is known, in the page's words.
    """

    metres: float
    origin: str

    @classmethod
    def of(
        cls, index: Index, details: Mapping[str, Any]
    ) -> GroundExtent | None:
        """What is known of a gallery's images; None where nothing is.

        Crops know it from how they were cut. Other images show what the
        model was trained on, where that is known; else they are drawn as
        wide as places are apart.

        Args:
            index: the gallery.
            details: model.json of the model.
        """
        if (metres := _as_cut(index.made_of)) is not None:
            return cls(metres, "as they were cut")
        config = details.get("config", {})
        known = trained_on(config.get("data", {}).get("dataset", ""))
        if known is not None:
            return cls(known[0], "as the model's training images")
        spacing = _spacing(index.coordinates)
        if spacing is None:
            return None
        return cls(spacing, "a guess: as far as places are apart")


def _as_cut(made_of: Mapping[str, Any]) -> float | None:
    """Of several maps ("crop_metres (2)") all were cut alike."""
    found = [
        value for name, value in made_of.items() if name.startswith("crop_met")
    ]
    return float(found[0]) if found else None


def _spacing(coordinates: np.ndarray) -> float | None:
    """The median distance of a place to the nearest other position."""
    known = coordinates[np.isfinite(coordinates).all(axis=1)][:_MOST_ASKED]
    positions = np.unique(earth_centred(*known.T), axis=0)
    if len(positions) < 2:
        return None
    apart, _ = cKDTree(positions).query(positions, 2)
    return float(np.median(apart[:, 1]))


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
            "trained_with_rotations": trained_with_rotations(details),
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
