"""Shards of one index, made by many machines, and joining them.

A shard is an index of a consecutive part, in a folder of its own. Joining
copies rows; crops stay in their shard's folder.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mgtl_tf.galleries.gallery import SHARD_FOLDERS, Index, load_index
from mgtl_tf.galleries.manifest import (
    DESCRIPTORS,
    Manifest,
    read_manifest,
    write_manifest,
)
from mgtl_tf.galleries.place_table import OTHER_ID_FILES
from mgtl_tf.galleries.places import Place
from mgtl_tf.galleries.sources import Shard
from mgtl_tf.utils.atomic_io import INDEX_JSON, naming_write_errors, sync
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.locks import LOCK, hold_lock
from mgtl_tf.utils.part_files import RowFile

_JOINING = ".joining"
_ROWS = 8192


def require_shard_folder(output_dir: Path | str) -> None:
    """Refuses an output folder that holds other things than shards.

    Raises:
        UserError: naming the folder.
    """
    folder = Path(output_dir)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"{folder}: is a file; name a folder")
    began = [*folder.glob(SHARD_FOLDERS), *folder.glob(f".{SHARD_FOLDERS}.*")]
    if any(folder.iterdir()) and not began:
        raise UserError(
            f"{folder}: already holds other files than shards; name a new or"
            " an empty folder"
        )


def finished_shard(
    folder: Path, model_hash: str, source: dict[str, Any]
) -> int | None:
    """How many places a finished shard holds; None where it isn't there.

    Args:
        folder: of the shard.
        model_hash, source: what it should be made with and of.

    Raises:
        UserError: where it was made with or of something else.
    """
    if not (folder / INDEX_JSON).is_file():
        return None
    manifest = read_manifest(folder)
    if (manifest.model_hash, dict(manifest.made_of)) != (model_hash, source):
        what = "model" if manifest.model_hash != model_hash else "images"
        raise UserError(
            f"{folder}: is a finished shard of another {what}; name another"
            " folder, or restart to make it anew"
        )
    return manifest.image_count


def missing_shards(output_dir: Path | str) -> list[Shard]:
    """The shards that are not finished yet.

    Raises:
        UserError: where there is no finished one, or two runs' lie together.
    """
    folder = Path(output_dir)
    found = {
        tuple(int(word) for word in path.name.split("-")[1::2])
        for path in folder.glob(SHARD_FOLDERS)
        if (path / INDEX_JSON).is_file()
        and all(word.isdecimal() for word in path.name.split("-")[1::2])
    }
    if not found:
        raise UserError(
            f"{folder}: holds no finished shard; make shards 1/n, 2/n ..."
        )
    counts = sorted({of for _, of in found})
    if len(counts) > 1:
        raise UserError(
            f"{folder}: holds shards of {counts[0]} and of {counts[1]}; remove"
            " the wrong ones"
        )
    every = [Shard(n, counts[0]) for n in range(1, counts[0] + 1)]
    return [shard for shard in every if (shard.number, shard.of) not in found]


def join_shards(output_dir: Path | str) -> int:
    """Makes one index of all shards in a folder, in that folder.

    Args:
        output_dir: holds the shards' folders.

    Returns:
        N, how many places it has.

    Raises:
        UserError: naming a shard that is missing, damaged or of another
            model or other images; or where the disk does not take it.
    """
    folder = Path(output_dir)
    missing = missing_shards(folder)
    if missing:
        names = ", ".join(str(shard) for shard in missing)
        raise UserError(
            f"{folder}: shard {names} is missing or unfinished; make shard"
            f" {missing[0]}"
        )
    (first,) = folder.glob("shard-1-of-*")
    of = int(first.name.rpartition("-")[2])
    shards = [folder / Shard(n, of).folder_name for n in range(1, of + 1)]
    manifests = [read_manifest(shard) for shard in shards]
    _require_same(shards, manifests)
    indexes = [load_index(shard, verify=True) for shard in shards]
    with (
        naming_write_errors(folder),
        hold_lock(folder / LOCK, folder, "joining its shards"),
    ):
        return _join(folder, indexes, manifests[0])


def _require_same(
    shards: Sequence[Path], manifests: Sequence[Manifest]
) -> None:
    """Refuses a shard that another model or other images made."""
    first = manifests[0]
    for folder, manifest in zip(shards, manifests, strict=True):
        if manifest.model_hash != first.model_hash:
            raise UserError(
                f"{folder}: was made with another model than {shards[0]}"
                f" ({manifest.model_hash[:12]}, not {first.model_hash[:12]});"
                " make it again with the same model (restart)"
            )
        if _without_shard(manifest) != _without_shard(first):
            raise UserError(
                f"{folder}: was made of other images or crops than"
                f" {shards[0]}; make it again with the same settings (restart)"
            )


def _without_shard(manifest: Manifest) -> dict[str, Any]:
    return {k: v for k, v in manifest.made_of.items() if k != "shard"}


def _join(folder: Path, indexes: Sequence[Index], like: Manifest) -> int:
    beside = folder / _JOINING
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        count = sum(len(index.places) for index in indexes)
        rows = RowFile(beside / DESCRIPTORS, (like.dimension,), "<f4")
        rows.resize(count)
        first = 0
        for index in indexes:
            for start in range(0, len(index.places), _ROWS):
                part = index.descriptors[start : start + _ROWS]
                rows.write(first + start, part)
            first += len(index.places)
        sync(rows.path)
        write_manifest(
            beside,
            _places(indexes),
            folder,
            like.model_hash,
            like.preprocessing,
            _without_shard(like),
        )
        # The manifest goes first and comes last: without one, there is no
        # index.
        (folder / INDEX_JSON).unlink(missing_ok=True)
        for name in OTHER_ID_FILES:
            (folder / name).unlink(missing_ok=True)
        for name in (*read_manifest(beside).file_names, INDEX_JSON):
            os.replace(beside / name, folder / name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return count


def _places(indexes: Sequence[Index]) -> Iterator[Place]:
    for index in indexes:
        others: dict[int, list[str]] = defaultdict(list)
        for name, row in index.other_ids.items():
            others[row].append(name)
        for row, place in enumerate(index.places):
            known = tuple(others.get(row, ()))
            yield replace(place, other_ids=known) if known else place
