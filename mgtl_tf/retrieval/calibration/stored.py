"""A gallery's calibration: its confidence, kept beside the index.

`calibration.json` in an index folder holds what `calibration_fit.fit` found
and what it was found on. It counts only for the model and the places that
it names.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from mgtl_tf.retrieval.calibration.confidence import CANDIDATES, Confidence
from mgtl_tf.retrieval.galleries.gallery import Index
from mgtl_tf.retrieval.sequence.bayes_filter import SequenceModel
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.utils.geodesy import geodesic_metres
from mgtl_tf.utils.json_files import read_json, sealed_text

Share = Annotated[float, Field(ge=0, le=1)]
"""A fraction."""

CALIBRATION_JSON = "calibration.json"
"""In an index folder, where the gallery was calibrated."""

NOT_CALIBRATED = "the gallery is not calibrated (experiments.calibrate does it)"
_FORMAT = 3
_OLD_FORMATS = (1, 2)
_OLD = (
    "the gallery was calibrated by an earlier version; run"
    " experiments.calibrate on it again"
)
_REMEDY = "run experiments.calibrate again, or delete it"
_STALE = "the gallery was calibrated {}; run experiments.calibrate on it again"


@dataclass(frozen=True)
class Calibration:
    """How probably a gallery's first answer lies within R metres.

    Attributes:
        confidence: from similarities to the probability.
        metres: R.
        model_hash: of the model it was fitted with.
        places: `fingerprint` of the gallery it was fitted on.
        queries: how many it was fitted on.
        right: which share of their first answers was right.
        error: expected calibration error on held-out places, of queries of
            which `outside_share` are from places that the gallery lacks.
        outside_share: how many of all queries are taken to be, 0 to 1.
        inside_error: the error of those whose place it has alone.
        outside_error: of the others alone: as none is right, what they are
            told on average. None where none was tried.
        drive: what the frames of a drive tell.
        drive_errors: expected calibration error of made drives' frames, by
            `validation.KINDS`; empty where none could be made.
    """

    confidence: Confidence
    metres: Annotated[float, Field(ge=0)]
    model_hash: str
    places: str
    queries: int
    right: Share
    error: Share
    outside_share: Share
    inside_error: Share
    outside_error: Share | None
    drive: SequenceModel
    drive_errors: dict[str, Share]

    def judge(
        self, similarities: np.ndarray, coordinates: np.ndarray
    ) -> np.ndarray:
        """Probability that each query's first answer is right, [Q].

        Args:
            similarities: of the best K answers, [Q, K], highest first.
            coordinates: their degrees, [Q, K, 2], NaN where unknown.
        """
        similarities = similarities[:, :CANDIDATES]
        near = near_first(coordinates[:, :CANDIDATES], self.metres)
        return self.confidence(similarities, near)


def near_first(coordinates: np.ndarray, metres: float) -> np.ndarray:
    """Which answers lie within R metres of their query's first, bool [Q, K].

    The first always does; one of unknown position does not.

    Args:
        coordinates: degrees, [Q, K, 2], NaN where unknown.
        metres: R.
    """
    apart = [geodesic_metres(line[0], line) for line in coordinates]
    near = np.array(apart).reshape(coordinates.shape[:2]) <= metres
    near[:, 0] = True
    return near


def fingerprint(index: Index) -> str:
    """Names a gallery's places: SHA-256 of their ids and positions."""
    digest = hashlib.sha256("\0".join(index.ids).encode(errors="replace"))
    digest.update(np.ascontiguousarray(index.coordinates, "<f8").tobytes())
    return digest.hexdigest()


def save_calibration(calibration: Calibration, folder: Path) -> Path:
    """Writes calibration.json into an index folder.

    Raises:
        UserError: where it cannot be written.
    """
    path = folder / CALIBRATION_JSON
    details = {"format": _FORMAT, **dataclasses.asdict(calibration)}
    atomic_write(path, sealed_text(details))
    return path


def load_calibration(index: Index) -> tuple[Calibration | None, str]:
    """A gallery's calibration, or None and why it has none that counts.

    Raises:
        UserError: where calibration.json is damaged, or of a later format.
    """
    path = index.folder / CALIBRATION_JSON
    if not path.is_file():
        return None, NOT_CALIBRATED
    known = read_json(path, dict[str, Any], _REMEDY)
    if known.get("format") in _OLD_FORMATS and "sha256" not in known:
        return None, _OLD
    found = read_json(path, Calibration, _REMEDY, sealed=True, version=_FORMAT)
    if found.model_hash != index.model_hash:
        return None, _STALE.format("with another model")
    if found.places != fingerprint(index):
        return None, _STALE.format("with other places")
    return found, ""
