"""Indexing a gallery of aerial images with an exported model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mgtl_tf.export.model_folder import read_details
from mgtl_tf.export.shipped import model_folder
from mgtl_tf.galleries.batch_size import automatic_batch_size
from mgtl_tf.galleries.builder import Built, build_index
from mgtl_tf.galleries.encoder import Encoder
from mgtl_tf.galleries.encoding import BatchEncoder, Encoded
from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.galleries.tiling.finding import find_images
from mgtl_tf.utils.atomic_folders import require_replaceable
from mgtl_tf.utils.atomic_io import INDEX_JSON
from mgtl_tf.utils.ray_jobs import by_ray, connect_ray

_MOST_LINES = 50


@dataclass(frozen=True)
class Indexed:
    """What a command did.

    Attributes:
        built: of the index.
        notes: what was ignored or filled in the images, lines.
    """

    built: Built
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
        return [*lines, *self.notes]


def index_gallery(
    model: Path | str,
    images: Sequence[Path | str],
    output_dir: Path | str,
    locations: Path | str | None = None,
    batch_size: int = 0,
    progress: bool = True,
    restart: bool = False,
    crop_metres: float | None = None,
    metres_per_pixel: float | None = None,
    step_metres: float | None = None,
    most_missing: float | None = None,
    tile_rows: str | None = None,
    runner: str = "local",
    ray_address: str = "",
) -> Indexed:
    """Writes the index of all aerial images that can be read.

    Resumes what an earlier call began.

    Args:
        model: folder that experiments.export wrote.
        images: aerial image files, folders of them, CSV lists that name
            them; or maps to be cut: georeferenced rasters (GeoTIFF, .vrt),
            folders of their sheets, folders of z/x/y tiles.
        output_dir: a new or empty folder, or an older index.
        locations: CSV with columns id, latitude, longitude.
        batch_size: images encoded together; 0: by the memory.
        progress: whether a progress bar is shown.
        restart: whether what was begun is deleted first.
        crop_metres, metres_per_pixel, step_metres, most_missing: how maps
            are cut; see `crop_settings`.
        tile_rows: "xyz" or "tms"; see `tile_scheme`.
        runner: "local" encodes in this process; "ray" in actors, which must
            see the model, the images and output_dir under the same paths.
        ray_address: of a Ray cluster; "" starts Ray on this machine.

    Raises:
        UserError: for wrong paths or files, when no image can be read, or
            the disk does not take the index.
    """
    require_replaceable(output_dir, INDEX_JSON)
    model = model_folder(model)
    data = read_details(model).get("config", {}).get("data", {})
    map_settings = {
        "crop_metres": crop_metres,
        "metres_per_pixel": metres_per_pixel,
        "step_metres": step_metres,
        "most_missing": most_missing,
        "tile_rows": tile_rows,
    }
    dataset = data.get("dataset", "")
    find = partial(find_images, images, locations, dataset, map_settings)
    source, encoder = find(), Encoder(model)

    def encode_by_ray(
        folder: Path, batches: Sequence[range]
    ) -> Iterator[Encoded]:
        encode = BatchEncoder(partial(Encoder, model), find, folder)
        return by_ray(encode, batches)

    if runner == "ray":
        connect_ray(ray_address)
    built = build_index(
        encoder,
        source,
        output_dir,
        batch_size or automatic_batch_size(encoder.details),
        progress,
        encoder.preprocessing,
        restart,
        encode_by_ray if runner == "ray" else None,
    )
    return Indexed(built, tuple(source.notes()))


def verify_gallery(folder: Path | str) -> str:
    """Compares every byte of an index with its checksums.

    Args:
        folder: of the index.

    Returns:
        What was done, a line.

    Raises:
        UserError: naming what is missing, damaged or foreign.
    """
    count = len(load_index(folder, verify=True).places)
    return f"{folder}: all of {count:,} places is complete"
