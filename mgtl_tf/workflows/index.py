"""Indexing a gallery of aerial images with an exported model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mgtl_tf.export.model_folder import read_details
from mgtl_tf.export.shipped import model_folder
from mgtl_tf.galleries.batch_size import automatic_batch_size
from mgtl_tf.galleries.builder import Built, build_index
from mgtl_tf.galleries.encoder import Encoder
from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.galleries.shards import (
    finished_shard,
    join_shards,
    missing_shards,
    require_shard_folder,
)
from mgtl_tf.galleries.sources import ImageSource, JoinedSource, Shard
from mgtl_tf.galleries.tiling.finding import find_images
from mgtl_tf.utils.atomic_folders import require_replaceable
from mgtl_tf.utils.atomic_io import INDEX_JSON

_MOST_LINES = 50


@dataclass(frozen=True)
class Indexed:
    """What a command did.

    Attributes:
        built: of the index, or of the shard that was made.
        missing: shards without which the index can't be joined yet.
        joined: N of the joined index; None where nothing was joined.
        notes: what was ignored or filled in the images, lines.
    """

    built: Built
    missing: tuple[Shard, ...] = ()
    joined: int | None = None
    notes: tuple[str, ...] = ()

    def faults(self) -> list[str]:
        """A line for each image that was left out, or for the first ones."""
        skipped = self.built.skipped
        lines = [f"left out {s.image}: {s.reason}" for s in skipped]
        if len(lines) > _MOST_LINES:
            more = len(lines) - _MOST_LINES
            lines[_MOST_LINES:] = [f"left out {more:,} more"]
        return lines

    def lines(self, output_dir: Path | str) -> list[str]:
        """What was done, for the user."""
        built = self.built
        lines = [f"{built.count} places indexed in {output_dir}"]
        if built.empty:
            lines.append(
                f"{built.empty} crops left out: no data in the map, or in more"
                " than most_missing of the crop"
            )
        lines += self.notes
        if self.missing:
            names = ", ".join(map(str, self.missing))
            lines.append(f"still missing: shard {names}")
        if self.joined is not None:
            lines.append(f"{self.joined} places joined in {output_dir}")
        return lines


def index_gallery(
    model: Path | str,
    images: Sequence[Path | str],
    output_dir: Path | str,
    locations: Path | str | None = None,
    batch_size: int = 0,
    progress: bool = True,
    shard: str | None = None,
    restart: bool = False,
    crop_metres: float | None = None,
    metres_per_pixel: float | None = None,
    step_metres: float | None = None,
    most_missing: float | None = None,
    tile_rows: str | None = None,
) -> Indexed:
    """Writes the index of all aerial images that can be read, or a shard.

    Resumes what an earlier call began.

    Args:
        model: folder that experiments.export wrote.
        images: aerial image files, folders of them, CSV lists that name
            them; or maps to be cut: georeferenced rasters (GeoTIFF, .vrt),
            folders of their sheets, folders of z/x/y tiles.
        output_dir: a new or empty folder, an older index, or (for a shard)
            one with other shards.
        locations: CSV with columns id, latitude, longitude.
        batch_size: images encoded together; 0: by the memory.
        progress: whether a progress bar is shown.
        shard: "i/n": only the i-th of n parts; whoever finishes the last one
            joins them.
        restart: whether what was begun is deleted first.
        crop_metres, metres_per_pixel, step_metres, most_missing: how maps
            are cut; see `crop_settings`.
        tile_rows: "xyz" or "tms"; see `tile_scheme`.

    Raises:
        UserError: for wrong paths or files, when no image can be read, or
            the disk does not take the index.
    """
    part = None if shard is None else Shard.parse(shard)
    if part is None:
        require_replaceable(output_dir, INDEX_JSON)
    else:
        require_shard_folder(output_dir)
    model = model_folder(model)
    data = read_details(model).get("config", {}).get("data", {})
    map_settings = {
        "crop_metres": crop_metres,
        "metres_per_pixel": metres_per_pixel,
        "step_metres": step_metres,
        "most_missing": most_missing,
        "tile_rows": tile_rows,
    }
    source = find_images(
        images, locations, data.get("dataset", ""), map_settings
    )
    encoder = Encoder(model)

    def build(source: ImageSource, folder: Path) -> Built:
        return build_index(
            encoder,
            source,
            folder,
            batch_size or automatic_batch_size(encoder.details),
            progress,
            encoder.preprocessing,
            restart,
            may_be_empty=part is not None,
        )

    if part is None:
        done = build(source, Path(output_dir))
        return Indexed(done, notes=tuple(source.notes()))
    share = JoinedSource([source], part)
    folder = Path(output_dir) / part.folder_name
    there = None
    if not restart:
        there = finished_shard(folder, encoder.model_hash, share.describe())
    built = build(share, folder) if there is None else Built(there)
    missing = tuple(missing_shards(output_dir))
    joined = None if missing else join_shards(output_dir)
    return Indexed(built, missing, joined, tuple(source.notes()))


def maintain_gallery(
    folder: Path | str, join: bool = False, verify: bool = False
) -> list[str]:
    """Joins or verifies an index that is there; none of its images is read.

    Args:
        folder: of the index.
        join: whether its shards become one index.
        verify: whether every byte is compared with its checksums.

    Returns:
        What was done, a line each.

    Raises:
        UserError: naming what is missing, damaged or foreign.
    """
    lines = []
    if join:
        lines.append(f"{join_shards(folder):,} places joined in {folder}")
    if verify:
        count = len(load_index(folder, verify=True).places)
        lines.append(f"{folder}: all of {count:,} places is complete")
    return lines
