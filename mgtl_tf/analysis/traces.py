"""The tensors of every recurrent step, for many places."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mgtl_tf.analysis.attention import AttentionTotals
from mgtl_tf.datasets.pipeline import raising_user_errors
from mgtl_tf.datasets.sources import VIEWS, PairSource
from mgtl_tf.utils.gathered_rows import GatheredRows

KEPT = ("tokens", "knowledge", "descriptor", "azimuth_attention")
"""What is kept of every place; "azimuth_attention" is the attention that each
azimuth receives, the mean over heads and queries [T']. Of the rest, totals
alone."""


class ViewTraces:
    """One view's tokens, knowledge and descriptors of all places, by step.

    Args:
        batches: how many will be added.

    Attributes:
        attention: the totals over all places.
    """

    def __init__(self, batches: int):
        self._batches = batches
        self._rows: dict[tuple[int, str], GatheredRows] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self.attention = AttentionTotals()
        self.steps = 0

    def add(self, steps: list[dict[str, np.ndarray]]) -> None:
        """Takes in a batch of `model.trace`, without its padding."""
        self.steps = len(steps)
        for number, step in enumerate(steps):
            received = step["attention"].mean(axis=(1, 2))  # [n, T']
            for name in KEPT:
                value = received if name == "azimuth_attention" else step[name]
                self._shapes[name] = value.shape[1:]
                rows = self._rows.setdefault(
                    (number, name), GatheredRows(self._batches)
                )
                rows.add(value.reshape(len(value), -1))
        self.attention.add(np.stack([s["attention"] for s in steps], axis=1))

    def get(self, name: str, step: int) -> np.ndarray:
        """`KEPT` value of a step (from 0) of all places, [N, ...]."""
        rows = self._rows[step, name].all()
        return rows.reshape(len(rows), *self._shapes[name])


class ChosenRows:
    """A source of some rows of another source.

    Args:
        source: of all pairs.
        rows: int [n], which.
    """

    def __init__(self, source: PairSource, rows: np.ndarray):
        self.source = source
        self.rows = rows

    def __len__(self) -> int:
        """How many pairs there are, n."""
        return len(self.rows)

    def load(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ground and polar satellite images of rows int [m] of the chosen.

        Raises:
            UserError: for a file that cannot be read.
        """
        return self.source.load(self.rows[rows])


def trace_places(
    model: keras.Model,
    batches: Collection[dict[str, Any]],
    progress: Callable[[int], Any] | None = None,
) -> dict[str, ViewTraces]:
    """Tokens, knowledge, descriptors and attention of every step and view.

    Of the paper's network and 1,000 places this holds 1.1 GB.

    Args:
        model: an MGTL with at least one step.
        batches: of `eval_batches`.
        progress: called with the number of places done since its last call.

    Returns:
        "ground" and "satellite" to their traces.

    Raises:
        UserError: for an image file that cannot be read.
    """
    trace = _tracer(model)
    found = {view: ViewTraces(len(batches)) for view in VIEWS}
    for batch in raising_user_errors(batches):
        valid = np.asarray(batch["valid"])
        for view, steps in trace(batch["ground"], batch["satellite"]).items():
            found[view].add(
                [
                    {name: value.numpy()[valid] for name, value in step.items()}
                    for step in steps
                ]
            )
        if progress is not None:
            progress(int(valid.sum()))
    return found


def attention_of(
    model: keras.Model, ground: np.ndarray, satellite: np.ndarray
) -> dict[str, np.ndarray]:
    """The attention of some places by themselves.

    Args:
        model: as of `trace_places`.
        ground, satellite: RGB uint8 [n, H, W, 3].

    Returns:
        "ground" and "satellite" to float32 [n, L, heads, T, T'].
    """
    traced = _tracer(model)(tf.constant(ground), tf.constant(satellite))
    return {
        view: np.stack([step["attention"].numpy() for step in steps], axis=1)
        for view, steps in traced.items()
    }


def _tracer(model: keras.Model) -> tf.types.experimental.PolymorphicFunction:
    @tf.function(autograph=False)
    def trace(ground, satellite):
        views = dict(zip(VIEWS, (ground, satellite), strict=True))
        return {
            view: [
                {name: tf.cast(v, tf.float32) for name, v in step.items()}
                for step in model.trace(tf.cast(images, tf.float32), view)
            ]
            for view, images in views.items()
        }

    return trace
