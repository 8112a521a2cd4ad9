"""All maps and pictures of a world, over several processes.

A few maps at a time are built, drawn and dropped. What a picture shows
hangs on its address (seed, map, place) alone, so neither the number of
processes nor an interruption changes a byte.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mgtl_tf.synthetic import files
from mgtl_tf.synthetic.files import MapShare
from mgtl_tf.synthetic.pairs import (
    aerial_picture,
    as_jpeg,
    draw_pose,
    ground_picture,
)
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.town.map_store import load_map, save_map
from mgtl_tf.synthetic.town.world import TownMap, make_map
from mgtl_tf.utils.array_files import read_array
from mgtl_tf.utils.atomic_io import atomic_file
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import UnfitFileError, damaged
from polar.parallel import WorkerDiedError, worker_pool

ROWS_A_TASK = 16
# Intermediate files; the folder goes when the world is finished.
SCRATCH = ".maps"


def make_pictures(
    root: Path, settings: WorldSettings, processes: int, progress: bool = True
) -> None:
    """Writes every picture and table of a world that is not there yet.

    Args:
        root: the world's folder, already begun.
        settings: of the world.
        processes: how many work at once; 1 works in this process.
        progress: whether to show a progress bar.
    """
    files.sweep(root)
    shares = files.plan_maps(settings)
    missing = {share.index: _missing(root, share) for share in shares}
    finished = files.is_finished(root)
    waiting = [
        share
        for share in shares
        if missing[share.index]
        or not (finished or _positions_path(root, share.index).is_file())
    ]
    total = sum(share.count for share in shares)
    left = sum(len(rows) for rows in missing.values())
    bar = tqdm(
        total=total,
        initial=total - left,
        unit="pair",
        desc="world",
        disable=not progress,
    )
    with bar, _workers(processes) as pool:
        _run(pool, root, settings, waiting, missing, processes, bar)
    if not finished:
        positions = {share.index: _positions(root, share) for share in shares}
        files.write_tables(root, settings, positions)
    shutil.rmtree(root / SCRATCH, ignore_errors=True)


def build_map(root: Path, settings: WorldSettings, share: MapShare) -> None:
    """Task: builds a map and notes where its cameras stand."""
    folder = _map_path(root, share.index)
    if not folder.is_dir():
        save_map(make_map(settings, share.index, share.count), folder)
    town = load_map(folder)
    ground = [
        draw_pose(settings, town, row).position for row in range(share.count)
    ]
    with atomic_file(_positions_path(root, share.index)) as beside:
        np.save(beside, np.concatenate([town.places, ground], axis=1))


def draw_rows(
    root: Path, settings: WorldSettings, share: MapShare, rows: list[int]
) -> int:
    """Task: draws the pictures of some places; returns how many places."""
    town = _opened(_map_path(root, share.index))
    for row in rows:
        paths = files.picture_paths(root, share.first_id + row)
        for path, picture in zip(
            paths, (aerial_picture, ground_picture), strict=True
        ):
            if not path.is_file():
                data = as_jpeg(*picture(settings, town, row))
                files.write_beside(path, data)
    return len(rows)


def _run(
    pool: futures.Executor,
    root: Path,
    settings: WorldSettings,
    waiting: list[MapShare],
    missing: dict[int, list[int]],
    processes: int,
    bar: tqdm,
) -> None:
    """Keeps the pool busy: drawing goes on while the next maps are built."""
    queue = list(waiting)
    running: dict[futures.Future, MapShare] = {}
    open_tasks: dict[int, int] = {}
    while queue or running:
        while queue and len(open_tasks) < processes + 1:
            share = queue.pop(0)
            open_tasks[share.index] = 1
            running[pool.submit(build_map, root, settings, share)] = share
        done, _ = futures.wait(running, return_when=futures.FIRST_COMPLETED)
        for task in done:
            share, drawn = running.pop(task), task.result()
            open_tasks[share.index] -= 1
            if drawn is not None:
                bar.update(drawn)
            else:
                rows = missing[share.index]
                for first in range(0, len(rows), ROWS_A_TASK):
                    part = rows[first : first + ROWS_A_TASK]
                    task = pool.submit(draw_rows, root, settings, share, part)
                    running[task] = share
                    open_tasks[share.index] += 1
            if open_tasks[share.index] == 0:
                del open_tasks[share.index]
                shutil.rmtree(_map_path(root, share.index))


class _Here(futures.Executor):
    """Does each task at once, in this process."""

    def submit(self, fn: Callable, /, *args, **kwargs) -> futures.Future:
        """A future that is done."""
        future: futures.Future = futures.Future()
        future.set_result(fn(*args, **kwargs))
        return future


@contextlib.contextmanager
def _workers(processes: int) -> Iterator[futures.Executor]:
    """A pool whose workers neither outlive us nor share cores by threads."""
    if processes == 1:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            yield _Here()
        finally:
            cv2.setNumThreads(threads)
            _opened.cache_clear()
        return
    try:
        with worker_pool(processes) as pool:
            yield pool
    except WorkerDiedError as error:
        raise UserError(
            f"--processes={processes}: {error}; the same command goes on"
        ) from error


@functools.lru_cache(maxsize=2)
def _opened(folder: Path) -> TownMap:
    """A map, kept open from task to task."""
    return load_map(folder)


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


def _map_path(root: Path, index: int) -> Path:
    """Where a map's rasters lie while it is drawn."""
    return root / SCRATCH / f"map-{index}"


def _positions_path(root: Path, index: int) -> Path:
    """Where a map's camera positions lie until the tables are written."""
    return root / SCRATCH / f"positions-{index}.npy"


def _positions(root: Path, share: MapShare) -> np.ndarray:
    path = _positions_path(root, share.index)
    try:
        return read_array(path, "<f8", (share.count, 4))
    except UnfitFileError as error:
        remedy = f"remove {root / SCRATCH} and give the same command again"
        raise damaged(path, error, remedy) from error
