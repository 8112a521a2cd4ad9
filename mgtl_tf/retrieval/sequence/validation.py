"""Drives made of calibration queries: is their confidence to be believed?

Queries of known place that lie near each other are strung to drives. Each is
driven three times: with the whole gallery; without what lies near its path,
as if it were of another town; and without what lies beyond a line across its
middle, as if it passed out of the gallery, or into it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from mgtl_tf.retrieval.calibration.confidence import CANDIDATES
from mgtl_tf.retrieval.calibration.query_results import AWAY
from mgtl_tf.retrieval.calibration.reliability import reliability
from mgtl_tf.retrieval.calibration.stored import near_first
from mgtl_tf.retrieval.sequence.bayes_filter import BayesFilter, SequenceModel
from mgtl_tf.retrieval.sequence.fit import log_ratio
from mgtl_tf.retrieval.sequence.motion import LEAST, Motion
from mgtl_tf.utils.geodesy import earth_centred

KINDS = ("inside", "outside", "passing")
"""Drives in the gallery, in another town, and out of it or into it."""

VIEWS = 3
"""Fewer frames that differ do not tell the kinds of drives apart: of them no
confidence is told."""

SURE = 0.9
"""Only confidences from this on, or as near to 0, are told: those between
are right for a mix of drives, but for neither kind alone."""

_DRIVES = 40
_FEWEST_DRIVES = 20
_FRAMES = (8, 24)
_TRIES = 10
_CAUTIONS = (0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
# A larger gallery is cut to the places nearest to each drive.
_MOST_PLACES = 20_000


def is_told(confidence: float, views: int) -> bool:
    """Whether a frame's confidence is told.

    Args:
        confidence: that the first answer lies within R.
        views: how many frames of different views there were so far.
    """
    return views >= VIEWS and not 1 - SURE < confidence < SURE


@dataclass(frozen=True)
class Frames:
    """Queries of known place, to be strung to drives.

    Attributes:
        views: descriptors, float32 [Q, D].
        where: degrees, [Q, 2].
    """

    views: np.ndarray
    where: np.ndarray


def choose_caution(
    model: SequenceModel,
    gallery: np.ndarray,
    coordinates: np.ndarray,
    frames: Frames,
    metres: float,
) -> tuple[SequenceModel, dict[str, float]]:
    """The model with the caution under which the worst kind errs least.

    Args:
        model: of `fit.fit_drive`.
        gallery: descriptors of the places, float32 [N, D].
        coordinates: theirs, degrees [N, 2], NaN where unknown.
        frames: queries.
        metres: R.

    Returns:
        It, and the expected calibration error of each kind's frames of which
        a confidence is told; none where there are too few drives, or no
        outside.
    """
    drives = list(string_drives(earth_centred(*frames.where.T), metres))
    if len(drives) < _FEWEST_DRIVES or not model.outside_share:
        return model, {}
    tried = []
    scenes = [
        scene
        for number, drive in enumerate(drives)
        for scene in _scenes(
            gallery, coordinates, frames, drive, number, metres
        )
    ]
    for caution in _CAUTIONS:
        cautious = dataclasses.replace(model, caution=caution)
        tried.append((cautious, _errors(cautious, scenes, metres)))
    whole = [t for t in tried if len(t[1]) == len(KINDS)]
    return min(whole, key=lambda t: max(t[1].values()), default=(model, {}))


@dataclass(frozen=True)
class _Scene:
    """One drive of T frames through one gallery of n places.

    Attributes:
        kind: of `KINDS`.
        views: [T, D].
        similarities: [T, n].
        rows: the places by these, best first, [T, n].
        near: of the best K, which lie within R of the first, [T, K].
        right: which places lie within R of the frame, [T, n].
        places: Cartesian metres, [n, 3].
        motion: through them.
    """

    kind: str
    views: np.ndarray
    similarities: np.ndarray
    rows: np.ndarray
    near: np.ndarray
    right: np.ndarray
    places: np.ndarray
    motion: Motion


def _scenes(
    gallery: np.ndarray,
    coordinates: np.ndarray,
    frames: Frames,
    drive: np.ndarray,
    number: int,
    metres: float,
) -> Iterator[_Scene]:
    """The three of a drive; those that leave too few places are left out."""
    known = np.flatnonzero(np.isfinite(coordinates).all(axis=1))
    places = earth_centred(*coordinates[known].T)
    path = earth_centred(*frames.where[drive].T)
    apart, _ = cKDTree(path).query(places)
    if len(known) > _MOST_PLACES:
        nearest = np.argpartition(apart, _MOST_PLACES)[:_MOST_PLACES]
        known, places, apart = known[nearest], places[nearest], apart[nearest]
    step = float(np.median(np.linalg.norm(np.diff(path, axis=0), axis=1)))
    along = (path[-1] - path[0]) * (-1) ** number
    cut = (places - path[len(path) // 2]) @ along
    kept = (apart >= 0, apart > AWAY * metres, cut <= 0)
    for kind, chosen in zip(KINDS, kept, strict=True):
        if np.count_nonzero(chosen) > CANDIDATES:
            rows = known[chosen]
            views = frames.views[drive]
            similarities = views @ np.asarray(gallery[rows]).T
            order = np.argsort(-similarities, axis=1, kind="stable")
            best = coordinates[rows][order[:, :CANDIDATES]]
            away = np.linalg.norm(places[chosen] - path[:, None], axis=2)
            yield _Scene(
                kind,
                views,
                similarities,
                order,
                near_first(best, metres),
                away <= metres,
                places[chosen],
                Motion(coordinates[rows], max(step, LEAST)),
            )


def _errors(
    model: SequenceModel, scenes: Sequence[_Scene], metres: float
) -> dict[str, float]:
    """The expected calibration error of each kind that has frames."""
    told: dict[str, list[tuple[float, bool]]] = {kind: [] for kind in KINDS}
    for scene in scenes:
        told[scene.kind] += _driven(model, scene, metres)
    found = {kind: np.array(pairs) for kind, pairs in told.items() if pairs}
    return {
        kind: reliability(pairs[:, 0], pairs[:, 1] > 0).error
        for kind, pairs in found.items()
    }


def _driven(
    model: SequenceModel, scene: _Scene, metres: float
) -> Iterator[tuple[float, bool]]:
    """Told and right of every frame of which a confidence is told."""
    sorted_ones = np.take_along_axis(scene.similarities, scene.rows, axis=1)
    ratios = log_ratio(model, sorted_ones[:, :CANDIDATES], scene.near)
    drive = BayesFilter(scene.motion, model)
    for frame, view in enumerate(scene.views):
        belief = drive.see(
            frame, view, scene.rows[frame], sorted_ones[frame], ratios[frame]
        )
        first = int(belief.argmax())
        apart = np.linalg.norm(scene.places - scene.places[first], axis=1)
        confidence = float(belief[apart <= metres].sum())
        if is_told(confidence, drive.views):
            yield confidence, bool(scene.right[frame, first])


def string_drives(
    positions: np.ndarray,
    metres: float,
    count: int | None = None,
    seed: int = 0,
) -> Iterator[np.ndarray]:
    """Queries strung to drives: onward, each within R of the last.

    Args:
        positions: of the queries, Cartesian metres [Q, 3].
        metres: R.
        count: how many drives are wanted; fewer where few can be made.
        seed: of where they begin and head.

    Yields:
        which queries, int [T].
    """
    random = np.random.default_rng(seed)
    tree = cKDTree(positions)
    wanted = _DRIVES if count is None else count
    made = 0
    for _ in range(wanted * _TRIES):
        drive = _drive(tree, metres, random)
        if len(drive) >= _FRAMES[0]:
            made += 1
            yield np.array(drive)
        if made == wanted:
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
        straight = steps @ heading / np.maximum(lengths, LEAST)
        straight /= max(float(np.linalg.norm(heading)), LEAST)
        onward = np.flatnonzero((straight > 0.2) & (lengths > LEAST))
        if not len(onward):
            break
        # The nearest, rather straight on.
        best = onward[np.argmin(lengths[onward] / (0.3 + straight[onward]))]
        drive.append(int(others[best]))
        heading = (
            heading / np.linalg.norm(heading) + steps[best] / lengths[best]
        )
    return drive
