"""Calibrating a gallery: from panoramas of known place to its confidence."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mgtl_tf.data.geodesy import earth_centred
from mgtl_tf.errors import UserError
from mgtl_tf.retrieval.calibration import Calibration
from mgtl_tf.retrieval.calibration import fingerprint
from mgtl_tf.retrieval.calibration import near_first
from mgtl_tf.retrieval.calibration import save_calibration
from mgtl_tf.retrieval.calibration_fit import FOLDS
from mgtl_tf.retrieval.calibration_fit import Evidence
from mgtl_tf.retrieval.calibration_fit import Reliability
from mgtl_tf.retrieval.calibration_fit import fit
from mgtl_tf.retrieval.calibration_fit import held_out
from mgtl_tf.retrieval.calibration_fit import reliability
from mgtl_tf.retrieval.confidence import CANDIDATES
from mgtl_tf.retrieval.localizer import Localizer
from mgtl_tf.retrieval.map_distance import metres_from
from mgtl_tf.retrieval.places import read_locations
from mgtl_tf.retrieval.query_files import QueryFile
from mgtl_tf.retrieval.query_files import known_queries
from mgtl_tf.retrieval.reliability_chart import draw_reliability

_CHART = "calibration.svg"
# Of right and of wrong answers each: fewer tell nothing about the other kind.
_FEWEST = 5
_FEWEST_QUERIES = 50


@dataclass(frozen=True)
class Calibrated:
    """What calibrating came to.

    Attributes:
        calibration: what was written.
        reliability: on held-out places.
        files: that were written.
        left_out: a line for each query that was not used.
    """

    calibration: Calibration
    reliability: Reliability
    files: list[Path]
    left_out: list[str]

    def __str__(self) -> str:
        """The table of reliability, and what follows from it."""
        found = self.reliability
        lines = ["   told   right  queries"]
        for told, right, count in zip(
            found.confidence, found.right, found.counts, strict=True
        ):
            lines.append(
                f"{100 * told:>5.1f} % {100 * right:>5.1f} %  {count:>7,}"
            )
        queries = f"{self.calibration.queries:,} queries"
        return "\n".join(
            [
                f"confidence that the first answer lies within"
                f" {self.calibration.metres:g} m; {queries}, each told by a"
                f" fit to other parts of the map ({FOLDS} in all):",
                *lines,
                f"expected calibration error: {found.error:.4f}"
                f" ({len(found.counts)} bins of equally many queries)",
            ]
        )


def calibrate_gallery(
    model: Path | str,
    gallery: Path | str,
    queries: Path | str,
    metres: float = 25.0,
    locations: Path | str | None = None,
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

    Raises:
        UserError: for wrong paths or files, or queries from which nothing
            can be learnt.
    """
    if not 0 < metres < np.inf:
        raise UserError(f"--metres={metres:g}: must be above 0")
    files = known_queries(queries)
    known = {} if locations is None else read_locations(locations)
    return calibrate(Localizer.load(model, gallery), files, metres, known)


def calibrate(
    localizer: Localizer,
    files: Sequence[QueryFile],
    metres: float,
    known: Mapping[str, tuple[float, float]],
) -> Calibrated:
    """Fits the confidence of an open gallery and writes it.

    Args:
        localizer: model and gallery.
        files: panoramas.
        metres: R.
        known: degrees by place id, before those of the gallery.

    Raises:
        UserError: for queries from which nothing can be learnt.
    """
    placed, where, left_out = _placed(files, localizer, known)
    evidence, kept = _gather(localizer, placed, where, metres, left_out)
    _require_both(evidence, metres)
    told = held_out(evidence, earth_centred(*where[kept].T), metres)
    found = reliability(told, evidence.right)
    index = localizer.index
    calibration = Calibration(
        fit(evidence),
        float(metres),
        index.model_hash,
        fingerprint(index),
        len(evidence),
        float(evidence.right.mean()),
        found.error,
    )
    draw_reliability(found, metres, index.folder / _CHART)
    written = save_calibration(calibration, index.folder)
    files_written = [written, index.folder / _CHART]
    return Calibrated(calibration, found, files_written, left_out)


def _placed(
    files: Sequence[QueryFile],
    localizer: Localizer,
    known: Mapping[str, tuple[float, float]],
) -> tuple[list[QueryFile], np.ndarray, list[str]]:
    """Queries of known position, their degrees [Q, 2], and the others."""
    placed, where, others = [], [], []
    for file in files:
        row = localizer.index.row(file.place)
        found = known.get(file.place)
        if found is None and row is not None:
            found = localizer.index.places[row].coordinates
        if found is None:
            others.append(
                f"{file.image}: neither the gallery nor --locations has the"
                f" position of {file.place!r}"
            )
        else:
            placed.append(file)
            where.append(found)
    return placed, np.array(where, np.float64).reshape(-1, 2), others


def _gather(
    localizer: Localizer,
    files: Sequence[QueryFile],
    where: np.ndarray,
    metres: float,
    left_out: list[str],
) -> tuple[Evidence, np.ndarray]:
    """What the gallery has for the queries, and which could be read."""
    order = {file.image: number for number, file in enumerate(files)}
    parts, kept = [], []
    bar = tqdm(files, "calibrate", unit="image", leave=False)
    for batch in localizer.search(
        (file.image for file in bar),
        CANDIDATES,
        unreadable=lambda path, why: left_out.append(f"{path}: {why}"),
    ):
        numbers = [order[query.name] for query in batch.queries]
        rows = batch.rows[:, :CANDIDATES]
        candidates = localizer.index.coordinates[rows]
        apart = [
            metres_from(where[number], first)[0]
            for number, first in zip(numbers, candidates[:, :1], strict=True)
        ]
        parts.append(
            Evidence(
                batch.similarities[:, :CANDIDATES],
                near_first(candidates, metres),
                np.array(apart) <= metres,
            )
        )
        kept += numbers
    return _joined(parts), np.array(kept, np.int64)


def _joined(parts: Sequence[Evidence]) -> Evidence:
    if not parts:
        return Evidence(np.empty((0, 1)), np.empty((0, 1)), np.empty(0, bool))
    return Evidence(
        np.concatenate([part.similarities for part in parts]),
        np.concatenate([part.near for part in parts]),
        np.concatenate([part.right for part in parts]),
    )


def _require_both(evidence: Evidence, metres: float) -> None:
    right = int(evidence.right.sum())
    wrong = len(evidence) - right
    if len(evidence) < _FEWEST_QUERIES or min(right, wrong) < _FEWEST:
        raise UserError(
            f"--queries: {right} first answers lie within {metres:g} m and"
            f" {wrong} do not; {_FEWEST_QUERIES} queries with {_FEWEST} of each"
            " kind are the least to calibrate on: give more queries or another"
            " --metres"
        )
