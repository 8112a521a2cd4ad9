"""The tensors of every recurrent step, for many places."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mgtl_tf.datasets.sources import VIEWS
from mgtl_tf.datasets.taking import raising_user_errors

Traces = Mapping[str, Mapping[str, np.ndarray]]
"""View to name to a tensor of every step, of N places, [L, N, ...]."""


def trace_places(
    model: keras.Model,
    batches: Iterable[dict[str, Any]],
    places: int,
    progress: Callable[[int], Any] | None = None,
) -> Traces:
    """Every step's tensors of both views, as of `model.trace`.

    Of the paper's network and 1,000 places this holds 1.2 GB.

    Args:
        model: an MGTL with at least one step.
        batches: of `eval_batches`.
        places: N, how many are in them.
        progress: called with the number of places done since its last call.

    Returns:
        "ground" and "satellite", each to "tokens" and "knowledge", float32
        [L, N, T, C], "descriptor" [L, N, D] and "attention"
        [L, N, heads, T, T'].

    Raises:
        UserError: for an image file that cannot be read.
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

    found: dict[str, dict[str, np.ndarray]] = {view: {} for view in VIEWS}
    done = 0
    for batch in raising_user_errors(batches):
        valid = np.asarray(batch["valid"])
        rows = slice(done, done + int(valid.sum()))
        for view, values in trace(batch["ground"], batch["satellite"]).items():
            for name, tensor in values.items():
                part = tensor.numpy()[:, valid]
                if name not in found[view]:
                    # Parts that are joined in the end would take it twice.
                    shape = part.shape[0], places, *part.shape[2:]
                    found[view][name] = np.empty(shape, np.float32)
                found[view][name][:, rows] = part
        if progress is not None:
            progress(rows.stop - done)
        done = rows.stop
    return found
