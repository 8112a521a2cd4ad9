"""Indexing a gallery of aerial images with an exported model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mgtl_tf.folders import INDEX_JSON
from mgtl_tf.folders import require_replaceable
from mgtl_tf.retrieval.build import Skipped
from mgtl_tf.retrieval.build import build_index
from mgtl_tf.retrieval.encoder import Encoder
from mgtl_tf.retrieval.places import find_places


def index_gallery(
    model: Path | str,
    images: Sequence[Path | str],
    output_dir: Path | str,
    locations: Path | str | None = None,
    batch_size: int = 32,
    progress: bool = True,
) -> tuple[int, list[Skipped]]:
    """Writes the index of all aerial images that can be read.

    Args:
        model: folder that experiments.export wrote.
        images: aerial image files, folders of them, or CSV lists that name
            them.
        output_dir: a new or empty folder, or an older index.
        locations: CSV with columns id, latitude, longitude.
        batch_size: images encoded together.
        progress: whether a progress bar is shown.

    Returns:
        How many images the index holds, and those that it lacks.

    Raises:
        UserError: for wrong paths or files, or when no image can be read.
    """
    require_replaceable(output_dir, INDEX_JSON)
    places = find_places(images, locations)
    encoder = Encoder(model)
    skipped = build_index(encoder, places, output_dir, batch_size, progress)
    return len(places) - len(skipped), skipped
