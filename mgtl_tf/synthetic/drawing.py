"""All maps and pictures of a world, over several processes.

A few maps at a time are built, drawn and dropped. A picture is a function of
its address (seed, map, place) alone, so neither the number of processes nor
an interruption changes a byte.
"""

from __future__ import annotations

import functools
import mmap
import pickle
import shutil
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mgtl_tf.synthetic import files
from mgtl_tf.synthetic.files import MapShare
from mgtl_tf.synthetic.pairs import aerial_picture, draw_pose, ground_picture
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.town.world import TownMap, make_map
from mgtl_tf.utils.atomic_io import atomic_write, naming_write_errors
from mgtl_tf.utils.errors import UserError
from polar.parallel import WorkerDiedError, worker_pool

ROWS_A_TASK = 16
SCRATCH = ".maps"
"""Holds the maps that are being drawn."""

_ALIGNMENT = 64


def draw_world(
    root: Path, settings: WorldSettings, processes: int, progress: bool = True
) -> None:
    """Writes every picture and table of a world that is not there yet.

    Args:
        root: the world's folder, already begun.
        settings: of the world.
        processes: how many work at once.
        progress: whether to show a progress bar.

    Raises:
        UserError: where the disk does not take it, or a process died.
    """
    shares = files.plan_maps(settings)
    missing = {share: _missing(root, share) for share in shares}
    finished = files.is_finished(root)
    waiting = [s for s in shares if missing[s] or not finished]
    total = sum(share.count for share in shares)
    positions: dict[int, np.ndarray] = {}
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
    shutil.rmtree(root / SCRATCH, ignore_errors=True)


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
        paths = files.picture_paths(root, share.first_id + row)
        for path, picture in zip(
            paths, (aerial_picture, ground_picture), strict=True
        ):
            if not path.is_file():
                atomic_write(path, picture(settings, town, row))
    return len(rows)


def _tasks(
    share: MapShare, rows: list[int]
) -> list[tuple[MapShare, list[int]]]:
    starts = range(0, len(rows), ROWS_A_TASK)
    return [(share, rows[first : first + ROWS_A_TASK]) for first in starts]


def _missing(root: Path, share: MapShare) -> list[int]:
    """The places of a map that lack a picture."""
    return [
        row
        for row in range(share.count)
        if not all(
            path.is_file()
            for path in files.picture_paths(root, share.first_id + row)
        )
    ]


def _map_path(root: Path, share: MapShare) -> Path:
    return root / SCRATCH / str(share.index)


def _save(town: TownMap, path: Path) -> None:
    """Writes a map so that all processes can map one copy of its rasters."""
    buffers: list[pickle.PickleBuffer] = []
    content = pickle.dumps(town, 5, buffer_callback=buffers.append)
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        pickle.dump(
            (content, [buffer.raw().nbytes for buffer in buffers]), file
        )
        for buffer in buffers:
            file.write(bytes(-file.tell() % _ALIGNMENT))
            file.write(buffer.raw())


@functools.lru_cache(maxsize=2)
def _load(path: Path) -> TownMap:
    """A map of this run; its rasters stay on disk and are read as needed."""
    with path.open("rb") as file:
        content, sizes = pickle.load(file)
        start = file.tell()
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    buffers = []
    for size in sizes:
        start += -start % _ALIGNMENT
        buffers.append(data[start : start + size])
        start += size
    return pickle.loads(content, buffers=buffers)
