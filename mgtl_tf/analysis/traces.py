"""The tensors of every recurrent step, for many places."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mgtl_tf.analysis.attention import entropy
from mgtl_tf.datasets.pipeline import raising_user_errors
from mgtl_tf.datasets.sources import VIEWS

Trace = Callable[[Any, Any], dict[str, dict[str, tf.Tensor]]]


class ViewTraces:
    """One view's tensors of N places, by step; attention only as means.

    Args:
        places: N.

    Attributes:
        count: places added so far.
        arrays: "tokens" and "knowledge", float32 [L, N, T, C]; "descriptor"
            [L, N, D]; "azimuth_attention" [L, N, T'], the attention that each
            azimuth receives, the mean over heads and queries.
    """

    def __init__(self, places: int):
        self.places = places
        self.count = 0
        self.arrays: dict[str, np.ndarray] = {}
        self._maps = np.zeros(())
        self._entropies = np.zeros(())

    def add(self, batch: dict[str, np.ndarray]) -> None:
        """Takes in n places: values of a tracer, [L, n, ...]."""
        attention = batch["attention"]  # [L, n, heads, T, T']
        kept = {k: v for k, v in batch.items() if k != "attention"}
        kept["azimuth_attention"] = attention.mean(axis=(2, 3))
        rows = slice(self.count, self.count + attention.shape[1])
        for name, part in kept.items():
            if name not in self.arrays:
                shape = part.shape[0], self.places, *part.shape[2:]
                self.arrays[name] = np.empty(shape, part.dtype)
            self.arrays[name][:, rows] = part
        self._maps = self._maps + attention.sum(axis=1, dtype=np.float64)
        nats = entropy(attention).mean(axis=-1)  # [L, n, heads]
        self._entropies = self._entropies + nats.sum(axis=1)
        self.count = rows.stop

    @property
    def maps(self) -> np.ndarray:
        """The mean attention, float64 [L, heads, T, T']."""
        return self._maps / self.count

    @property
    def entropies(self) -> np.ndarray:
        """The mean entropy of a token's attention, nats [L, heads]."""
        return self._entropies / self.count


def tracer(model: keras.Model) -> Trace:
    """A function of ground and satellite images [n, H, W, 3] of an MGTL.

    It returns "ground" and "satellite" to "tokens", "knowledge", "descriptor"
    and "attention" of `model.trace`, float32 [L, n, ...].
    """

    @tf.function(autograph=False)
    def trace(ground, satellite):
        found = {}
        for view, images in zip(VIEWS, (ground, satellite), strict=True):
            steps = model.trace(tf.cast(images, tf.float32), view)
            found[view] = {
                name: tf.stack([tf.cast(s[name], tf.float32) for s in steps])
                for name in steps[0]
            }
        return found

    return trace


def trace_places(
    model: keras.Model,
    batches: Iterable[dict[str, Any]],
    places: int,
    progress: Callable[[int], Any] | None = None,
) -> dict[str, ViewTraces]:
    """Tokens, knowledge, descriptors and attention of every step and view.

    Of the paper's network and 1,000 places this holds 1.1 GB.

    Args:
        model: an MGTL with at least one step.
        batches: of `eval_batches`.
        places: N, how many are in them.
        progress: called with the number of places done since its last call.

    Returns:
        "ground" and "satellite" to their traces.

    Raises:
        UserError: for an image file that cannot be read.
    """
    trace = tracer(model)
    found = {view: ViewTraces(places) for view in VIEWS}
    for batch in raising_user_errors(batches):
        valid = np.asarray(batch["valid"])
        traced = trace(batch["ground"], batch["satellite"])
        for view, values in traced.items():
            found[view].add({k: v.numpy()[:, valid] for k, v in values.items()})
        if progress is not None:
            progress(int(valid.sum()))
    return found
