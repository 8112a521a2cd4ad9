"""Attention as pictures: mean maps, and attention over single images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mgtl_tf.retrieval.report.charts import new_figure
from mgtl_tf.retrieval.report.pictures import frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Without the last south, which would stand upon the next panel's first.
_COMPASS = ("S", "W", "N", "E", "")
_DIRECTIONS = ("south", "west", "north", "east", "south")
_VIEWS = {"ground": "panorama", "satellite": "aerial image, polar transform"}
# What gets no attention is dimmed to this share of its brightness.
_DIMMEST = 0.3


@dataclass(frozen=True)
class Example:
    """A place whose attention is shown.

    Attributes:
        id: of its pair.
        rank: of its true aerial image, from 1.
        images: by view, RGB uint8 [H, W, 3], as the network sees them.
        attention: by view, float [L, heads, T, T'].
    """

    id: str
    rank: int
    images: dict[str, np.ndarray]
    attention: dict[str, np.ndarray]


def draw_maps(path: Path, maps: np.ndarray) -> None:
    """The mean attention of every step (down) and head (across).

    Args:
        path: of the SVG file.
        maps: float [L, heads, T, T'].
    """
    steps, heads, size, _ = maps.shape
    times_uniform = maps * size
    # One scale for all, so that panels may be compared; a few cells beyond.
    highest = max(2.0, float(np.quantile(times_uniform, 0.995)))
    with new_figure(path, 0.95 * heads + 1.2, 0.95 * steps + 0.6) as figure:
        axes = figure.subplots(steps, heads, squeeze=False)
        for (step, head), axis in np.ndenumerate(axes):
            image = axis.imshow(times_uniform[step, head], vmin=0, vmax=highest)
            frame(axis)
            axis.tick_params(labelsize=7, pad=1)
        for head, axis in enumerate(axes[0], 1):
            axis.set_title(f"head {head}", fontsize=9)
        for step, axis in enumerate(axes[:, 0], 1):
            axis.set_ylabel(f"step {step}", fontsize=9)
            axis.set_yticks(_edges(size), _COMPASS)
        for axis in axes[-1]:
            axis.set_xticks(_edges(size), _COMPASS)
        bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=30)
        bar.set_label("times uniform attention", fontsize=9)
        bar.ax.tick_params(labelsize=7)
        bar.outline.set_visible(False)


def draw_example(path: Path, example: Example) -> None:
    """A place's images, brighter where attention is high; strips below.

    Each view has its image weighted by the last step's attention, a strip a
    step of the mean attention over all queries, and the same of the query
    in the north alone.

    Args:
        path: of the JPEG file.
        example: the place.
    """
    steps = len(example.attention["ground"])
    heights = [1.75, 0.24 * steps, 0.24 * steps] * 2
    with new_figure(path, 10.5, sum(heights) + 1.8) as figure:
        rows = figure.subplots(6, 1, height_ratios=heights)
        for first, (view, name) in zip((0, 3), _VIEWS.items(), strict=True):
            maps = example.attention[view].mean(axis=1)  # [L, T, T'], all heads
            mean, size = maps.mean(axis=1), maps.shape[-1]
            top, upper, lower = rows[first : first + 3]
            image = weighted(example.images[view], mean[-1])
            top.imshow(image, aspect="auto", interpolation="antialiased")
            top.set_title(f"{name}, attention of step {steps}", loc="left")
            frame(top)
            _show_strip(upper, mean, "all queries")
            _show_strip(lower, maps[:, maps.shape[1] // 2], "query: north")
            lower.set_xticks(_edges(size), _DIRECTIONS)


def weighted(image: np.ndarray, attention: np.ndarray) -> np.ndarray:
    """An image dimmed where there is little attention.

    Args:
        image: RGB uint8 [H, W, 3].
        attention: float [T], over azimuths; its largest share keeps the
            image's brightness, none leaves 0.3 of it.

    Returns:
        RGB uint8 [H, W, 3].
    """
    width, count = image.shape[1], len(attention)
    centres = (np.arange(count) + 0.5) * width / count
    # Circular: the first azimuth follows the last.
    columns = np.interp(
        np.arange(width) + 0.5, centres, attention, period=float(width)
    )
    largest = max(attention.max(), 1e-12)
    share = _DIMMEST + (1 - _DIMMEST) * columns / largest
    return np.round(image * share[None, :, None]).astype(np.uint8)


def _show_strip(axis: Axes, strip: np.ndarray, title: str) -> None:
    """Attention [L, T'], as multiples of uniform attention."""
    steps, size = strip.shape
    highest = max(2.0, float(strip.max()) * size)
    axis.imshow(
        strip * size, "magma", aspect="auto", vmin=0, vmax=highest,
        interpolation="nearest",
    )  # fmt: skip
    frame(axis)
    axis.set_yticks(range(steps), [f"{s + 1}" for s in range(steps)])
    axis.tick_params(labelsize=7)
    axis.set_ylabel("step", fontsize=9)
    axis.text(
        1.005,
        0.5,
        f"{title}\nblack 0, white {highest:.1f}\ntimes uniform",
        transform=axis.transAxes,
        fontsize=7.5,
        va="center",
    )


def _edges(size: int) -> np.ndarray:
    """South, west, north, east, south as positions on an image's axis."""
    return np.linspace(-0.5, size - 0.5, 5)
