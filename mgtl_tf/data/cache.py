"""The decoded cache: every pair's network inputs, decoded once.

A folder with `ground.npy` and `satellite.npy` (uint8 [N, H, W, 3]) and
`manifest.json`, which says what they were made of. The manifest is written
last, so a folder without one is unfinished.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mgtl_tf.data.preprocess import SAMPLING_RULE
from mgtl_tf.data.records import Pair
from mgtl_tf.data.sources import VIEWS
from mgtl_tf.data.sources import CacheSource
from mgtl_tf.data.sources import FileSource
from mgtl_tf.errors import UserError
from polar.parallel import in_parallel

_CHUNK = 16
_LISTED = 10


def build_cache(
    pairs: Sequence[Pair],
    image_size: tuple[int, int],
    ground_crop: tuple[float, float],
    folder: Path | str,
    progress: bool = True,
    processes: int | None = None,
) -> CacheSource:
    """The cache of these pairs, made now unless it is there already.

    Args:
        pairs: row n of the cache is pairs[n].
        image_size: H, W in pixels.
        ground_crop: top and bottom of a panorama's rows, as fractions.
        folder: where it is, or goes; a cache of other settings or of files
            that have changed is made anew.
        progress: whether to show a bar.
        processes: how many decode at a time; default one a core.

    Raises:
        UserError: naming the files that cannot be read (the first ten);
            nothing is then left under the final name.
    """
    folder = Path(folder)
    manifest = _manifest(pairs, image_size, ground_crop)
    if _read_manifest(folder) == manifest:
        return CacheSource(folder)
    _require_cache_or_nothing(folder)
    beside = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(parents=True)
        _require_room(beside, len(pairs), image_size)
        source = FileSource(pairs, image_size, ground_crop)
        _fill(source, beside, folder.name, progress, processes)
        (beside / "manifest.json").write_text(json.dumps(manifest, indent=2))
        # First, so that one half removed is not taken for a whole one.
        (folder / "manifest.json").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(beside, folder)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{folder}: cannot be written ({reason})") from error
    except BrokenProcessPool as error:
        raise UserError(
            f"{folder}: a decoding process was killed, perhaps for want of"
            " memory; stop other programs and try again"
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return CacheSource(folder)


def _require_cache_or_nothing(folder: Path) -> None:
    """Refuses to replace what is no cache."""
    known = {"manifest.json", *(f"{view}.npy" for view in VIEWS)}
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; a cache needs a folder")
    if folder.exists() and {p.name for p in folder.iterdir()} - known:
        raise UserError(
            f"{folder}: holds other files than a cache; name another folder"
        )


def _require_room(
    folder: Path, count: int, image_size: tuple[int, int]
) -> None:
    # A mapped file grows as it is written; on a full disk the system would
    # then kill the program without a word.
    needed = len(VIEWS) * count * image_size[0] * image_size[1] * 3
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{folder.parent}: the cache needs {needed / 1e9:.1f} GB, the disk"
            f" has {free / 1e9:.1f} GB left; --cache=none decodes every time"
        )


def _manifest(
    pairs: Sequence[Pair],
    image_size: tuple[int, int],
    ground_crop: tuple[float, float],
) -> dict[str, Any]:
    """What a cache is made of; equal manifests mean equal pixels."""
    digest = hashlib.sha256()
    for pair in pairs:
        for path in (pair.ground, pair.aerial):
            status = path.stat()
            line = f"{pair.id} {status.st_size} {status.st_mtime_ns}\n"
            digest.update(line.encode())
    return {
        "pairs": len(pairs),
        "image_size": list(image_size),
        "ground_crop": list(ground_crop),
        "sampling_rule": SAMPLING_RULE,
        "sources": digest.hexdigest(),
    }


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    path = folder / "manifest.json"
    try:
        return json.loads(path.read_text()) if path.is_file() else None
    except json.JSONDecodeError:
        return None


def _fill(
    source: FileSource,
    folder: Path,
    name: str,
    progress: bool,
    processes: int | None,
) -> None:
    shape = (len(source), *source.image_size, 3)
    arrays = [
        np.lib.format.open_memmap(folder / f"{v}.npy", "w+", np.uint8, shape)
        for v in VIEWS
    ]
    unreadable: list[str] = []
    with tqdm(
        total=len(source),
        desc=f"decode {name}",
        unit="pair",
        disable=not progress,
        dynamic_ncols=True,
    ) as bar:
        for rows, views, errors in _decoded(source, processes):
            for array, view in zip(arrays, views, strict=True):
                array[rows] = view
            unreadable += errors
            bar.update(len(rows) + len(errors))
    for array in arrays:
        array.flush()
    if unreadable:
        more = len(unreadable) - _LISTED
        tail = f"; and {more} more" if more > 0 else ""
        raise UserError("; ".join(unreadable[:_LISTED]) + tail)


def _decoded(source: FileSource, processes: int | None):
    size, crop = source.image_size, source.ground_crop
    # Each job carries its own few pairs: the whole list would be sent along
    # with every one of them.
    jobs = [
        (start, FileSource(source.pairs[start : start + _CHUNK], size, crop))
        for start in range(0, len(source), _CHUNK)
    ]
    return in_parallel(_load, jobs, processes)


def _load(job: tuple[int, FileSource]):
    """Readable rows, both views of them, and the unreadable ones' reasons."""
    start, source = job
    good, views, errors = [], [], []
    for row in range(len(source)):
        try:
            views.append(source.load(np.array([row])))
            good.append(start + row)
        except UserError as error:
            errors.append(str(error))
    if not good:
        empty = np.zeros((0, *source.image_size, 3), np.uint8)
        return np.zeros(0, np.int64), (empty, empty), errors
    ground, satellite = zip(*views, strict=True)
    both = np.concatenate(ground), np.concatenate(satellite)
    return np.array(good), both, errors
