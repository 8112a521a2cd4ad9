"""A gallery's calibration: its confidence, kept beside the index.

`calibration.json` in an index folder holds what `calibration_fit.fit` found
and what it was found on. It counts only for the model and the places that
it names.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.errors import UserError
from mgtl_tf.folders import write_whole
from mgtl_tf.retrieval.confidence import CANDIDATES
from mgtl_tf.retrieval.confidence import Confidence
from mgtl_tf.retrieval.index import Index
from mgtl_tf.retrieval.map_distance import metres_from

CALIBRATION_JSON = "calibration.json"
"""In an index folder, where the gallery was calibrated."""

NOT_CALIBRATED = "the gallery is not calibrated (experiments.calibrate does it)"
_FORMATS = (1, 2)
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
        drive_sharpness: b of the likelihoods exp(b s) of a drive's frames,
            by the queries inside the gallery alone.
    """

    confidence: Confidence
    metres: float
    model_hash: str
    places: str
    queries: int
    right: float
    error: float
    outside_share: float
    inside_error: float
    outside_error: float | None
    drive_sharpness: float

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
    apart = [metres_from(line[0], line) for line in coordinates]
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
    details = {"format": _FORMATS[-1], **dataclasses.asdict(calibration)}
    write_whole(path, json.dumps(details, indent=2) + "\n")
    return path


def load_calibration(index: Index) -> tuple[Calibration | None, str]:
    """A gallery's calibration, or None and why it has none that counts.

    Raises:
        UserError: where calibration.json is damaged, or of a later format.
    """
    path = index.folder / CALIBRATION_JSON
    if not path.is_file():
        return None, NOT_CALIBRATED
    try:
        details = json.loads(path.read_text())
        if details["format"] not in _FORMATS:
            raise UserError(
                f"{path}: of format {details['format']}, this version reads"
                f" {_FORMATS[0]} and {_FORMATS[1]}; run experiments.calibrate"
                " again"
            )
        found = _read(details)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: damaged ({error}); run experiments.calibrate again, or"
            " delete it"
        ) from error
    if found.model_hash != index.model_hash:
        return None, _STALE.format("with another model")
    if found.places != fingerprint(index):
        return None, _STALE.format("with other places")
    return found, ""


def _read(details: dict[str, Any]) -> Calibration:
    names = [field.name for field in dataclasses.fields(Confidence)]
    numbers = {name: _number(details["confidence"], name) for name in names}
    if numbers["sharpness"] <= 0:
        raise ValueError("sharpness is not above 0")
    confidence = Confidence(**numbers)
    if details["format"] == 1:
        details = details | _of_insiders_only(confidence, details)
    outside_error = details["outside_error"]
    if outside_error is not None:
        outside_error = _number(details, "outside_error")
    return Calibration(
        confidence,
        _number(details, "metres"),
        str(details["model_hash"]),
        str(details["places"]),
        int(details["queries"]),
        _number(details, "right"),
        _number(details, "error"),
        _number(details, "outside_share"),
        _number(details, "inside_error"),
        outside_error,
        _number(details, "drive_sharpness"),
    )


def _of_insiders_only(
    confidence: Confidence, details: dict[str, Any]
) -> dict[str, Any]:
    """What format 1 does not say: it knew no queries from outside."""
    return {
        "outside_share": 0.0,
        "inside_error": details["error"],
        "outside_error": None,
        "drive_sharpness": confidence.effective_sharpness,
    }


def _number(details: dict[str, Any], name: str) -> float:
    value = float(details[name])
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}")
    return value
