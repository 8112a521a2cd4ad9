"""What a model costs: parameters, multiply-adds, time and memory.

A multiply-add is one product added to a sum, in convolutions and matrix
products, those of attention included. Normalisations, activations, biases and
softmax are not counted, as in the literature.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mgtl_tf.config import ModelConfig
from mgtl_tf.models import build_model
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json
from mgtl_tf.utils.memory import resident_bytes

_FLOAT32 = 4
# Operations that would multiply without being counted below.
_UNCOUNTED = ("Conv", "MatMul", "Einsum", "PartitionedCall", "While")


@dataclass(frozen=True)
class Cost:
    """Of a model as its config describes it.

    Attributes:
        parameters: trainable, of both views together; what only training
            needs, as a discriminator, is left out.
        parts: the model's parts, or outermost layers, to their parameters.
        multiply_adds: of a pair: one panorama and one aerial image.
        descriptor_bytes: of one descriptor, float32.
        one_seconds: median time of one panorama's descriptor.
        batch_seconds: median time of a batch of panoramas.
        batch: panoramas in that batch.
        peak_bytes: most memory the process held, TensorFlow included; None
            where the system does not say.
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

    Memory is the whole process's: see `stored_cost`.

    Args:
        config: of the model.
        batch: panoramas of the timed batch.
        repeats: of each timing; the median counts.

    Raises:
        UserError: for an operation whose multiply-adds cannot be counted.
    """
    model = build_model(config)
    size = config.view_size("ground")
    one = _median_seconds(model, size, 1, repeats)
    many = _median_seconds(model, size, batch, repeats)
    outputs = model.compute_output_shape(config.input_shapes)
    parts = _parts(model)
    encoders = (
        (model.encode_ground, size),
        (model.encode_satellite, config.view_size("satellite")),
    )
    return Cost(
        parameters=sum(parts.values()),
        parts=parts,
        multiply_adds=sum(multiply_adds(*e) for e in encoders),
        descriptor_bytes=_FLOAT32 * outputs["ground"][1],
        one_seconds=one,
        batch_seconds=many,
        batch=batch,
        peak_bytes=_peak(),
    )


def stored_cost(config: ModelConfig, folder: Path) -> dict[str, Any]:
    """`complexity_of` a config in a process of its own, as plain data.

    Args:
        config: of the model.
        folder: keeps the answer for the next time.

    Raises:
        UserError: as `complexity_of`, or where the process was killed.
    """
    fields = json.dumps(config.identity(), sort_keys=True)
    name = hashlib.sha256(fields.encode()).hexdigest()[:12]
    path = folder / f"{config.system}-{name}.json"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        spawn = multiprocessing.get_context("spawn")
        try:
            with ProcessPoolExecutor(1, mp_context=spawn) as pool:
                cost = pool.submit(complexity_of, config).result()
        except BrokenProcessPool as error:
            raise UserError(
                f"{config.system}: its cost was not measured: the process that"
                " measures it was killed, perhaps for lack of memory"
            ) from error
        atomic_write(path, json.dumps(dataclasses.asdict(cost), indent=1))
    return read_json(path, dict[str, Any], "remove it")


def multiply_adds(
    encode: Callable[[Any], Any], image_size: tuple[int, int]
) -> int:
    """Multiply-adds of one image through an encoder, by its traced graph.

    Args:
        encode: [B, H, W, 3] to [B, D].
        image_size: H, W.

    Raises:
        UserError: for an operation whose multiply-adds cannot be counted.
    """
    image = tf.TensorSpec((1, *image_size, 3), tf.float32)
    function = tf.function(encode, autograph=False, jit_compile=False)
    graph = function.get_concrete_function(image).graph
    return sum(map(_products, graph.get_operations()))


def _products(operation: tf.Operation) -> int:
    kind, shapes = operation.type, [tuple(t.shape) for t in operation.inputs]
    if kind == "Einsum":
        return _einsum_products(operation, shapes)
    # Each number of the output is a sum of so many products.
    if kind == "Conv2D":
        terms = math.prod(shapes[1][:-1])
    elif kind == "DepthwiseConv2dNative":
        terms = math.prod(shapes[1][:2])
    elif kind == "Conv2DBackpropInput":  # a transposed convolution
        # Each number of the input meets the kernel's of its channel.
        return math.prod(shapes[1][:-1]) * math.prod(shapes[2])
    elif kind == "MatMul":
        terms = shapes[0][0 if operation.get_attr("transpose_a") else 1]
    elif kind == "BatchMatMulV2":
        terms = shapes[0][-2 if operation.get_attr("adj_x") else -1]
    elif any(name in kind for name in _UNCOUNTED):
        raise UserError(
            f"{operation.name}: there is no rule that counts the"
            f" multiply-adds of {kind}"
        )
    else:
        return 0
    return terms * operation.outputs[0].shape.num_elements()


def _einsum_products(operation: tf.Operation, shapes: list[tuple]) -> int:
    """All index values that the equation runs over."""
    equation = operation.get_attr("equation").decode()
    sizes: dict[str, int] = {}
    inputs = equation.split("->")[0].split(",")
    for labels, shape in zip(inputs, shapes, strict=True):
        sizes.update(zip(labels, shape, strict=True))
    return math.prod(sizes.values())


def _size(layer: keras.layers.Layer) -> int:
    return sum(math.prod(v.shape) for v in layer.trainable_variables)


def _parts(model: keras.Model) -> dict[str, int]:
    """Parameters by the model's own `parts`, or by its outermost layers."""
    layers = getattr(model, "parts", None) or {
        layer.name: [layer] for layer in model.layers
    }
    sizes = {name: sum(map(_size, group)) for name, group in layers.items()}
    return {name: size for name, size in sizes.items() if size}


def _median_seconds(
    model: keras.Model, image_size: tuple[int, int], count: int, repeats: int
) -> float:
    encode = tf.function(model.encode_ground, autograph=False)
    random = np.random.default_rng(0)
    pixels = random.uniform(0, 255, (count, *image_size, 3))
    images = tf.constant(pixels, tf.float32)
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
