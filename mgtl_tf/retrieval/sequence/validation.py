"""The filter on drives simulated from calibration queries.

Queries of known position that lie near each other are joined to drives. Each
is driven three times: through the complete gallery; without what lies near
its path, as if it were in another town; and without what lies beyond a line
across its middle, as if it left the gallery, or entered it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.retrieval.calibration.calibration_set import AWAY
from mgtl_tf.retrieval.calibration.confidence import (
    CANDIDATES,
    SequenceModel,
    near_first,
)
from mgtl_tf.retrieval.calibration.reliability import reliability
from mgtl_tf.retrieval.sequence.bayes_filter import BayesFilter
from mgtl_tf.retrieval.sequence.motion import LEAST, Motion
from mgtl_tf.utils.geodesy import earth_centred

KINDS = ("inside", "outside", "passing")
"""Drives in the gallery, in another town, and out of it or into it."""

VIEWS = 3
"""Fewer frames of different views do not distinguish the kinds of drives, and
have no confidence."""

SURE = 0.9
"""A confidence is given from this on, or as near to 0: those between are
right for a mix of drives, but for neither kind alone."""

_DRIVES = 40
_FEWEST_DRIVES = 20
_FRAMES = (8, 24)
_TRIES = 10
_PENALTIES = (0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
# A larger gallery is cut to the places nearest to each drive.
_MOST_PLACES = 20_000


def is_decided(confidence: float, views: int) -> bool:
    """Whether a frame has a confidence.

    Args:
        confidence: that the first answer lies within R.
        views: how many frames of different views there were so far.
    """
    return views >= VIEWS and not 1 - SURE < confidence < SURE


@dataclass(frozen=True)
class SimulatedDrive:
    """One drive of T frames through one gallery of n places.

    Attributes:
        kind: of `KINDS`.
        views: descriptors of the frames, [T, D].
        rows: the places, most similar first, int [T, n].
        similarities: theirs, [T, n].
        near: which of the first K lie within R of the first, bool [T, K].
        path, places: Cartesian metres, [T, 3] and [n, 3].
        motion: through the places.
    """

    kind: str
    views: np.ndarray
    rows: np.ndarray
    similarities: np.ndarray
    near: np.ndarray
    path: np.ndarray
    places: np.ndarray
    motion: Motion


def choose_frame_penalty(
    model: SequenceModel,
    index: Index,
    views: np.ndarray,
    where: np.ndarray,
    metres: float,
) -> tuple[SequenceModel, dict[str, float]]:
    """The model with the frame penalty under which the worst kind errs least.

    Args:
        model: of `fit.fit_sequence_model`.
        index: the gallery.
        views, where: of the queries, descriptors [Q, D] and degrees [Q, 2].
        metres: R.

    Returns:
        It, and the expected calibration error of each kind's frames that have
        a confidence; none where there are too few drives, or no outside.
    """
    positions = earth_centred(*where.T)
    chosen = list(join_drives(positions, metres))
    if len(chosen) < _FEWEST_DRIVES or not model.outside_share:
        return model, {}
    drives = [
        drive
        for number, queries in enumerate(chosen)
        for drive in _simulated(
            index,
            views[queries],
            positions[queries],
            metres,
            enters=number % 2 == 1,
        )
    ]
    tried = []
    for penalty in _PENALTIES:
        changed = dataclasses.replace(model, frame_penalty=penalty)
        errors = _errors(changed, drives, metres)
        if len(errors) == len(KINDS):
            tried.append((changed, errors))
    return min(tried, key=lambda t: max(t[1].values()), default=(model, {}))


def _simulated(
    index: Index,
    views: np.ndarray,
    path: np.ndarray,
    metres: float,
    enters: bool,
) -> Iterator[SimulatedDrive]:
    """A drive of each kind, but where too few places are left."""
    coordinates = index.coordinates
    known = np.flatnonzero(np.isfinite(coordinates).all(axis=1))
    places = earth_centred(*coordinates[known].T)
    apart, _ = cKDTree(path).query(places)
    if len(known) > _MOST_PLACES:
        nearest = np.argpartition(apart, _MOST_PLACES)[:_MOST_PLACES]
        known, places, apart = known[nearest], places[nearest], apart[nearest]
    step = float(np.median(np.linalg.norm(np.diff(path, axis=0), axis=1)))
    along = (path[0] - path[-1]) if enters else (path[-1] - path[0])
    before = (places - path[len(path) // 2]) @ along <= 0
    kept = (apart >= 0, apart > AWAY * metres, before)
    for kind, chosen in zip(KINDS, kept, strict=True):
        if np.count_nonzero(chosen) <= CANDIDATES:
            continue
        rows = known[chosen]
        scores = np.empty((len(views), len(rows)), np.float32)
        gallery = np.asarray(index.descriptors[rows], np.float32)
        index.scorer.tile(np.asarray(views, np.float32), gallery, scores)
        order = np.argsort(-scores, axis=1, kind="stable")
        yield SimulatedDrive(
            kind,
            views,
            order,
            np.take_along_axis(scores, order, axis=1),
            near_first(coordinates[rows][order[:, :CANDIDATES]], metres),
            path,
            places[chosen],
            Motion(coordinates[rows], max(step, LEAST)),
        )


def _errors(
    model: SequenceModel, drives: list[SimulatedDrive], metres: float
) -> dict[str, float]:
    """The expected calibration error of each kind that has frames."""
    frames: dict[str, list[tuple[float, bool]]] = {kind: [] for kind in KINDS}
    for drive in drives:
        frames[drive.kind] += _confidences(model, drive, metres)
    return {
        kind: reliability(*np.array(pairs).T).error
        for kind, pairs in frames.items()
        if pairs
    }


def _confidences(
    model: SequenceModel, drive: SimulatedDrive, metres: float
) -> Iterator[tuple[float, bool]]:
    """Confidence, and whether it was right, of each frame that has one."""
    ratios = model.ratios(drive.similarities[:, :CANDIDATES], drive.near)
    bayes = BayesFilter(drive.motion, model)
    for frame, view in enumerate(drive.views):
        belief = bayes.update(
            frame,
            view,
            drive.rows[frame],
            drive.similarities[frame],
            ratios[frame],
        )
        first = drive.places[belief.argmax()]
        apart = np.linalg.norm(drive.places - first, axis=1)
        confidence = float(belief[apart <= metres].sum())
        if is_decided(confidence, bayes.views):
            error = np.linalg.norm(drive.path[frame] - first)
            yield confidence, bool(error <= metres)


def join_drives(
    positions: np.ndarray, metres: float, count: int = _DRIVES, seed: int = 0
) -> Iterator[np.ndarray]:
    """Queries joined to drives: onward, each within R of the last.

    Args:
        positions: of the queries, Cartesian metres [Q, 3].
        metres: R.
        count: how many drives; fewer where few can be made.
        seed: of where they begin and head.

    Yields:
        queries, int [T].
    """
    random = np.random.default_rng(seed)
    tree = cKDTree(positions)
    made = 0
    for _ in range(count * _TRIES):
        drive = _drive(tree, metres, random)
        if len(drive) >= _FRAMES[0]:
            made += 1
            yield np.array(drive)
        if made == count:
            return


def _drive(
    tree: cKDTree, metres: float, random: np.random.Generator
) -> list[int]:
    positions = tree.data
    drive = [int(random.integers(len(positions)))]
    heading = random.normal(size=3)
    while len(drive) < _FRAMES[1]:
        here = positions[drive[-1]]
        others = np.setdiff1d(tree.query_ball_point(here, metres), drive)
        steps = positions[others] - here
        lengths = np.linalg.norm(steps, axis=1)
        heading /= max(float(np.linalg.norm(heading)), LEAST)
        straight = steps @ heading / np.maximum(lengths, LEAST)
        onward = np.flatnonzero((straight > 0.2) & (lengths > LEAST))
        if not len(onward):
            break
        # The nearest, preferably straight on.
        best = onward[np.argmin(lengths[onward] / (0.3 + straight[onward]))]
        drive.append(int(others[best]))
        heading = heading + steps[best] / lengths[best]
    return drive
