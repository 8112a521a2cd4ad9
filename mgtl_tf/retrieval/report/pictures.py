"""Pictures of places: a query over its answers, and both views of pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from mgtl_tf.datasets.preprocess import read_image, read_panorama
from mgtl_tf.datasets.records import Pair
from mgtl_tf.retrieval.answers import Answer, Located
from mgtl_tf.retrieval.report.chart_style import save_figure
from mgtl_tf.utils.errors import UserError
from polar import polar_transform
from polar.text import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
"""Picture files that can be written."""

_TRUE_COLOR = "#16a34a"
_FRAME_COLOR = "#cbd5e1"
_TEXT_COLOR = "#1e293b"
_QUIET_COLOR = "#64748b"
_DIRECTIONS = ("south", "west", "north", "east", "south")
# The paper's own input shape, so that both views are as wide as high alike.
_POLAR_SIZE = (224, 1232)
_DOTS_PER_INCH = 110
_LONGEST_NAME = 22


def require_picture_name(path: Path | str) -> None:
    """Refuses a file that could not be written, before any work is done.

    Raises:
        UserError: for a name without a picture's suffix, or a missing folder.
    """
    path = Path(path)
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise UserError(
            f"--picture={path}: must end in {', '.join(PICTURE_SUFFIXES)}"
        )
    if not path.parent.is_dir():
        raise UserError(f"--picture={path}: its folder does not exist")


def draw_located(
    query: Located,
    path: Path | str,
    ground_crop: tuple[float, float] = (0.0, 1.0),
) -> None:
    """The query panorama over its answers' aerial images.

    Between them stands the first answer as its polar transform: where the
    answer is right, streets of both stand in the same columns.

    Args:
        query: with its answers; the true one, if known, is framed green, and
            stands behind the others where it is not among them.
        path: .jpg or .png.
        ground_crop: rows of the panorama that the model saw, as fractions.

    Raises:
        UserError: for an image file that cannot be read.
    """
    read = read_image if query.heading_read is None else _read_north
    panorama = _cropped(read(query.image), ground_crop)
    answers = list(query.answers)
    if query.true_answer and query.truth not in {a.place.id for a in answers}:
        answers.append(query.true_answer)
    aerials = [read_image(answer.place.image) for answer in answers]
    figure = _new_figure(12.0, 7.9)
    grid = figure.add_gridspec(3, 1, height_ratios=(1.8, 1.8, 2.8))
    upper, lower = (figure.add_subplot(grid[row]) for row in (0, 1))
    _show_panorama(upper, panorama, f"Query: {_short(query.image.name)}")
    _title(upper, _verdict(query), "right", _QUIET_COLOR)
    polar = polar_transform(aerials[0], *_POLAR_SIZE)
    first = f"Answer 1, {_short(answers[0].place.id)}"
    _show_panorama(lower, polar, f"{first}, unrolled around its centre")
    row = grid[2].subgridspec(1, max(len(answers), 5))
    for i, answer in enumerate(answers):
        axis = figure.add_subplot(row[i])
        _show_answer(axis, answer, aerials[i], answer.place.id == query.truth)
    _save(figure, path)


def draw_polar_pairs(
    pairs: Sequence[Pair],
    path: Path | str,
    ground_crop: tuple[float, float] = (0.0, 1.0),
) -> None:
    """Both views of some places, with the compass drawn across them.

    Args:
        pairs: one block each: panorama, polar transform, aerial image.
        path: .jpg or .png.
        ground_crop: rows of the panoramas that the model sees.

    Raises:
        UserError: for an image file that cannot be read.
    """
    figure = _new_figure(12.0, 3.5 * len(pairs))
    grid = figure.add_gridspec(2 * len(pairs), 2, width_ratios=(3.1, 1))
    for i, pair in enumerate(pairs):
        aerial = read_image(pair.aerial)
        panorama = _cropped(_read_north(pair.ground), ground_crop)
        polar = polar_transform(aerial, *_POLAR_SIZE)
        _show_panorama(
            figure.add_subplot(grid[2 * i, 0]),
            panorama,
            f"{_short(pair.id)}: panorama",
        )
        _show_panorama(
            figure.add_subplot(grid[2 * i + 1, 0]), polar, "aerial, unrolled"
        )
        axis = figure.add_subplot(grid[2 * i : 2 * i + 2, 1])
        _show_aerial(axis, aerial, _FRAME_COLOR, 1.0)
        axis.set_title("aerial, north up", fontsize=9, color=_QUIET_COLOR)
    _save(figure, path)


def _read_north(path: Path) -> np.ndarray:
    """A panorama's pixels, turned to north where its file says how."""
    return read_panorama(path).pixels


