"""What a sound VIGOR looks like, and what stands beside its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mgtl_tf.datasets.problems import WARNING, Problem
from mgtl_tf.datasets.records import Pair

SYNTHETIC = "world.json"
"""In the folder of a synthetic world, whose counts are its own."""

# Published counts: tiles; same-area train and test; all panoramas.
_TILES = {
    "NewYork": 23_279,
    "Seattle": 20_776,
    "SanFrancisco": 24_255,
    "Chicago": 22_308,
}
_TRAIN = {
    "NewYork": 13_885,
    "Seattle": 11_876,
    "SanFrancisco": 14_108,
    "Chicago": 12_740,
}
_TEST = {
    "NewYork": 13_884,
    "Seattle": 11_875,
    "SanFrancisco": 14_107,
    "Chicago": 12_739,
}
# Of the published labels the positive's centre is nearest in 99.9 % of lines,
# and no offset of one is larger.
_NEAREST, _LARGEST_OFFSET = 0.99, 183.0


def check_root(root: Path, problems: list[Problem]) -> None:
    """Warns of a folder whose name breaks VIGOR's own evaluation."""
    path = str(root.resolve())
    found = [sign for sign in ",_" if sign in path]
    if found:
        signs = " and ".join(repr(sign) for sign in found)
        reason = (
            f"its path holds {signs}: harmless here, where coordinates are"
            " those of a file's own name; VIGOR's metre code reads them from"
            " the whole path"
        )
        problems.append(Problem(path, "", 0, reason, severity=WARNING))


def check_labels(
    path: Path, split: str, pairs: Sequence[Pair], problems: list[Problem]
) -> None:
    """Warns where positives are not what positives are."""
    if not pairs:
        return
    offsets = np.array([_tiles(pair).offsets[0] for pair in pairs])
    far = np.flatnonzero(np.abs(offsets).max(axis=1) > _LARGEST_OFFSET)
    reasons = []
    if far.size:
        first = pairs[far[0]]
        reasons.append(
            f"{far.size:,} of {len(pairs):,} positives are more than"
            f" {_LARGEST_OFFSET:g} pixels off in a direction, the first in row"
            f" {first.row}"
        )
    wrong = np.flatnonzero(~_nearest(pairs))
    if wrong.size > (1 - _NEAREST) * len(pairs):
        reasons.append(
            f"{wrong.size:,} of {len(pairs):,} positives are not the nearest"
            f" of their four tiles, the first in row {pairs[wrong[0]].row}"
        )
    problems += [
        Problem(str(path), split, 0, reason, severity=WARNING)
        for reason in reasons
    ]


def count_notes(
    root: Path,
    protocol: str,
    pairs: Mapping[str, Sequence[Pair]],
    tiles: Mapping[str, int],
) -> list[str]:
    """Notes where a city's counts are not the published ones."""
    if (root / SYNTHETIC).is_file():
        return []
    notes = []
    for split, named in pairs.items():
        part = _TRAIN if split == "train" else _TEST
        counts = dict.fromkeys(_TILES, 0)
        for pair in named:
            counts[pair.id.partition("/")[0]] += 1
        for city, count in counts.items():
            whole = _TRAIN[city] + _TEST[city]
            wanted = part[city] if protocol == "same" else whole
            if count != wanted and (count or protocol == "same"):
                what = "training" if split == "train" else "test"
                notes.append(
                    f"{city}: {count:,} {what} panoramas (published:"
                    f" {wanted:,})"
                )
    return notes + [
        f"{city}: {count:,} tiles (published: {_TILES[city]:,})"
        for city, count in tiles.items()
        if count != _TILES[city]
    ]


def same_area_leak(train: Sequence[Pair], test: Sequence[Pair]) -> list[str]:
    """How far same-area test queries are of images that were trained on."""
    if not test:
        return []
    positives = {pair.aerial for pair in train}
    listed = {t.aerial for pair in train for t in _tiles(pair).images}
    own = np.mean([pair.aerial in positives for pair in test])
    any_line = np.mean([pair.aerial in listed for pair in test])
    return [
        f"same-area: {100 * own:.1f} % of {len(test):,} test queries share"
        f" their own tile with a training panorama, and of {100 * any_line:.1f}"
        " % it stands in some training line; only panoramas are disjoint"
    ]


def _nearest(pairs: Sequence[Pair]) -> np.ndarray:
    """Whether each positive is the nearest of its four tiles, bool [N]."""
    here = np.array([pair.position for pair in pairs])[:, None]
    there = np.array([[t.position for t in _tiles(p).images] for p in pairs])
    apart = np.linalg.norm(there - here, axis=-1)
    return apart.argmin(axis=1) == 0


def _tiles(pair: Pair):
    if pair.tiles is None:
        raise ValueError(f"pair {pair.id} has no tiles")
    return pair.tiles
