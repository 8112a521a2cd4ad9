"""Pictures of places: a query over its answers, and both views of pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mgtl_tf.datasets.panorama_shape import WHOLE, kept_rows
from mgtl_tf.datasets.preprocess import read_image, read_panorama
from mgtl_tf.datasets.records import Pair
from mgtl_tf.retrieval.answers import Answer, Located
from mgtl_tf.retrieval.report.charts import FRAME_COLOR, new_figure
from mgtl_tf.utils.errors import UserError
from polar import polar_transform
from polar.gpano import rotate_to_north
from polar.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
"""Picture files that can be written."""

_TRUE_COLOR = "#16a34a"
_DIRECTIONS = ("south", "west", "north", "east", "south")
# The paper's own input shape, so that both views are as wide as high alike.
_POLAR_SIZE = (224, 1232)
_LONGEST_NAME = 22


def require_picture_name(path: Path | str) -> None:
    """Refuses a file that could not be written, before any work is done.

    Raises:
        UserError: for a name without a picture's suffix, or a missing folder.
    """
    path = Path(path)
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise UserError(f"{path}: must end in {', '.join(PICTURE_SUFFIXES)}")
    if not path.parent.is_dir():
        raise UserError(f"{path}: its folder does not exist")


def draw_located(
    query: Located,
    path: Path | str,
    crop: Callable[[tuple[int, int]], tuple[float, float]] = lambda _: WHOLE,
) -> None:
    """The query panorama over its answers' aerial images.

    Between them stands the first answer as its polar transform: where the
    answer is right, streets of both stand in the same columns. The panorama
    is turned to north by what its file says and by the first answer's heading.

    Args:
        query: with its answers; the true one, if known, is framed green, and
            stands behind the others where it is not among them.
        path: .jpg or .png.
        crop: from the panorama's height and width to the rows that the
            model saw, as of `Encoder.crop`.

    Raises:
        UserError: for an image file that cannot be read.
    """
    read = read_image if query.heading_read is None else _read_north
    panorama = rotate_to_north(read(query.image), query.turn_to_north)
    panorama = panorama[kept_rows(len(panorama), crop(panorama.shape[:2]))]
    answers = list(query.answers)
    if query.true_answer and query.truth not in {a.place.id for a in answers}:
        answers.append(query.true_answer)
    aerials = [read_image(answer.place.image) for answer in answers]
    polar = polar_transform(aerials[0], *_POLAR_SIZE)
    with new_figure(path, 12.0, 7.9) as figure:
        grid = figure.add_gridspec(3, 1, height_ratios=(1.8, 1.8, 2.8))
        upper, lower = (figure.add_subplot(grid[row]) for row in (0, 1))
        _show_panorama(upper, panorama, f"Query: {_short(query.image.name)}")
        rank = query.truth_rank
        known = "unknown" if rank is None else f"rank {rank:,}"
        upper.set_title(f"true place: {known}", loc="right")
        first = f"Answer 1, {_short(answers[0].place.id)}"
        _show_panorama(lower, polar, f"{first}, polar transform")
        row = grid[2].subgridspec(1, max(len(answers), 5))
        for i, answer in enumerate(answers):
            is_true = answer.place.id == query.truth
            axis = figure.add_subplot(row[i])
            _show_answer(axis, answer, aerials[i], is_true)


def draw_polar_pairs(
    pairs: Sequence[Pair],
    path: Path | str,
    ground_crop: tuple[float, float] = WHOLE,
) -> None:
    """Both views of some places, with the compass drawn across them.

    Args:
        pairs: one block each: panorama, polar transform, aerial image.
        path: .jpg or .png.
        ground_crop: rows of the panoramas that the model sees.

    Raises:
        UserError: for an image file that cannot be read.
    """
    with new_figure(path, 12.0, 3.5 * len(pairs)) as figure:
        grid = figure.add_gridspec(2 * len(pairs), 2, width_ratios=(3.1, 1))
        for i, pair in enumerate(pairs):
            aerial = read_image(pair.aerial)
            panorama = _read_north(pair.ground)
            panorama = panorama[kept_rows(len(panorama), ground_crop)]
            polar = polar_transform(aerial, *_POLAR_SIZE)
            upper = figure.add_subplot(grid[2 * i, 0])
            lower = figure.add_subplot(grid[2 * i + 1, 0])
            _show_panorama(upper, panorama, f"{_short(pair.id)}: panorama")
            _show_panorama(lower, polar, "aerial image, polar transform")
            axis = figure.add_subplot(grid[2 * i : 2 * i + 2, 1])
            _show_aerial(axis, aerial)
            axis.set_title("aerial image, north up")


def frame(axis: Axes, color: str = FRAME_COLOR, width: float = 1.0) -> None:
    """An image's axis: all four sides framed, no ticks."""
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set(visible=True, color=color, linewidth=width)


def _read_north(path: Path) -> np.ndarray:
    """A panorama's pixels, turned to north where its file says how."""
    return read_panorama(path).pixels


def _short(name: str) -> str:
    """A name that fits over its picture: its begin and its end."""
    name = printable(name)
    half = _LONGEST_NAME // 2
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: half - 1]}…{name[-half:]}"


def _show_panorama(axis: Axes, image: np.ndarray, title: str) -> None:
    """An image whose columns are azimuths, with the compass below."""
    width = image.shape[1]
    axis.imshow(image, aspect="auto", interpolation="antialiased")
    axis.set_title(title, loc="left")
    frame(axis)
    # Pixel j covers j - 0.5 to j + 0.5 in the axis' coordinates.
    axis.set_xticks(np.linspace(-0.5, width - 0.5, 5), _DIRECTIONS)
    axis.tick_params(labelsize=8, length=3)
    for place in np.linspace(0, width, 5)[1:4]:
        axis.axvline(place, color="white", linewidth=0.8, alpha=0.55)


def _show_answer(
    axis: Axes, answer: Answer, aerial: np.ndarray, is_true: bool
) -> None:
    _show_aerial(axis, aerial)
    lines = [f"similarity {answer.similarity:.3f}"]
    if answer.place.coordinates is not None:
        latitude, longitude = answer.place.coordinates
        lines.append(f"{latitude:.5f}, {longitude:.5f}")
    if is_true:
        lines.append("true place")
        frame(axis, _TRUE_COLOR, 5.0)
        axis.title.set_color(_TRUE_COLOR)
        axis.xaxis.label.set_color(_TRUE_COLOR)
    axis.set_title(
        f"{answer.rank:,}.  {_short(answer.place.id)}", fontweight="bold"
    )
    axis.set_xlabel("\n".join(lines), fontsize=9)


def _show_aerial(axis: Axes, image: np.ndarray) -> None:
    """An aerial image with a cross at its centre, the camera."""
    axis.imshow(image, interpolation="antialiased")
    frame(axis)
    centre = (image.shape[0] / 2,)
    axis.plot(centre, centre, marker="+", color="white", markersize=9)
