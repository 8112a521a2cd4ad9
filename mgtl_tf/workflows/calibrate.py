"""Calibrating a gallery: from panoramas of known place to its confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mgtl_tf.retrieval.calibration.cross_validation import (
    CrossValidation,
    cross_validate,
    summary,
)
from mgtl_tf.retrieval.calibration.fit import fit
from mgtl_tf.retrieval.calibration.query_results import (
    AWAY,
    CalibrationSet,
    QueryResults,
    ResultCollector,
)
from mgtl_tf.retrieval.calibration.reliability_chart import draw_reliability
from mgtl_tf.retrieval.calibration.stored import (
    Calibration,
    fingerprint,
    save_calibration,
)
from mgtl_tf.retrieval.galleries.gallery import Index
from mgtl_tf.retrieval.galleries.places import read_locations
from mgtl_tf.retrieval.localizer import Localizer
from mgtl_tf.retrieval.query_files import QueryFile, known_queries
from mgtl_tf.retrieval.sequence.bayes_filter import SequenceModel
from mgtl_tf.retrieval.sequence.fit import fit_drive
from mgtl_tf.retrieval.sequence.validation import Frames, choose_caution
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import earth_centred

OUTSIDE_SHARE = 0.1
"""One query in ten from where the gallery has no place, if nobody says."""

_CHART = "calibration.svg"
# Of right and of wrong answers each: fewer tell nothing about the other kind.
_FEWEST = 5
_FEWEST_QUERIES = 50


@dataclass(frozen=True)
class Calibrated:
    """What calibrating came to.

    Attributes:
        calibration: what was written.
        trial: how it does on held-out places.
        files: that were written.
        left_out: a line for each query that was not used.
    """

    calibration: Calibration
    trial: CrossValidation
    files: list[Path]
    left_out: list[str]

    def __str__(self) -> str:
        """The table of reliability, and what follows from it."""
        return "\n".join(summary(self.calibration, self.trial))


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
        queries: as of `query_files.known_queries`; panoramas that the model
            was not trained on.
        metres: R, within which a first answer is right.
        locations: CSV with columns id, latitude, longitude: where the
            panoramas of these ids were taken; the others at the gallery's
            place of their id.
        outside_share: how many of the queries to come are taken to be from
            places that the gallery lacks, 0 to less than 1.

    Raises:
        UserError: for wrong paths or files, or queries from which nothing
            can be learnt.
    """
    if not 0 < metres < np.inf:
        raise UserError(f"--metres={metres:g}: must be above 0")
    if not 0 <= outside_share < 1:
        raise UserError(
            f"--outside_share={outside_share:g}: must be 0 or more and below 1"
        )
    files = known_queries(queries)
    known = {} if locations is None else read_locations(locations)
    localizer = Localizer.load(model, gallery)
    return calibrate(localizer, files, metres, known, outside_share)


def calibrate(
    localizer: Localizer,
    files: Sequence[QueryFile],
    metres: float,
    known: Mapping[str, tuple[float, float]],
    outside_share: float = OUTSIDE_SHARE,
) -> Calibrated:
    """Fits the confidence of an open gallery and writes it.

    Args:
        localizer: model and gallery.
        files: panoramas.
        metres: R.
        known: degrees by place id, before those of the gallery.
        outside_share: as of `calibrate_gallery`.

    Raises:
        UserError: for queries from which nothing can be learnt.
    """
    placed, where, left_out = _placed(files, localizer, known)
    index = localizer.index
    collector = ResultCollector(index, where, metres, outside_share > 0)
    trials = _tried(localizer, placed, collector, left_out)
    if collector.unjudged:
        left_out.append(
            f"{collector.unjudged} queries: their first answer has no position,"
            " so whether it is right cannot be judged"
        )
    _require_both(trials.inside, metres)
    _require_outside(trials, metres, outside_share)
    positions = earth_centred(*where[collector.kept].T)
    trial = cross_validate(trials, positions, metres, outside_share)
    calibration = Calibration(
        fit(trials, outside_share),
        float(metres),
        index.model_hash,
        fingerprint(index),
        len(trials.inside),
        float(trials.inside.right.mean()),
        trial.mixed.error,
        float(outside_share),
        trial.inside.error,
        None if trial.outside is None else trial.outside.error,
        *_on_drives(localizer, trials, collector, where, metres, outside_share),
    )
    draw_reliability(trial, metres, index.folder / _CHART)
    written = save_calibration(calibration, index.folder)
    files_written = [written, index.folder / _CHART]
    return Calibrated(calibration, trial, files_written, left_out)


def _on_drives(
    localizer: Localizer,
    trials: CalibrationSet,
    collector: ResultCollector,
    where: np.ndarray,
    metres: float,
    outside_share: float,
) -> tuple[SequenceModel, dict[str, float]]:
    """What frames tell of drives, and the errors on drives of queries."""
    views = np.array(collector.views)
    index = localizer.index
    return choose_caution(
        fit_drive(trials, views, outside_share),
        index.descriptors,
        index.coordinates,
        Frames(views, where[collector.kept[: len(views)]]),
        metres,
    )


def _placed(
    files: Sequence[QueryFile],
    localizer: Localizer,
    known: Mapping[str, tuple[float, float]],
) -> tuple[list[QueryFile], np.ndarray, list[str]]:
    """Queries of known position, their degrees [Q, 2], and the others."""
    placed, where, others = [], [], []
    for file in files:
        found = _position(file, localizer.index, known)
        if found is None:
            others.append(
                f"{file.image}: neither the gallery nor --locations has the"
                f" position of {file.place!r}"
            )
        else:
            placed.append(file)
            where.append(found)
    return placed, np.array(where, np.float64).reshape(-1, 2), others


def _position(
    file: QueryFile, index: Index, known: Mapping[str, tuple[float, float]]
) -> tuple[float, float] | None:
    """Where a query was taken: by --locations, its list, or the gallery."""
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


def _tried(
    localizer: Localizer,
    files: Sequence[QueryFile],
    collector: ResultCollector,
    left_out: list[str],
) -> CalibrationSet:
    """What the gallery has for the queries, where they could be read."""
    order = {file.image: number for number, file in enumerate(files)}
    bar = tqdm(files, "calibrate", unit="image", leave=False)
    for batch in localizer.search(
        (file.image for file in bar),
        collector.top_k,
        unreadable=lambda path, why: left_out.append(f"{path}: {why}"),
    ):
        numbers = [order[query.name] for query in batch.queries]
        collector.note(batch, numbers)
    return collector.trials


def _require_both(evidence: QueryResults, metres: float) -> None:
    right = int(evidence.right.sum())
    wrong = len(evidence) - right
    if len(evidence) < _FEWEST_QUERIES or min(right, wrong) < _FEWEST:
        raise UserError(
            f"--queries: {right} first answers lie within {metres:g} m and"
            f" {wrong} do not; {_FEWEST_QUERIES} queries with {_FEWEST} of each"
            " kind are the least to calibrate on: give more queries or another"
            " --metres"
        )


def _require_outside(
    trials: CalibrationSet, metres: float, share: float
) -> None:
    count = len(trials.outside)
    if share > 0 and count < _FEWEST_QUERIES:
        raise UserError(
            f"--outside_share={share:g}: only {count} queries leave a place of"
            f" the gallery {AWAY * metres:g} m or more away; give"
            " --outside_share=0, a smaller --metres or a larger gallery"
        )
