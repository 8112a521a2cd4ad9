"""The same count by TensorFlow's own profiler, from the traced graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# What the walk counts as well; the profiler's further operations (biases,
# activations) are not multiply-adds.
_COUNTED = ("Conv2D", "MatMul", "BatchMatMul")


def profiled_multiply_adds(
    encode: Callable[[Any], Any], image_size: tuple[int, ...]
) -> int:
    """Half the floating-point operations of one image's products.

    Args:
        encode: [B, H, W, 3] to [B, D].
        image_size: H, W.
    """
    image = tf.TensorSpec((1, *image_size, 3), tf.float32)
    # A function's inner functions hide their operations from the profiler.
    graph = tf.Graph()
    with graph.as_default():
        traced = tf.function(encode, jit_compile=False, autograph=False)
        inner = traced.get_concrete_function(image).graph
    v1 = tf.compat.v1.profiler
    options = v1.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    options["verbose"] = 0
    found = v1.profile(inner, cmd="op", options=options)
    return _sum(found) // 2


def _sum(node: Any) -> int:
    """Over a profile: a node's total holds those of its children."""
    own = node.total_float_ops - sum(c.total_float_ops for c in node.children)
    counted = own if node.name.startswith(_COUNTED) else 0
    return counted + sum(_sum(child) for child in node.children)
