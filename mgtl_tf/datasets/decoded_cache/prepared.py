"""Reading what experiments.prepare wrote: a cache folder for each split."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mgtl_tf.datasets.decoded_cache.blocks import BLOCK_ROWS
from mgtl_tf.datasets.decoded_cache.files import (
    MANIFEST_JSON,
    CacheSettings,
    CacheState,
    Record,
    read_state,
)
from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import CacheSource
from mgtl_tf.utils.errors import UserError

SPLITS = ("train", "validation")


def prepared_dataset(data_cache: Path | str) -> str:
    """The name of the data set that a prepared cache is of.

    Raises:
        UserError: where the folder holds none.
    """
    return next(iter(_states(Path(data_cache)).values())).settings["dataset"]


def open_prepared(
    data_cache: Path | str, pairs: Sequence[Pair], settings: CacheSettings
) -> CacheSource:
    """The pixels of these pairs, from the split that holds them all.

    Args:
        data_cache: what experiments.prepare wrote.
        pairs: row n of the source is pairs[n].
        settings: that they must have been made by.

    Raises:
        UserError: for a folder that holds no finished cache, or one made by
            another rule, at another size, without one of the pairs, or of
            another file.
    """
    missing = ""
    for folder, state in _states(Path(data_cache)).items():
        if different := state.differences(settings):
            raise UserError(
                f"--data_cache={data_cache}: made otherwise"
                f" ({'; '.join(different)}); prepare another one"
            )
        rows = _rows(state)
        lacking = next((p.id for p in pairs if p.id not in rows), None)
        if lacking is None:
            own = np.array([rows[pair.id] for pair in pairs], np.int64)
            _require_whole(folder, state, pairs, own)
            return CacheSource(folder, own)
        missing = missing or lacking
    raise UserError(
        f"--data_cache={data_cache}: lacks pair {missing}; prepare it again"
        " from the data that is read now"
    )


def kept_pairs(
    data_cache: Path | str, split: str, pairs: Sequence[Pair]
) -> tuple[Pair, ...]:
    """The pairs that were not left out when a split was prepared.

    Args:
        data_cache: what experiments.prepare wrote.
        split: "train" or "validation".
        pairs: as they are listed now; one that the cache does not know of is
            kept, for `open_prepared` to refuse.

    Raises:
        UserError: for a folder that holds no finished cache.
    """
    root = Path(data_cache)
    state = _states(root).get(root / split)
    if state is None:
        return tuple(pairs)
    out = {
        record["rows"][row][0]
        for record in state.blocks.values()
        for row, _, _ in record["left_out"]
    }
    return tuple(pair for pair in pairs if pair.id not in out)


def _states(root: Path) -> dict[Path, CacheState]:
    found = {}
    for folder in (root / split for split in SPLITS):
        state = read_state(folder)
        if state is None and (folder / MANIFEST_JSON).exists():
            raise UserError(
                f"--data_cache={root}: {folder.name}/{MANIFEST_JSON} is"
                " damaged; give the experiments.prepare command again"
            )
        if state is None:
            continue
        if not state.finished:
            raise UserError(
                f"--data_cache={root}: {folder.name} is unfinished; give the"
                " experiments.prepare command again"
            )
        found[folder] = state
    if not found:
        raise UserError(
            f"--data_cache={root}: holds no cache; give the folder that"
            " experiments.prepare wrote"
        )
    return found


def _rows(state: CacheState) -> dict[str, int]:
    """Row of every id."""
    return {
        made_of[0]: number * BLOCK_ROWS + row
        for number, record in state.blocks.items()
        for row, made_of in enumerate(record["rows"])
    }


def _require_whole(
    folder: Path, state: CacheState, pairs: Sequence[Pair], rows: np.ndarray
) -> None:
    """Every pair must be there, and be made of the file of today."""
    report = folder.parent / "report.csv"
    for pair, row in zip(pairs, rows.tolist(), strict=True):
        record, place = state.blocks[row // BLOCK_ROWS], row % BLOCK_ROWS
        if reason := _left_out(record, place):
            raise UserError(
                f"--data_cache={folder.parent}: lacks pair {pair.id}, which"
                f" {reason}; mend what {report} names, then give the"
                " experiments.prepare command again, or use the other pairs"
                " with --partial"
            )
        made_of = record["rows"][place]
        for path, then in zip(
            (pair.ground, pair.aerial), made_of[1:], strict=True
        ):
            # By size alone: a copy's time differs, and so does a mount's.
            if path.is_file() and os.stat(path).st_size != then[0]:
                raise UserError(
                    f"{path}: is not the file that --data_cache="
                    f"{folder.parent} was made of; prepare it again"
                )


def _left_out(record: Record, place: int) -> str:
    found = [f"{v} {why}" for r, v, why in record["left_out"] if r == place]
    return f"was left out ({'; '.join(found)})" if found else ""
