"""A gallery's calibration: calibration.json in the gallery's folder.

It is valid only for the model and the places that it names.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.retrieval.calibration.confidence import (
    CANDIDATES,
    Confidence,
    SequenceModel,
    near_first,
)
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.utils.json_files import read_json, sealed_text

Share = Annotated[float, Field(ge=0, le=1)]
"""A fraction."""

CALIBRATION_JSON = "calibration.json"

NOT_CALIBRATED = "the gallery is not calibrated (run experiments.calibrate)"
_FORMAT = 4
_REMEDY = "run experiments.calibrate again, or delete it"
_STALE = "the gallery was calibrated {}; run experiments.calibrate on it again"


@dataclass(frozen=True)
class MeasuredCalibration:
    """What was measured when a gallery was calibrated.

    Attributes:
        queries: how many the confidence was fitted to.
        right: which share of their first answers was right.
        error: expected calibration error on held-out places, of queries of
            which `outside_share` are from places that the gallery lacks.
        inside_error: that of queries whose place the gallery has.
        outside_error: that of the others, of which none is right; None where
            there were none.
        drive_errors: that of the frames of simulated drives, by
            `validation.KINDS`; empty where none could be simulated.
        heading: which share of the right first answers gave the heading
            within 12 degrees, without what is common to the others; None of
            systems that find none.
    """

    queries: int
    right: Share
    error: Share
    inside_error: Share
    outside_error: Share | None
    drive_errors: dict[str, Share]
    heading: Share | None = None


@dataclass(frozen=True)
class Calibration:
    """How probably a gallery's first answer lies within R metres.

    Attributes:
        confidence: from similarities to the probability.
        metres: R.
        model_hash: of the model it was fitted with.
        places: `fingerprint` of the gallery it was fitted on.
        outside_share: assumed share of queries from places that the gallery
            lacks, 0 to 1.
        drive: parameters of the Bayes filter for the frames of a drive.
        measured: errors on held-out places.
        heading_constant: degrees by which the model's headings all lie
            clockwise of the true ones; 0 where it finds none.
    """

    confidence: Confidence
    metres: Annotated[float, Field(ge=0)]
    model_hash: str
    places: str
    outside_share: Share
    drive: SequenceModel
    measured: MeasuredCalibration
    heading_constant: float = 0.0

    def compared(
        self, similarities: np.ndarray, coordinates: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What `LogOdds.log_odds` takes of each query's answers.

        Args:
            similarities: of the best answers, [Q, K], highest first.
            coordinates: their degrees, [Q, K, 2], NaN where unknown.
        """
        near = near_first(coordinates[:, :CANDIDATES], self.metres)
        return similarities[:, :CANDIDATES], near


def fingerprint(index: Index) -> str:
    """Identifies a gallery's places: SHA-256 of their ids and positions."""
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
    """A gallery's calibration, or None and why it has no valid one.

    Raises:
        UserError: where calibration.json is damaged, or of another format.
    """
    path = index.folder / CALIBRATION_JSON
    if not path.is_file():
        return None, NOT_CALIBRATED
    found = read_json(path, Calibration, _REMEDY, sealed=True, version=_FORMAT)
    if found.model_hash != index.model_hash:
        return None, _STALE.format("with another model")
    if found.places != fingerprint(index):
        return None, _STALE.format("with other places")
    return found, ""
