"""Reading what `prepare` wrote: a cache folder for each split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mgtl_tf.datasets.decoded_cache.files import (
    BLOCK_ROWS,
    MANIFEST_JSON,
    CacheSettings,
    CacheState,
    read_state,
)
from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import CacheSource
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.part_files import UNFINISHED_JSONL, differences
from mgtl_tf.utils.plain_files import UnfitFileError, damaged

SPLITS = ("train", "validation")
GALLERY = "gallery"
"""Folder of the aerial images without a panorama."""

_AGAIN = "prepare it again"


def prepared_dataset(data_cache: Path | str) -> str:
    """The name of the data set that a prepared cache is of.

    Raises:
        UserError: where the folder holds none.
    """
    return next(iter(_states(Path(data_cache)).values())).settings["dataset"]


def open_prepared(
    data_cache: Path | str,
    pairs: Sequence[Pair],
    settings: CacheSettings,
    splits: Sequence[str] = SPLITS,
) -> CacheSource:
    """The pixels of these pairs, from the split that holds them all.

    Args:
        data_cache: the folder that `prepare` wrote.
        pairs: row n of the source is pairs[n].
        settings: that they must have been made by.
        splits: that are looked through.

    Raises:
        UserError: for a folder that holds no finished cache, or one made by
            another rule, at another size, without one of the pairs, or of
            another file.
    """
    missing = ""
    for folder, state in _states(Path(data_cache), splits).items():
        if different := differences(state.settings, settings.as_json()):
            raise UserError(
                f"{data_cache}: made otherwise ({different}); prepare another"
                " one"
            )
        rows = {
            made_of[0]: record.block * BLOCK_ROWS + row
            for record in state.blocks
            for row, made_of in enumerate(record.rows)
        }
        lacking = next((p.id for p in pairs if p.id not in rows), None)
        if lacking is None:
            own = np.array([rows[pair.id] for pair in pairs], np.int64)
            _require_made_of(folder, state, pairs, own)
            return CacheSource(folder, own)
        missing = missing or lacking
    raise UserError(
        f"{data_cache}: lacks pair {missing}; {_AGAIN} from the data that is"
        " read now"
    )


def kept_pairs(
    data_cache: Path | str, split: str, pairs: Sequence[Pair]
) -> tuple[Pair, ...]:
    """The pairs that were not left out when a split was prepared.

    Args:
        data_cache: the folder that `prepare` wrote.
        split: "train", "validation" or "gallery".
        pairs: as they are listed now; one that the cache does not know of is
            kept, for `open_prepared` to refuse.

    Raises:
        UserError: for a folder that holds no finished cache.
    """
    root = Path(data_cache)
    state = _states(root, (*SPLITS, GALLERY)).get(root / split)
    if state is None:
        return tuple(pairs)
    out = {r.rows[row][0] for r in state.blocks for row, _, _ in r.left_out}
    return tuple(pair for pair in pairs if pair.id not in out)


def _states(
    root: Path, splits: Sequence[str] = SPLITS
) -> dict[Path, CacheState]:
    """The finished caches of a folder, at least one."""
    found = {}
    for folder in (root / split for split in splits):
        try:
            state = read_state(folder)
        except UnfitFileError as error:
            raise damaged(folder / MANIFEST_JSON, error, _AGAIN) from error
        if (folder / UNFINISHED_JSONL).is_file():
            raise UserError(f"{folder}: is unfinished; {_AGAIN}")
        if state is not None:
            found[folder] = state
    if not found:
        raise UserError(
            f"{root}: holds no cache; give the folder that experiments.prepare"
            " wrote"
        )
    return found


def _require_made_of(
    folder: Path, state: CacheState, pairs: Sequence[Pair], rows: np.ndarray
) -> None:
    """Every pair must be there, and be made of the file of today."""
    report = folder.parent / "report.csv"
    for pair, row in zip(pairs, rows.tolist(), strict=True):
        record, place = state.blocks[row // BLOCK_ROWS], row % BLOCK_ROWS
        if reasons := [f"{v} {w}" for r, v, w in record.left_out if r == place]:
            raise UserError(
                f"{folder.parent}: lacks pair {pair.id}, which was left out"
                f" ({'; '.join(reasons)}); repair what {report} names and"
                f" {_AGAIN}, or use the other pairs with `partial`"
            )
        made_of = record.rows[place]
        for path, status in (
            (pair.ground, made_of[1]),
            (pair.aerial, made_of[2]),
        ):
            # By size alone: a copy's time differs, and so does a mount's.
            if path.is_file() and status and path.stat().st_size != status[0]:
                raise UserError(
                    f"{path}: is not the file that {folder.parent} was made"
                    f" of; {_AGAIN}"
                )