def _verdict(query: Located) -> str:
    if query.true_answer is None:
        return "true place unknown"
    return f"true place: rank {query.true_answer.rank:,}"


def _short(name: str) -> str:
    """A name that fits over its picture; begin and end tell the most."""
    name = shown(name)
    half = _LONGEST_NAME // 2
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: half - 1]}…{name[-half:]}"


def _show_panorama(axis: Axes, image: np.ndarray, title: str) -> None:
    """An image whose columns are azimuths, with the compass below."""
    width = image.shape[1]
    axis.imshow(image, aspect="auto", interpolation="antialiased")
    _title(axis, title, "left", _TEXT_COLOR)
    # Pixel j covers j - 0.5 to j + 0.5 in the axis' coordinates.
    places = [width * k / 4 for k in range(5)]
    axis.set_xticks(np.clip(places, -0.5, width - 0.5), _DIRECTIONS)
    for place in places[1:4]:
        axis.axvline(place, color="white", linewidth=0.8, alpha=0.55)
    axis.set_yticks([])
    axis.tick_params(labelsize=8, colors=_QUIET_COLOR, length=3)
    _frame(axis, _FRAME_COLOR, 1.0)


def _show_answer(
    axis: Axes, answer: Answer, aerial: np.ndarray, is_true: bool
) -> None:
    color = _TRUE_COLOR if is_true else _FRAME_COLOR
    _show_aerial(axis, aerial, color, 5.0 if is_true else 1.0)
    axis.set_title(
        f"{answer.rank:,}.  {_short(answer.place.id)}",
        fontsize=10,
        fontweight="bold",
        parse_math=False,
        color=_TRUE_COLOR if is_true else _TEXT_COLOR,
    )
    lines = [f"similarity {answer.similarity:.3f}"]
    if answer.place.coordinates is not None:
        latitude, longitude = answer.place.coordinates
        lines.append(f"{latitude:.5f}, {longitude:.5f}")
    if is_true:
        lines.append("true place")
    axis.set_xlabel(
        "\n".join(lines),
        fontsize=9,
        color=_TRUE_COLOR if is_true else _QUIET_COLOR,
    )


def _show_aerial(
    axis: Axes, image: np.ndarray, color: str, width: float
) -> None:
    axis.imshow(image, interpolation="antialiased")
    centre = (image.shape[0] / 2,)
    axis.plot(centre, centre, marker="+", color="white", markersize=9)
    axis.set_xticks([])
    axis.set_yticks([])
    _frame(axis, color, width)


def _frame(axis: Axes, color: str, width: float) -> None:
    for spine in axis.spines.values():
        spine.set(color=color, linewidth=width)


def _title(
    axis: Axes, text: str, side: Literal["left", "right"], color: str
) -> None:
    # A file's name may hold a $, which begins no formula here.
    axis.set_title(text, loc=side, fontsize=10, color=color, parse_math=False)


def _cropped(image: np.ndarray, crop: tuple[float, float]) -> np.ndarray:
    top, bottom = (round(f * len(image)) for f in crop)
    return image[top : max(bottom, top + 1)]


def _new_figure(width: float, height: float) -> Figure:
    # Not pyplot, which would keep every figure and choose a display.
    from matplotlib.figure import Figure

    return Figure((width, height), _DOTS_PER_INCH, layout="constrained")


def _save(figure: Figure, path: Path | str) -> None:
    path = Path(path)
    save_figure(figure, path, path.suffix.lower().lstrip("."))
