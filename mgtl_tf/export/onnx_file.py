"""ONNX: a file for each view, for ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.utils.plain_path import plain_path

_OPSET = 18
# What a reader of the file sees for the sizes that are free.
_AXES = {
    "encode_ground": ("batch", "height", "width"),
    "encode_satellite": ("batch", "side", "side"),
}


def write_onnx(
    model: object,
    encoders: dict[str, Any],
    folder: Path,
    metadata: dict[str, str],
) -> dict[str, str]:
    """Writes NAME.onnx for each encoder.

    tf2onnx directly, since Keras' `model.export(format="onnx")` knows no
    way to convert the operation that GELU is made of since TensorFlow 2.21.

    Args:
        model: unused: its weights are in the encoders.
        encoders: of `pixel_encoders`.
        folder: where.
        metadata: text to keep in the files, by name.

    Returns:
        The files' names, by the encoders'.
    """
    import tf2onnx

    del model
    files = {}
    for name, encode in encoders.items():
        proto, _ = tf2onnx.convert.from_function(
            encode,
            input_signature=encode.input_signature,
            opset=_OPSET,
            custom_op_handlers={"Erfc": (_one_less_erf, [])},
        )
        _describe(proto, _AXES[name], metadata)
        files[name] = f"{name}.onnx"
        (folder / files[name]).write_bytes(proto.SerializeToString())
    return files


def open_onnx(path: Path, name: str) -> Callable[[np.ndarray], np.ndarray]:
    """A file's encoder, run by ONNX Runtime on the processor.

    Args:
        path: what `write_onnx` wrote.
        name: of the encoder; each has a file of its own.

    Returns:
        From RGB uint8 [B, h, w, 3] to descriptors, float32 [B, D].
    """
    import onnxruntime

    del name
    with plain_path(path) as plain:
        session = onnxruntime.InferenceSession(
            str(plain), providers=["CPUExecutionProvider"]
        )
    return lambda pixels: session.run(["descriptor"], {"image": pixels})[0]


def _one_less_erf(context: Any, node: Any, name: str, _: Any) -> None:
    """Erfc, which ONNX lacks, as 1 - Erf."""
    result, (value,) = node.output[0], node.input
    kind = {
        "shapes": [context.get_shape(result)],
        "dtypes": [context.get_dtype(result)],
    }
    context.remove_node(name)
    one = context.make_const(f"{name}/one", np.array(1, np.float32))
    erf = context.make_node("Erf", [value], **kind)
    context.make_node(
        "Sub", [one.output[0], erf.output[0]], outputs=[result], **kind
    )


def _describe(
    proto: Any, axes: tuple[str, ...], metadata: dict[str, str]
) -> None:
    """Names the free sizes, and adds the metadata."""
    import onnx

    onnx.helper.set_model_props(proto, metadata)
    for value, names in (
        (proto.graph.input[0], axes),
        (proto.graph.output[0], axes[:1]),
    ):
        sizes = value.type.tensor_type.shape.dim
        for size, axis in zip(sizes, names, strict=False):
            size.dim_param = axis
