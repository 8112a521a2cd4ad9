"""Cached output of a network's fixed blocks, beside and as decoded pixels.

The same folders, blocks, journal and manifest as of the decoded cache: a kill
costs the blocks that were being made, a changed image the block it is in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mgtl_tf.datasets.decoded_cache.blocks import Block, fingerprint
from mgtl_tf.datasets.decoded_cache.building import build_caches
from mgtl_tf.datasets.decoded_cache.files import (
    BLOCK_ROWS,
    BlockRecord,
    CacheSettings,
)
from mgtl_tf.datasets.records import Pair, ids_digest
from mgtl_tf.datasets.sources import VIEWS, CacheSource
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.part_files import RowFile

Encode = Callable[[np.ndarray], Sequence[np.ndarray]]
"""Rows int [n] to the features of each view, [n, h, w, C]."""


@dataclass(frozen=True, kw_only=True)
class FeatureSettings(CacheSettings):
    """What decides cached features, besides the files themselves.

    Attributes:
        blocks: how many were applied.
        weights: digest of all that they compute with, of both views.
        shape: h, w, C of panoramas.
        satellite_shape: of aerial images, where another.
        computed: dtype that they compute in.
        dtype: "float16" or "float32", in which features are kept.
    """

    blocks: int
    weights: str
    shape: tuple[int, int, int]
    computed: str
    dtype: str
    satellite_shape: tuple[int, int, int] | None = None

    making: ClassVar[str] = "features"

    def as_json(self) -> dict[str, Any]:
        """As of CacheSettings; shapes that are alike stand there once."""
        settings = super().as_json()
        if self.satellite_shape in (None, self.shape):
            del settings["satellite_shape"]
        return settings

    def row_files(self, folder: Path) -> list[RowFile]:
        """The array file of each view."""
        kind = np.dtype(self.dtype).str
        shapes = self.shape, self.satellite_shape or self.shape
        return [
            RowFile(folder / f"{view}.npy", shape, kind)
            for view, shape in zip(VIEWS, shapes, strict=True)
        ]

    def folder(self, parent: Path | str, pairs: Sequence[Pair]) -> Path:
        """Where the features of these pairs lie, among those of others."""
        key = json.dumps([self.as_json(), ids_digest(pairs)])
        return Path(parent) / hashlib.sha256(key.encode()).hexdigest()[:16]


def build_features(
    parent: Path | str,
    pairs: Sequence[Pair],
    settings: FeatureSettings,
    encode: Encode,
    progress: bool = True,
) -> CacheSource:
    """The features of these pairs, all of them; what is missing is made now.

    Args:
        parent: folder of any number of such caches, each in a folder of its
            own name.
        pairs: row n of the cache is pairs[n].
        settings: what decides the features.
        encode: called with the rows of a block at a time.
        progress: whether to show a bar.

    Raises:
        UserError: where features do not fit their dtype, an image cannot be
            read, or the disk does not take them; what was made stays.
    """
    folder = settings.folder(parent, pairs)

    def make(block: Block) -> tuple[Path, BlockRecord]:
        return folder, _write(block, settings, encode)

    build_caches(
        {folder: pairs}, settings, 1, progress, make=partial(map, make)
    )
    kind = np.dtype(settings.dtype).str
    return CacheSource(folder, None, kind, settings.shape[-1])


def _write(
    block: Block, settings: FeatureSettings, encode: Encode
) -> BlockRecord:
    first = block.number * BLOCK_ROWS
    rows = np.arange(first, first + len(block.pairs))
    # Before the images are read: one that changes meanwhile is then noticed.
    made_of = [fingerprint(pair) for pair in block.pairs]
    sums = []
    files = settings.row_files(block.folder)
    for file, features in zip(files, encode(rows), strict=True):
        sums.append(file.write(first, _fitting(features, settings.dtype)))
    return BlockRecord(block.number, made_of, (sums[0], sums[1]), [], [], {})


def _fitting(features: np.ndarray, dtype: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        kept = np.asarray(features).astype(dtype)
    if np.isfinite(kept).all():
        return kept
    largest = np.abs(features).max()
    raise UserError(
        f"feature_dtype={dtype}: does not hold the fixed blocks' output, which"
        f" reaches {largest:g}; give feature_dtype=float32, or no"
        " feature_cache"
    )
