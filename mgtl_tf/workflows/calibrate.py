"""Calibrating a gallery: from panoramas of known position to confidences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.galleries.named_images import NamedImage, named_images
from mgtl_tf.galleries.places import read_locations
from mgtl_tf.retrieval.calibration.calibration_set import (
    CalibrationSet,
    search_queries,
)
from mgtl_tf.retrieval.calibration.fit import fit, fit_sequence_model
from mgtl_tf.retrieval.calibration.reliability import (
    CrossValidation,
    cross_validate,
    draw_reliability,
    summary,
)
from mgtl_tf.retrieval.calibration.requirements import (
    require_enough,
    require_spread,
)
from mgtl_tf.retrieval.calibration.stored import (
    Calibration,
    MeasuredCalibration,
    fingerprint,
    save_calibration,
)
from mgtl_tf.retrieval.searcher import Searcher
from mgtl_tf.retrieval.sequence.validation import choose_frame_penalty
from mgtl_tf.utils.angles import DEGREES, less_typical, typical
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import earth_centred

OUTSIDE_SHARE = 0.1
"""One query in ten is assumed to be from where the gallery has no place."""

_CHART = "calibration.svg"


@dataclass(frozen=True)
class Calibrated:
    """The outcome of calibrating.

    Attributes:
        calibration: what was written.
        reliability: on held-out places.
        files: that were written.
        left_out: a line for each query that was not used.
    """

    calibration: Calibration
    reliability: CrossValidation
    files: list[Path]
    left_out: list[str]

    def __str__(self) -> str:
        """The table of reliability."""
        return summary(self.calibration, self.reliability)


def calibrate_gallery(
    model: Path | str,
    gallery: Path | str,
    queries: Path | str,
    metres: float = 25.0,
    locations: Path | str | None = None,
    outside_share: float = OUTSIDE_SHARE,
) -> Calibrated:
    """Fits a gallery's confidence and writes it into the gallery's folder.

    Args:
        model: folder that experiments.export wrote.
        gallery: folder that experiments.index wrote, with the same model.
        queries: as of `named_images`; panoramas that the model was not
            trained on.
        metres: R, within which a first answer is right.
        locations: CSV with columns id, latitude, longitude: where the
            panoramas of these ids were taken; the others at the gallery's
            place of their id.
        outside_share: assumed share of queries from places that the gallery
            lacks, 0 to less than 1.

    Raises:
        UserError: for wrong paths or files, or too few queries.
    """
    if not 0 < metres < np.inf:
        raise UserError(f"metres={metres:g}: must be above 0")
    if not 0 <= outside_share < 1:
        raise UserError(
            f"outside_share={outside_share:g}: must be 0 or more and below 1"
        )
    files = named_images(queries, "ground")
    known = {} if locations is None else read_locations(locations)
    searcher = Searcher.load(model, gallery)
    return calibrate(searcher, files, metres, known, outside_share)


def calibrate(
    searcher: Searcher,
    files: Sequence[NamedImage],
    metres: float,
    known: Mapping[str, tuple[float, float]],
    outside_share: float = OUTSIDE_SHARE,
) -> Calibrated:
    """Fits the confidence of an open gallery and writes it.

    Args:
        searcher: model and gallery.
        files: panoramas.
        metres: R.
        known: degrees by place id, before those of the gallery.
        outside_share: as of `calibrate_gallery`.

    Raises:
        UserError: for too few queries, or all of them in one spot.
    """
    index = searcher.index
    placed, degrees, left_out = _placed(files, index, known)
    require_spread(index.coordinates, degrees, metres, outside_share)
    found = search_queries(
        searcher,
        tqdm(placed, "calibrate", unit="image", leave=False),
        degrees,
        metres,
        outside_share > 0,
        unreadable=lambda path, why: left_out.append(f"{path}: {why}"),
    )
    if found.unjudged:
        left_out.append(
            f"{found.unjudged} queries: their first answer has no position, so"
            " whether it is right cannot be judged"
        )
    queries, degrees = found.results, degrees[found.numbers]
    require_enough(queries, metres, outside_share)
    reliability = cross_validate(
        queries, earth_centred(*degrees.T), metres, outside_share
    )
    drive, drive_errors = choose_frame_penalty(
        fit_sequence_model(queries, found.views, outside_share),
        index,
        found.views,
        degrees[: len(found.views)],
        metres,
    )
    errors = found.heading_errors
    calibration = Calibration(
        fit(queries, outside_share),
        float(metres),
        index.model_hash,
        fingerprint(index),
        float(outside_share),
        drive,
        _measured(queries, reliability, drive_errors, errors),
        typical(errors) if len(errors) else 0.0,
    )
    chart = index.folder / _CHART
    draw_reliability(reliability, metres, chart)
    written = save_calibration(calibration, index.folder)
    return Calibrated(calibration, reliability, [written, chart], left_out)


def _measured(
    queries: CalibrationSet,
    reliability: CrossValidation,
    drive_errors: dict[str, float],
    heading_errors: np.ndarray,
) -> MeasuredCalibration:
    outside = reliability.outside
    headings = np.abs(less_typical(heading_errors))
    return MeasuredCalibration(
        len(queries.inside),
        float(queries.inside.right.mean()),
        reliability.mixed.error,
        reliability.inside.error,
        None if outside is None else outside.error,
        drive_errors,
        float(np.mean(headings <= DEGREES)) if len(headings) else None,
    )


def _placed(
    files: Sequence[NamedImage],
    index: Index,
    known: Mapping[str, tuple[float, float]],
) -> tuple[list[Path], np.ndarray, list[str]]:
    """Images of known position, their degrees [Q, 2], and the others."""
    placed, where, others = [], [], []
    for file in files:
        position = _position(file, index, known)
        if position is None:
            others.append(
                f"{file.image}: neither the gallery nor the given locations"
                f" have the position of {file.place!r}"
            )
        else:
            placed.append(file.image)
            where.append(position)
    return placed, np.array(where, np.float64).reshape(-1, 2), others


def _position(
    file: NamedImage, index: Index, known: Mapping[str, tuple[float, float]]
) -> tuple[float, float] | None:
    """By the given locations, the query's list, or the gallery."""
    names = [name for name in (file.id, file.place) if name]
    for name in names:
        if name in known:
            return known[name]
    if file.coordinates is not None:
        return file.coordinates
    for row in map(index.row, names):
        if row is not None:
            return index.places[row].coordinates
    return None
