"""Attention as pictures: mean maps, and attention over single images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mgtl_tf.retrieval.report.chart_style import TEXT_COLOR, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Without the last south, which would stand upon the next panel's first.
_COMPASS = ("S", "W", "N", "E", "")
_MAP_COLORS = "viridis"
_STRIP_COLORS = "magma"
_FRAME_COLOR = "#cbd5e1"
_DOTS_PER_INCH = 110
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


def draw_maps(maps: np.ndarray, path: Path) -> None:
    """The mean attention of every step (down) and head (across).

    Args:
        maps: float [L, heads, T, T'].
        path: of the SVG file.
    """
    steps, heads, size, _ = maps.shape
    times_even = maps * size
    figure = _figure(0.95 * heads + 1.2, 0.95 * steps + 0.6)
    axes = figure.subplots(steps, heads, squeeze=False)
    # One scale for all, so that panels may be compared; a few cells beyond.
    highest = max(2.0, float(np.quantile(times_even, 0.995)))
    for step in range(steps):
        for head in range(heads):
            shown = axes[step, head].imshow(
                times_even[step, head], cmap=_MAP_COLORS, vmin=0, vmax=highest
            )
            _panel(axes[step, head], size, step == steps - 1, head == 0)
            if step == 0:
                _text(axes[step, head].set_title, f"head {head + 1}")
        _text(axes[step, 0].set_ylabel, f"step {step + 1}")
    bar = figure.colorbar(shown, ax=axes, shrink=0.6, aspect=30)
    _text(bar.set_label, "attention, times the even share")
    bar.ax.tick_params(labelsize=7, colors=TEXT_COLOR)
    bar.outline.set_visible(False)
    save_figure(figure, path, "svg", metadata={"Date": None})


def draw_example(example: Example, path: Path) -> None:
    """A place's images, brighter where attention is high; strips below.

    Each view has its image weighted by the last step's attention, a strip a
    step of the mean attention over all queries, and the same of the query
    in the north alone.

    Args:
        example: the place.
        path: of the JPEG file.
    """
    views = {
        "ground": "panorama",
        "satellite": "aerial image, unrolled",
    }
    steps = len(example.attention["ground"])
    figure = _figure(10.5, 2 * (1.75 + 0.24 * 2 * steps + 0.9))
    heights = [1.75, 0.24 * steps, 0.24 * steps] * 2
    rows = figure.subplots(6, 1, height_ratios=heights)
    for number, (view, name) in enumerate(views.items()):
        maps = example.attention[view].mean(axis=1)  # [L, T, T'], all heads
        strips = {
            "all queries": maps.mean(axis=1),
            "query: north": maps[:, maps.shape[1] // 2],
        }
        top, *below = rows[3 * number : 3 * number + 3]
        weights = strips["all queries"][-1]
        _show_image(top, weighted(example.images[view], weights))
        _text(top.set_title, f"{name}, attention of step {steps}", loc="left")
        for axis, (title, strip) in zip(below, strips.items(), strict=True):
            _show_strip(axis, strip, title)
        _compass(below[-1], maps.shape[-1])
    save_figure(figure, path, "jpeg", pil_kwargs={"quality": 88})


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


def _show_image(axis: Axes, image: np.ndarray) -> None:
    axis.imshow(image, aspect="auto", interpolation="antialiased")
    axis.set_xticks([])
    axis.set_yticks([])
    _frame(axis)


def _show_strip(axis: Axes, strip: np.ndarray, title: str) -> None:
    """Attention [L, T'], in multiples of the even share."""
    steps, size = strip.shape
    highest = max(2.0, float(strip.max()) * size)
    axis.imshow(
        strip * size,
        aspect="auto",
        cmap=_STRIP_COLORS,
        vmin=0,
        vmax=highest,
        interpolation="nearest",
    )
    axis.set_xticks([])
    axis.set_yticks(range(steps), [f"{s + 1}" for s in range(steps)])
    axis.tick_params(labelsize=7, colors=TEXT_COLOR, length=0)
    _text(axis.set_ylabel, "step")
    axis.text(
        1.005,
        0.5,
        f"{title}\nblack 0, white {highest:.1f}\ntimes the even share",
        transform=axis.transAxes,
        fontsize=7.5,
        color=TEXT_COLOR,
        va="center",
    )
    _frame(axis)


def _panel(axis: Axes, size: int, is_lowest: bool, is_first: bool) -> None:
    """Compass letters: queries down, keys across."""
    places = _edges(size)
    axis.set_xticks(places if is_lowest else [], _COMPASS if is_lowest else [])
    axis.set_yticks(places if is_first else [], _COMPASS if is_first else [])
    axis.tick_params(labelsize=7, colors=TEXT_COLOR, length=0, pad=1)
    _frame(axis)


def _compass(axis: Axes, size: int) -> None:
    names = ("south", "west", "north", "east", "south")
    axis.set_xticks(_edges(size), names)


def _edges(size: int) -> np.ndarray:
    """South, west, north, east, south as positions on an image's axis."""
    return np.linspace(-0.5, size - 0.5, 5)


def _frame(axis: Axes) -> None:
    for spine in axis.spines.values():
        spine.set(color=_FRAME_COLOR, linewidth=0.8)


def _text(put: Any, text: str, **more: Any) -> None:
    put(text, fontsize=9, color=TEXT_COLOR, **more)


def _figure(width: float, height: float) -> Figure:
    # Not pyplot, which would keep every figure and choose a display.
    from matplotlib.figure import Figure

    return Figure((width, height), _DOTS_PER_INCH, layout="constrained")
