"""All maps and pictures of a world, over several processes.

A few maps at a time are built, drawn and dropped. A picture is a function of
its address (seed, map, place) alone, so neither the number of processes nor
an interruption changes a byte.
"""

from __future__ import annotations

import dataclasses
import functools
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mgtl_tf.synthetic import files
from mgtl_tf.synthetic.files import MapShare
from mgtl_tf.synthetic.pairs import (
    aerial_label_picture,
    aerial_picture,
    draw_pose,
    ground_picture,
    label_picture,
)
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.town.world import TownMap, make_map
from mgtl_tf.utils.atomic_io import atomic_write, naming_write_errors
from mgtl_tf.utils.errors import UserError
from polar.parallel import WorkerDiedError, worker_pool

Picture = Callable[[WorldSettings, TownMap, int], bytes]
"""Settings, map and row of a place to a file's bytes."""

ROWS_A_TASK = 16
SCRATCH = ".maps"
"""Holds the maps that are being drawn."""


def draw_world(
    root: Path, settings: WorldSettings, processes: int, progress: bool = True
) -> None:
    """Writes what is missing of the pictures and tables of a begun folder.

    Raises:
        UserError: where the disk does not take it, or a process died.
    """
    shares = files.plan_maps(settings)
    missing = {share: _missing(root, settings, share) for share in shares}
    finished = files.is_finished(root)
    waiting = [s for s in shares if missing[s] or not finished]
    total = sum(share.count for share in shares)
    positions: dict[int, np.ndarray] = {}
    # What a killed run was drawing.
    shutil.rmtree(root / SCRATCH, ignore_errors=True)
    with tqdm(
        total=total,
        initial=total - sum(map(len, missing.values())),
        unit="pair",
        desc="world",
        disable=not progress,
    ) as bar:
        try:
            with worker_pool(processes) as pool:
                for first in range(0, len(waiting), processes):
                    group = waiting[first : first + processes]
                    build = functools.partial(build_map, root, settings)
                    places = pool.map(build, group)
                    for share, metres in zip(group, places, strict=True):
                        positions[share.index] = metres
                    draw = functools.partial(draw_rows, root, settings)
                    tasks = [t for s in group for t in _tasks(s, missing[s])]
                    for drawn in pool.map(draw, *zip(*tasks, strict=True)):
                        bar.update(drawn)
                    shutil.rmtree(root / SCRATCH)
        except WorkerDiedError as error:
            raise UserError(
                f"processes={processes}: {error}; the same command resumes"
            ) from error
    if not finished:
        files.write_tables(root, settings, positions)


def build_map(
    root: Path, settings: WorldSettings, share: MapShare
) -> np.ndarray:
    """Task: builds a map; where its cameras stand, metres, float64 [N, 4]."""
    town = make_map(settings, share.index, share.count)
    with naming_write_errors(root):
        _save(town, _map_path(root, share))
    rows = range(share.count)
    ground = [draw_pose(settings, town, row).position for row in rows]
    return np.concatenate([town.places, ground], axis=1)


def draw_rows(
    root: Path, settings: WorldSettings, share: MapShare, rows: list[int]
) -> int:
    """Task: draws the pictures of some places; returns how many places."""
    town = _load(_map_path(root, share))
    for row in rows:
        for path, picture in _pictures(root, settings, share, row):
            if not path.is_file():
                atomic_write(path, picture(settings, town, row))
    return len(rows)


def _pictures(
    root: Path, settings: WorldSettings, share: MapShare, row: int
) -> list[tuple[Path, Picture]]:
    """The files of a place, each with what draws it."""
    number = share.first_id + row
    aerial, ground = files.picture_paths(root, number)
    found: list[tuple[Path, Picture]] = [
        (aerial, aerial_picture),
        (ground, ground_picture),
    ]
    if settings.labels:
        aerial, ground = files.label_paths(root, number)
        found += [(aerial, aerial_label_picture), (ground, label_picture)]
    return found


def _tasks(
    share: MapShare, rows: list[int]
) -> list[tuple[MapShare, list[int]]]:
    starts = range(0, len(rows), ROWS_A_TASK)
    return [(share, rows[first : first + ROWS_A_TASK]) for first in starts]


def _missing(root: Path, settings: WorldSettings, share: MapShare) -> list[int]:
    """The places of a map that lack a picture."""
    return [
        row
        for row in range(share.count)
        if not all(
            path.is_file() for path, _ in _pictures(root, settings, share, row)
        )
    ]


def _map_path(root: Path, share: MapShare) -> Path:
    return root / SCRATCH / str(share.index)


def _save(town: TownMap, folder: Path) -> None:
    """Writes a map; its rasters apart, so that processes share one copy."""
    folder.mkdir(parents=True, exist_ok=True)
    rasters = {
        name: raster
        for name, raster in vars(town.canvas).items()
        if isinstance(raster, np.ndarray)
    }
    for name, raster in rasters.items():
        np.save(folder / f"{name}.npy", raster)
    nothing: dict[str, Any] = dict.fromkeys(rasters)
    bare = dataclasses.replace(town.canvas, **nothing)
    rest = dataclasses.replace(town, canvas=bare)
    (folder / "map").write_bytes(pickle.dumps(rest))


@functools.lru_cache(maxsize=2)
def _load(folder: Path) -> TownMap:
    """A map of this run; its rasters stay on disk and are read as needed."""
    town = pickle.loads((folder / "map").read_bytes())
    for path in folder.glob("*.npy"):
        setattr(town.canvas, path.stem, np.load(path, mmap_mode="r"))
    return town
