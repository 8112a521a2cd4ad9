"""Locating panoramas: from image files to the most similar places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mgtl_tf.galleries.named_images import image_files, place_id
from mgtl_tf.retrieval.answer_formats import FORMATS, PATH_FORMATS
from mgtl_tf.retrieval.answers import Located
from mgtl_tf.retrieval.headings import UNTRAINED, trained_with_rotations
from mgtl_tf.retrieval.localizer import Localizer
from mgtl_tf.retrieval.points import NO_SIDES
from mgtl_tf.retrieval.report.pictures import draw_located, require_picture_name
from mgtl_tf.utils.errors import UserError
from polar.text import printable

# The picture shows this many, however many the answer lists.
_PICTURED = 5
# Fewer are located before a bar could be read.
_WORTH_A_BAR = 17


@dataclass(frozen=True)
class LocateResult:
    """What locating came to.

    Attributes:
        text: the answers, in the form that was asked for.
        pictures: files that were drawn.
        unreadable: a line for each image that could not be read.
        warnings: lines about the answers.
    """

    text: str
    pictures: list[Path]
    unreadable: list[str]
    warnings: list[str]

    @property
    def notes(self) -> list[str]:
        """Lines to print beside the answers."""
        lines = [f"warning: {line}" for line in self.warnings]
        lines += [f"error: {line}" for line in self.unreadable]
        return lines + [f"picture: {picture}" for picture in self.pictures]


def locate_images(
    model: Path | str,
    gallery: Path | str,
    images: Sequence[Path | str],
    top_k: int = 5,
    output_format: str = "table",
    picture: Path | str | None = None,
    truth: str | None = None,
    near: tuple[float, float] | None = None,
    radius: float | None = None,
    unknown_heading: bool = False,
    sequence: bool = False,
    metres_per_frame: float = 10.0,
    engine: str = "exact",
    backend: str = "faiss",
    uri: str | None = None,
) -> LocateResult:
    """The most similar places of each image, as text, and as pictures.

    Args:
        model: folder that experiments.export wrote.
        gallery: folder that experiments.index wrote, with the same model.
        images: panoramas, north in the centre column, or folders of them.
        top_k: how many places each.
        output_format: a name of `answer_formats.FORMATS`.
        picture: file for the query over its five best places; with several
            images, each one's id is added to the name.
        truth: id of the true place of the only image; by default an image
            whose id is one of the gallery's belongs there.
        near, radius, unknown_heading: as of `Localizer.locate`.
        sequence: whether the images are the frames of one drive, in order.
        metres_per_frame: as of `Localizer.locate_sequence`.
        engine, backend, uri: as of `Localizer.load`.

    Returns:
        The answers of all images that can be read.

    Raises:
        UserError: for a wrong path, index, place or prior, or where no image
            at all can be read, before anything is written.
    """
    paths = image_files(images)
    _require_agreement(paths, picture, truth, sequence and unknown_heading)
    localizer = Localizer.load(model, gallery, engine, backend, uri)
    unreadable: list[str] = []
    request: dict[str, Any] = {
        "images": _with_bar(paths),
        "top_k": top_k if picture is None else max(top_k, _PICTURED),
        "near": near,
        "radius": radius,
        "unreadable": lambda path, why: unreadable.append(f"{path}: {why}"),
        "truths": _truths(paths, localizer, truth),
    }
    if sequence:
        found = localizer.locate_sequence(
            metres_per_frame=metres_per_frame, **request
        )
    else:
        found = localizer.locate_many(
            unknown_heading=unknown_heading, **request
        )
    _require_one(found, unreadable)
    drawn = [] if picture is None else _draw(found, Path(picture), localizer)
    formats = PATH_FORMATS if sequence else FORMATS
    text = formats[output_format](
        [replace(f, answers=f.answers[:top_k]) for f in found]
    )
    notes = warnings_about(localizer, found, near is not None, unknown_heading)
    return LocateResult(text, drawn, unreadable, notes)


def warnings_about(
    localizer: Localizer,
    found: Sequence[Located],
    near: bool,
    unknown_heading: bool,
) -> list[str]:
    """What may be wrong with answers, a line each.

    Args:
        localizer: gave them.
        found: the answers.
        near: whether only places in a circle were searched.
        unknown_heading: whether all headings were tried.
    """
    trained = trained_with_rotations(localizer.encoder.details)
    lines = [UNTRAINED] if unknown_heading and not trained else []
    if localizer.encoder.has_offsets and np.isnan(localizer.index.sides).all():
        lines.append(NO_SIDES)
    where = localizer.index.coordinates
    unknown = np.count_nonzero(np.isnan(where).any(axis=1))
    if near and unknown:
        have = "has" if unknown == 1 else "have"
        lines.append(
            f"near: {unknown:,} of {len(where):,} places of the gallery"
            f" {have} no position, and so lie outside every circle"
        )
    if others := [query for query in found if query.squeezed]:
        which = "the panorama"
        if len(found) > 1:
            which = f"{len(others):,} of {len(found):,} panoramas"
            which += f", of which {printable(others[0].image)}"
        why = others[0].squeezed
        lines.append(f"squeezed, which costs recall: {which} has {why}")
    return lines


def _require_agreement(
    paths: Sequence[Path],
    picture: Path | str | None,
    truth: str | None,
    turned_sequence: bool,
) -> None:
    if turned_sequence:
        raise UserError(
            "sequence: needs known headings, and unknown_heading is given"
        )
    if truth is not None and len(paths) > 1:
        raise UserError(
            f"truth={truth}: goes with one image, {len(paths)} are given"
        )
    if picture is not None:
        require_picture_name(picture)


def _with_bar(paths: Sequence[Path]) -> Iterable[Any]:
    few = len(paths) < _WORTH_A_BAR
    return tqdm(paths, "locate", unit="image", leave=False, disable=few)


def _truths(
    paths: Sequence[Path], localizer: Localizer, truth: str | None
) -> Iterator[str | None]:
    """Each image's true place: the given one, or the one of its name."""
    index = localizer.index
    if truth is not None and index.row(truth) is None:
        raise UserError(f"truth={truth}: no such place in {index.folder}")
    return (truth or place_id(path) for path in paths)


def _require_one(found: Sequence[Located], unreadable: Sequence[str]) -> None:
    if found:
        return
    if len(unreadable) == 1:
        raise UserError(unreadable[0])
    raise UserError(
        f"none of {len(unreadable)} images can be read; the first,"
        f" {unreadable[0]}"
    )


def _draw(
    found: Sequence[Located], picture: Path, localizer: Localizer
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
        draw_located(shown, name, localizer.encoder.crop)
    return names
