"""Descriptors and loss of a fixed model and images, to compare backends by.

    python -m benchmarks.reference_descriptors --output=reference.npz

Weights and images are drawn by NumPy, so that every backend and device
computes the same thing; `benchmarks.gpu_keras --reference=FILE` compares.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from absl import app, flags

import mgtl_tf
from mgtl_tf import losses
from mgtl_tf.config import ModelConfig


def drawn_model(policy: str, width: float):
    """A model whose weights NumPy drew, the same under every backend."""
    config = ModelConfig(
        width_multiplier=width, recurrent_steps=2, image_size=(112, 616)
    )
    model = mgtl_tf.build_model(config, dtype=policy)
    draw_weights(model)
    return model


def draw_weights(model) -> None:
    """Gives a model's trainable variables what NumPy draws."""
    rng = np.random.default_rng(7)
    for weight in sorted(model.trainable_variables, key=lambda w: w.path):
        shape = tuple(weight.shape)
        scale = np.sqrt(2.0 / max(1, np.prod(shape[:-1])))
        drawn = rng.standard_normal(shape, np.float32) * scale
        weight.assign(drawn if len(shape) > 1 else 1.0 + 0.1 * drawn)


def probe_images() -> dict[str, np.ndarray]:
    """Two pairs of smooth random images, uint8 [2, 112, 616, 3]."""
    rng = np.random.default_rng(8)
    coarse = rng.integers(0, 256, (2, 2, 14, 77, 3), np.uint8)
    fine = coarse.repeat(8, axis=2).repeat(8, axis=3)
    return {"ground": fine[0], "satellite": fine[1]}


def descriptors_and_loss(policy: str, width: float) -> dict[str, np.ndarray]:
    """Both descriptors of the probe images, and Eq. 9 of them."""
    model = drawn_model(policy, width)
    outputs = model(probe_images(), training=False)
    loss = losses.total_loss(outputs)
    found = {view: outputs[view] for view in ("ground", "satellite")}
    found["loss"] = loss
    return {k: keras.ops.convert_to_numpy(v) for k, v in found.items()}


def main(argv: list[str]) -> None:
    """Writes what this backend computes in float32."""
    del argv
    output = flags.FLAGS.output
    found: dict[str, Any] = descriptors_and_loss("float32", flags.FLAGS.width)
    np.savez(output, **found)


if __name__ == "__main__":
    flags.DEFINE_string("output", None, "an .npz file", required=True)
    flags.DEFINE_float("width", 1.0, "width_multiplier", lower_bound=0.01)
    app.run(main)
