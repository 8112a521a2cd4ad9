"""Locating panoramas: from image files to the most similar places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mgtl_tf.errors import UserError
from mgtl_tf.retrieval.answers import FORMATS
from mgtl_tf.retrieval.answers import Located
from mgtl_tf.retrieval.answers import locate
from mgtl_tf.retrieval.encoder import Encoder
from mgtl_tf.retrieval.encoder import UnreadableImage
from mgtl_tf.retrieval.index import Index
from mgtl_tf.retrieval.index import load_index
from mgtl_tf.retrieval.pictures import draw_located
from mgtl_tf.retrieval.pictures import require_picture_name
from mgtl_tf.retrieval.places import place_id

# The picture shows this many, however many the answer lists.
_PICTURED = 5


def locate_images(
    model: Path | str,
    gallery: Path | str,
    images: Sequence[Path | str],
    top_k: int = 5,
    output_format: str = "table",
    picture: Path | str | None = None,
    truth: str | None = None,
) -> tuple[str, list[Path]]:
    """The most similar places of each image, as text, and as pictures.

    Args:
        model: folder that experiments.export wrote.
        gallery: folder that experiments.index wrote, with the same model.
        images: panoramas, north in the centre column.
        top_k: how many places each.
        output_format: a name of `answers.FORMATS`.
        picture: file for the query over its five best places; with several
            images, each one's id is added to the name.
        truth: id of the true place of the only image; by default an image
            whose id is one of the gallery's belongs there.

    Returns:
        The answer's text, and the pictures written.

    Raises:
        UserError: for a wrong path, image, index or place, before anything
            is written.
    """
    paths = [Path(image) for image in images]
    _check_request(paths, picture, truth)
    contents = [_read(path) for path in paths]
    index = load_index(gallery)
    truths = _truths(paths, index, truth)
    encoder = Encoder(model)
    index.require_model(encoder.model_hash, model)
    queries = _encode(encoder, paths, contents)
    shown = top_k if picture is None else max(top_k, _PICTURED)
    found = locate(paths, queries, index, shown, truths)
    drawn = [] if picture is None else _draw(found, Path(picture), encoder)
    told = [replace(f, answers=f.answers[:top_k]) for f in found]
    return FORMATS[output_format](told), drawn


def _check_request(
    paths: Sequence[Path], picture: Path | str | None, truth: str | None
) -> None:
    if not paths:
        raise UserError("IMAGE: none given; name one panorama or more")
    if truth is not None and len(paths) > 1:
        raise UserError(
            f"--truth={truth}: goes with one IMAGE, {len(paths)} are given"
        )
    if picture is not None:
        require_picture_name(picture)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error


def _truths(
    paths: Sequence[Path], index: Index, truth: str | None
) -> list[str | None]:
    """Each image's true place: the given one, or the one of its name."""
    ids = {place.id for place in index.places}
    if truth is not None and truth not in ids:
        raise UserError(
            f"--truth={truth}: no such place in --gallery={index.folder}"
        )
    given = [truth or place_id(path) for path in paths]
    return [name if name in ids else None for name in given]


def _encode(
    encoder: Encoder, paths: Sequence[Path], contents: Sequence[bytes]
) -> np.ndarray:
    """Descriptors [Q, D], one image at a time: an error names its file."""
    rows = []
    for path, content in zip(paths, contents, strict=True):
        try:
            rows.append(encoder.encode_ground([content]))
        except UnreadableImage as error:
            raise UserError(f"{path}: {error}") from error
    return np.concatenate(rows)


def _draw(
    found: Sequence[Located], picture: Path, encoder: Encoder
) -> list[Path]:
    """One picture an image; names of several differ by number and id."""
    names = [picture]
    if len(found) > 1:
        names = [
            picture.with_stem(f"{picture.stem}-{n}-{place_id(query.image)}")
            for n, query in enumerate(found, 1)
        ]
    for name, query in zip(names, found, strict=True):
        shown = replace(query, answers=query.answers[:_PICTURED])
        draw_located(shown, name, tuple(encoder.details["ground_crop"]))
    return names
