"""Cells of one view carried to those of another (Shi et al. 2020)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer

_WEIGHT_SPREAD = 0.005


@keras.saving.register_keras_serializable("mgtl_tf")
class FeatureTransport(ConfiguredLayer):
    """CVFT's transport: N cells to N cells by a plan made of the cells.

    r = ReLU(F w + b), one number a cell; cost = r W + c, an N x N matrix; the
    plan is Sinkhorn's from exp(-sharpness * cost), its rows (what a cell
    gives) and columns (what one gets) scaled to sums of one in turn, in
    logarithms. Cell o becomes sum over i of F_i P_io.

    c starts as the identity matrix, which makes it dear to stay in place. The
    cells are outputs of a ReLU: one random filter w gives them all the same
    sign, often, and if it is the negative one, r is zero and no gradient
    reaches w. See `wake`.

    Args:
        rounds: of scaling rows and then columns.
        sharpness: what costs are multiplied by.

    Call arguments:
        features: [B, h, w, C], at least 0; N = h w.

    Output:
        [B, h, w, C].
    """

    def __init__(self, rounds=20, sharpness=100.0, **kwargs):
        super().__init__(**kwargs)
        self.rounds = rounds
        self.sharpness = sharpness

    def build(self, input_shape):
        cells = input_shape[1] * input_shape[2]
        # In float32: a hundredth of a cost doubles or halves its cell.
        self.response = keras.layers.Dense(
            1, activation="relu", name="response", dtype="float32"
        )
        self.cost = keras.layers.Dense(
            cells * cells,
            kernel_initializer=keras.initializers.TruncatedNormal(
                stddev=_WEIGHT_SPREAD
            ),
            bias_initializer=lambda shape, dtype=None: ops.reshape(
                ops.eye(cells, dtype=dtype), shape
            ),
            name="cost",
            dtype="float32",
        )
        self.response.build((None, cells, input_shape[3]))
        self.cost.build((None, cells))

    def plan(self, features):
        """What share of each cell goes to each: float32 [B, N, N]."""
        cells = features.shape[1] * features.shape[2]
        flat = ops.reshape(features, (-1, cells, features.shape[3]))
        responses = self.response(ops.cast(flat, "float32"))
        costs = self.cost(ops.reshape(responses, (-1, cells)))
        logits = -self.sharpness * ops.reshape(costs, (-1, cells, cells))
        return ops.exp(_scaled(logits, self.rounds))

    def call(self, features):
        _, height, width, channels = features.shape
        plan = ops.cast(self.plan(features), features.dtype)
        flat = ops.reshape(features, (-1, height * width, channels))
        carried = ops.einsum("bio,bic->boc", plan, flat)
        return ops.reshape(carried, (-1, height, width, channels))

    def wake(self, features):
        """Draws the filter of r anew where most cells of r are zero.

        The new one is the old one's negative, as likely a draw, which gives
        the cells that were below zero a response above it.

        Args:
            features: [B, h, w, C], of a network's first weights.

        Returns:
            whether it was drawn anew.
        """
        alive = self.response(ops.cast(features, "float32")) > 0
        is_dead = float(ops.mean(ops.cast(alive, "float32"))) < 0.5
        if is_dead:
            self.response.kernel.assign(-self.response.kernel)
        return is_dead


def _scaled(logits, rounds):
    """Logarithms of a plan after Sinkhorn's rounds, [B, N, N]."""
    for _ in range(rounds):
        for axis in (2, 1):
            logits = logits - ops.logsumexp(logits, axis=axis, keepdims=True)
    return logits
