"""Confidence of frames of drives inside a gallery, elsewhere, and passing.

    python -m benchmarks.sequences --model=demo/run/export \
        --gallery=demo/gallery --world=demo/world --elsewhere=town

Makes drives of a world's validation panoramas, in the order of their places,
and locates each with experiments.locate's own --sequence: inside (the gallery
as it is), elsewhere (panoramas of another world's town), passing (the gallery
without the half beyond each drive's middle), and of each a standing car (ten
times the same frame). Prints by kind how many frames were right and within R,
how many have a confidence, and the expected calibration error of those: the
ratio of it to the 0.05 that it may not exceed.
Without --elsewhere, such drives go through the same town without the places
within 2 R of their path.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
from absl import flags

from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.datasets.records import Pair, positions
from mgtl_tf.galleries.encoder import Encoder
from mgtl_tf.galleries.gallery import Index
from mgtl_tf.retrieval.ann.engine import SearchEngine
from mgtl_tf.retrieval.answers import Located
from mgtl_tf.retrieval.calibration.calibration_set import AWAY
from mgtl_tf.retrieval.calibration.reliability import reliability
from mgtl_tf.retrieval.calibration.stored import Calibration, fingerprint
from mgtl_tf.retrieval.localizer import Localizer
from mgtl_tf.retrieval.sequence.validation import join_drives
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import earth_centred, geodesic_metres
from polar.program import run

_MODEL = flags.DEFINE_string("model", None, "exported", required=True)
_GALLERY = flags.DEFINE_string("gallery", None, "calibrated", required=True)
_WORLD = flags.DEFINE_string("world", None, "of make_world", required=True)
_ELSEWHERE = flags.DEFINE_string("elsewhere", None, "another world")
_DRIVES = flags.DEFINE_integer("drives", 60, "of each kind", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 1, "which drives")

_STANDING = 10
_LARGEST_ERROR = 0.05


class CachingEncoder:
    """An encoder that embeds each image once."""

    def __init__(self, encoder: Encoder):
        self.details, self.dimension = encoder.details, encoder.dimension
        self.model_hash = encoder.model_hash
        self._encoder = encoder
        self._descriptors: dict[bytes, np.ndarray] = {}
        self.ground_input = encoder.ground_input

    def encode_ground(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """As of `encoder.Encoder`."""
        keys = [image.tobytes() for image in images]
        by_key = dict(zip(keys, images, strict=True))
        new = [key for key in by_key if key not in self._descriptors]
        if new:
            found = self._encoder.encode_ground([by_key[key] for key in new])
            self._descriptors.update(zip(new, found, strict=True))
        return np.stack([self._descriptors[key] for key in keys])


def drives(world: str, metres: float) -> list[list[Pair]]:
    """A world's validation pairs, joined to drives."""
    pairs = read_dataset("procedural", world).validation
    where = cast(np.ndarray, positions(pairs))
    joined = join_drives(where, metres, _DRIVES.value, _SEED.value)
    return [[pairs[row] for row in drive] for drive in joined]


def calibration_of(localizer: Localizer) -> Calibration:
    """Its calibration, which it must have."""
    if localizer.calibration is None:
        raise UserError(f"--gallery: {localizer.no_confidence}")
    return localizer.calibration


def part(localizer: Localizer, kept: np.ndarray) -> Localizer:
    """The same model and calibration with some of the places."""
    index = localizer.index
    rows = np.flatnonzero(kept)
    part_index = Index(
        index.folder,
        [index.places[row] for row in rows.tolist()],
        np.ascontiguousarray(index.descriptors[rows]),
        index.model_hash,
        index.preprocessing,
    )
    found = Localizer(
        localizer.encoder, part_index, SearchEngine(part_index.descriptors)
    )
    found.calibration = dataclasses.replace(
        calibration_of(localizer), places=fingerprint(part_index)
    )
    return found


def scenarios(
    localizer: Localizer, metres: float
) -> Iterator[tuple[str, Localizer, list[Pair]]]:
    """(kind, gallery, the drive's pairs)."""
    places = earth_centred(*localizer.index.coordinates.T)
    for number, drive in enumerate(drives(_WORLD.value, metres)):
        path = cast(np.ndarray, positions(drive))
        yield "inside", localizer, drive
        along = (path[-1] - path[0]) * (-1) ** number
        cut = (places - path[len(path) // 2]) @ along <= 0
        if cut.any():
            yield "passing", part(localizer, cut), drive
        if not _ELSEWHERE.value:
            away = np.linalg.norm(places - path[:, None], axis=2).min(axis=0)
            yield "outside", part(localizer, away > AWAY * metres), drive
    if _ELSEWHERE.value:
        for drive in drives(_ELSEWHERE.value, metres):
            yield "outside", localizer, drive


def frames(
    found: list[Located], drive: list[Pair], metres: float
) -> Iterator[tuple[float, bool]]:
    """Confidence (NaN: none) and correctness of each frame."""
    for located, pair in zip(found, drive, strict=True):
        there = np.array([located.answers[0].place.coordinates])
        apart = geodesic_metres(np.array(pair.coordinates), there)[0]
        value = np.nan if located.confidence is None else located.confidence
        yield value, bool(apart <= metres)


def line(kind: str, pairs: list[tuple[float, bool]]) -> str:
    """What is printed of a kind."""
    confidences, right = np.array(pairs).T
    given = np.isfinite(confidences)
    text = (
        f"{kind:<18} {len(confidences):>6,} frames"
        f"  right {100 * right.mean():5.1f} %"
        f"  with confidence {100 * given.mean():5.1f} %"
    )
    if given.any():
        error = reliability(confidences[given], right[given] > 0).error
        text += f"  ECE {error:.4f}, ratio {error / _LARGEST_ERROR:.2f}"
    return text


def main(argv: list[str]) -> int:
    """Drives, and prints a line a kind."""
    localizer = Localizer.load(_MODEL.value, _GALLERY.value)
    localizer.encoder = cast(Encoder, CachingEncoder(localizer.encoder))
    metres = calibration_of(localizer).metres
    by_kind: dict[str, list[tuple[float, bool]]] = {}
    for kind, there, drive in scenarios(localizer, metres):
        images = [pair.ground for pair in drive]
        standing = there.locate_sequence(images[:1] * _STANDING)
        for name, found, path in (
            (f"{kind}, one by one", there.locate_many(images), drive),
            (kind, there.locate_sequence(images), drive),
            (f"{kind}, standing", standing, drive[:1] * _STANDING),
        ):
            own = by_kind.setdefault(name, [])
            own.extend(frames(found, path, metres))
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print("\n".join(line(kind, by_kind[kind]) for kind in sorted(by_kind)))
    return 0


if __name__ == "__main__":
    run(main, errors=(UserError,))
