"""What a model costs: parameters, multiply-adds, time and memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mgtl_tf.config import ModelConfig
from mgtl_tf.evaluation.complexity.walk import multiply_adds
from mgtl_tf.models import build_model
from mgtl_tf.utils.processes import resident_bytes

_FLOAT32 = 4


@dataclass(frozen=True)
class Cost:
    """Of a model as its config describes it.

    Attributes:
        parameters: trainable, of both views together.
        parts: outermost layer or group of layers to its parameters.
        multiply_adds: of a pair: one panorama and one aerial image.
        descriptor_bytes: of one descriptor, float32.
        one_seconds: median time of one panorama's descriptor.
        batch_seconds: median time of a batch of panoramas.
        batch: panoramas in that batch.
        peak_bytes: most memory the process held, TensorFlow included; None
            where the system does not tell.
    """

    parameters: int
    parts: dict[str, int]
    multiply_adds: int
    descriptor_bytes: int
    one_seconds: float
    batch_seconds: float
    batch: int
    peak_bytes: int | None

    def text(self) -> str:
        """Lines for a screen."""
        peak = self.peak_bytes
        lines = [
            ("parameters", f"{self.parameters:,}"),
            *((f"  {name}", f"{n:,}") for name, n in self.parts.items()),
            ("multiply-adds of a pair", f"{self.multiply_adds:,}"),
            ("descriptor", f"{self.descriptor_bytes:,} bytes"),
            ("one panorama", f"{1e3 * self.one_seconds:.1f} ms"),
            (
                f"batch of {self.batch}",
                f"{1e3 * self.batch_seconds / self.batch:.1f} ms a panorama",
            ),
            ("peak memory", f"{peak / 1e6:,.0f} MB" if peak else "unknown"),
        ]
        width = max(len(name) for name, _ in lines)
        return "\n".join(f"{n.ljust(width)}  {v}" for n, v in lines)


def complexity_of(
    config: ModelConfig, batch: int = 16, repeats: int = 5
) -> Cost:
    """Builds a model, counts it and times its panorama's encoder.

    Memory is the whole process's: call it in a fresh one (`fresh_cost`).

    Args:
        config: of the model.
        batch: panoramas of the timed batch.
        repeats: of each timing; the median counts.

    Raises:
        UserError: for a layer without a rule.
    """
    model = build_model(config)
    one = _median_seconds(model, config, 1, repeats)
    many = _median_seconds(model, config, batch, repeats)
    descriptor = model.encode_ground(_images(config, 1))
    return Cost(
        parameters=_size(model.trainable_variables),
        parts=_parts(model),
        multiply_adds=_pair_multiply_adds(model, config),
        descriptor_bytes=_FLOAT32 * int(descriptor.shape[1]),
        one_seconds=one,
        batch_seconds=many,
        batch=batch,
        peak_bytes=_peak(),
    )


def _pair_multiply_adds(model: keras.Model, config: ModelConfig) -> int:
    encoders = (model.encode_ground, model.encode_satellite)
    counted = (multiply_adds(model, e, config.image_size) for e in encoders)
    return sum(sum(of_layers.values()) for of_layers in counted)


def _size(variables: Any) -> int:
    return sum(int(np.prod(v.shape)) for v in variables)


def _parts(model: keras.Model) -> dict[str, int]:
    """Parameters by the model's own `parts`, or by its outermost layers."""
    layers = getattr(model, "parts", None) or {
        layer.name: [layer] for layer in model.layers
    }
    sizes = {
        name: sum(_size(layer.trainable_variables) for layer in group)
        for name, group in layers.items()
    }
    return {name: size for name, size in sizes.items() if size}


def _images(config: ModelConfig, count: int) -> np.ndarray:
    random = np.random.default_rng(0)
    shape = (count, *config.image_size, 3)
    return random.uniform(0, 255, shape).astype("float32")


def _median_seconds(
    model: keras.Model, config: ModelConfig, count: int, repeats: int
) -> float:
    encode: Callable[[Any], Any] = tf.function(
        model.encode_ground, autograph=False
    )
    images = tf.constant(_images(config, count))
    encode(images)  # traced, and the kernels chosen
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        encode(images).numpy()
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))


def _peak() -> int | None:
    try:
        return resident_bytes("VmHWM")
    except (OSError, StopIteration):
        return None
