"""Evaluation protocols: how panoramas are shown, and what counts as right.

Aligned is the paper's: a full panorama whose centre looks north. The others
are DSM's harder ones: each panorama is turned by a random azimuth, and of a
limited field of view only that many degrees about its new centre are kept
(R23).

Most systems compare descriptors azimuth by azimuth (R11): a network that was
trained aligned shows how far it depends on the compass, and one can be trained
with orientation_noise=360. DSM with shift_search searches for the orientation,
and finds it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import PairSource
from mgtl_tf.utils.errors import UserError

DEGREES = {
    "aligned": 360,
    "unknown_orientation": 360,
    "fov_180": 180,
    "fov_90": 90,
    "fov_70": 70,
}
"""Protocol to the field of view of its panoramas, in degrees."""

KNOWLEDGE = ("true", "shuffled")
"""What attention can read for an experiment; `analysis.knowledge` says how."""

HIT_METRES = {"cvact_test": 5.0}
"""Data sets whose authors count any answer near enough as right (R24)."""

# The network expects a panorama of full width. This is the ImageNet mean (R2)
# in whole grey levels: what the network turns into zeros, as convolutions pad.
_UNSEEN = np.array([124, 117, 104], np.uint8)


@dataclass(frozen=True)
class Protocol:
    """How a model is evaluated; its name stands in every result.

    Args:
        kind: one of `DEGREES`.
        seed: decides the azimuths; with a pair's id, nothing else does, so
            that a pair is turned alike in every order and every subset.
        hit_metres: 0: only a query's own pair is right; otherwise any answer
            that lies within so many metres of the query (CVACT_test: 5).
        transfer: "A to B" where a model of data set A is evaluated on B.
        knowledge: what attention reads in place of what the model generates;
            one of `KNOWLEDGE`; empty: the model itself is evaluated.

    Raises:
        UserError: for a value that is refused.
    """

    kind: str = "aligned"
    seed: int = 0
    hit_metres: float = 0.0
    transfer: str = ""
    knowledge: str = ""

    def __post_init__(self) -> None:
        if self.kind not in DEGREES:
            raise UserError(
                f"protocol={self.kind}: must be one of {', '.join(DEGREES)}"
            )
        if not 0 <= self.hit_metres < np.inf:
            raise UserError(
                f"hit_metres={self.hit_metres}: must be 0 or more metres"
            )

    @property
    def name(self) -> str:
        """In words, everything that makes two results incomparable."""
        parts = ["aligned"]
        if self.kind != "aligned":
            parts = ["unknown orientation", f"seed {self.seed}"]
        if DEGREES[self.kind] < 360:
            parts = [f"field of view {DEGREES[self.kind]} degrees", *parts]
        if self.hit_metres:
            parts.append(f"right within {self.hit_metres:g} m")
        if self.transfer:
            parts.append(f"cross-data-set {self.transfer}")
        if self.knowledge:
            parts.append(f"{self.knowledge} knowledge")
        return ", ".join(parts)

    def turns(self, pairs: Sequence[Pair]) -> np.ndarray:
        """Shares of a full turn by which panoramas are turned, float64 [N]."""
        if self.kind == "aligned":
            return np.zeros(len(pairs))
        return np.array([_share(self.seed, pair.id) for pair in pairs])

    def headings(self, pairs: Sequence[Pair]) -> np.ndarray:
        """To where the panoramas' centres look, degrees from north, [N]."""
        return 360 * self.turns(pairs)

    @property
    def file_suffix(self) -> str:
        """Of the names of its results' files; empty for the paper's."""
        parts = [] if self.kind == "aligned" else [self.kind, f"{self.seed}"]
        if self.hit_metres:
            parts.append(f"within_{self.hit_metres:g}m")
        if self.knowledge:
            parts.append(f"{self.knowledge}_knowledge")
        return "".join(f"-{part}" for part in parts)


ALIGNED = Protocol()
"""The paper's own."""


class ProtocolSource:
    """Pairs whose panoramas are turned and cut by a protocol.

    Satellite images stay as they are. Of a limited field of view the middle
    int(W * degrees / 360) columns remain, where they stand; the others get
    the ImageNet mean, which the network turns into zeros.

    Args:
        source: the aligned pixels.
        pairs: the records of its rows.
        protocol: how they are shown.

    Raises:
        ValueError: where the records are not those of the source.
    """

    def __init__(
        self, source: PairSource, pairs: Sequence[Pair], protocol: Protocol
    ):
        if len(source) != len(pairs):
            raise ValueError(f"{len(source)} rows and {len(pairs)} pairs")
        self.source = source
        self.degrees = DEGREES[protocol.kind]
        self.turns = protocol.turns(pairs)

    def __len__(self) -> int:
        """How many pairs there are, N."""
        return len(self.source)

    def load(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As of `PairSource`."""
        ground, satellite = self.source.load(rows)
        width = ground.shape[2]
        firsts = (self.turns[rows] * width).astype(np.int64)
        turned = [
            np.roll(image, -first, axis=1)
            for image, first in zip(ground, firsts, strict=True)
        ]
        ground = np.stack(turned)
        seen = int(width * self.degrees / 360)
        start = (width - seen) // 2
        ground[:, :, :start] = _UNSEEN
        ground[:, :, start + seen :] = _UNSEEN
        return ground, satellite


def _share(seed: int, name: str) -> float:
    """A number in [0, 1) that only the seed and the name decide."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
