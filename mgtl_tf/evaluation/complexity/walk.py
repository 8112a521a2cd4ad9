"""Multiply-adds of an encoder, counted from the shapes that pass it.

A multiply-add is one product added to a sum, in convolutions, matrix
products and attention. Normalisations, activations, biases and softmax are
not counted, as in the literature.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from mgtl_tf.utils.errors import UserError

Shape = tuple[int, ...]

_NOTHING = (
    keras.layers.LayerNormalization,
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
)
_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D)


def multiply_adds(
    model: keras.Model, encode: Callable[[Any], Any], image_size: Shape
) -> dict[str, int]:
    """Multiply-adds of one image through an encoder, by layer.

    Args:
        model: whose layers are counted.
        encode: of the model, [B, H, W, 3] to [B, D].
        image_size: H, W.

    Returns:
        layer path to multiply-adds; layers that take none are left out.

    Raises:
        UserError: for a layer that has weights of its own and no rule here;
            it declares `own_multiply_adds(*input_shapes)` then.
    """
    image = tf.TensorSpec((1, *image_size, 3), tf.float32)
    with _recorded(model) as calls:
        # Traced, not run: shapes are all that is asked for.
        tf.function(encode, autograph=False).get_concrete_function(image)
    found: dict[str, int] = {}
    for layer, shapes in calls:
        if count := _count(layer, shapes):
            found[layer.path] = found.get(layer.path, 0) + count
    return found


@contextmanager
def _recorded(
    model: keras.Model,
) -> Iterator[list[tuple[keras.layers.Layer, list[Shape]]]]:
    """Every call of a layer inside, with the shapes of its tensors."""
    calls: list[tuple[keras.layers.Layer, list[Shape]]] = []
    layers = [la for la in model._flatten_layers() if la is not model]

    def recording(layer: keras.layers.Layer, call: Callable) -> Callable:
        def recorded(*tensors: Any, **options: Any) -> Any:
            shapes = [tuple(t.shape) for t in tensors if hasattr(t, "shape")]
            calls.append((layer, shapes))
            return call(*tensors, **options)

        return recorded

    try:
        for layer in layers:
            # Past Keras' tracking of attributes; removed again below.
            object.__setattr__(layer, "call", recording(layer, layer.call))
        yield calls
    finally:
        for layer in layers:
            layer.__dict__.pop("call", None)


def _count(layer: keras.layers.Layer, shapes: list[Shape]) -> int:
    if hasattr(layer, "own_multiply_adds"):
        return int(layer.own_multiply_adds(*shapes))
    if isinstance(layer, _CONVOLUTIONS):
        places = layer.compute_output_shape(shapes[0])[1:-1]
        return math.prod(places) * math.prod(layer.kernel.shape)
    if isinstance(layer, keras.layers.Dense):
        return math.prod(shapes[0][1:-1]) * math.prod(layer.kernel.shape)
    if isinstance(layer, keras.layers.EinsumDense):
        return _einsum_dense(layer, shapes[0])
    if isinstance(layer, keras.layers.MultiHeadAttention):
        # Q K^T and the weighted sum of V, each over all heads.
        heads = layer.num_heads * layer.key_dim
        return 2 * shapes[0][1] * shapes[1][1] * heads
    own = [v for v in layer._trainable_variables if v is not None]
    if own and not isinstance(layer, _NOTHING):
        raise UserError(
            f"{layer.path} ({type(layer).__name__}): has weights and no rule"
            " that counts its multiply-adds; give it own_multiply_adds"
        )
    return 0


def _einsum_dense(layer: keras.layers.EinsumDense, shape: Shape) -> int:
    """The product of all sizes in its equation but the batch's."""
    inputs, kernel = layer.equation.split("->")[0].split(",")
    sizes = dict(zip(inputs, shape, strict=True))
    sizes.update(zip(kernel, layer.kernel.shape, strict=True))
    return math.prod(n for name, n in sizes.items() if name != inputs[0])
