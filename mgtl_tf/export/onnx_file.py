"""ONNX: a file for each signature, for ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.export.model_folder import OFFSETS
from mgtl_tf.utils.plain_path import plain_path

_OPSET = 18
# What a reader of the file sees for the sizes that are free.
_AXES = {
    "encode_ground": ("batch", "height", "width"),
    "encode_satellite": ("batch", "side", "side"),
    OFFSETS: ("batch",),
}


def write_onnx(
    model: object,
    signatures: dict[str, Any],
    folder: Path,
    metadata: dict[str, str],
) -> dict[str, str]:
    """Writes NAME.onnx for each signature.

    tf2onnx directly, since Keras' `model.export(format="onnx")` knows no
    way to convert the operation that GELU is made of since TensorFlow 2.21.

    Args:
        model: unused: its weights are in the signatures.
        signatures: of `pixel_encoders` and `offset_predictor`.
        folder: where.
        metadata: text to keep in the files, by name.

    Returns:
        The files' names, by the signatures'.
    """
    import tf2onnx

    del model
    files = {}
    for name, signature in signatures.items():
        proto, _ = tf2onnx.convert.from_function(
            signature,
            input_signature=signature.input_signature,
            opset=_OPSET,
            custom_op_handlers={"Erfc": (_one_less_erf, [])},
        )
        _describe(proto, _AXES[name], metadata)
        files[name] = f"{name}.onnx"
        (folder / files[name]).write_bytes(proto.SerializeToString())
    return files


def open_onnx(path: Path, name: str) -> Callable[..., dict[str, np.ndarray]]:
    """A file's signature, run by ONNX Runtime on the processor.

    Args:
        path: what `write_onnx` wrote.
        name: of the signature; each has a file of its own.

    Returns:
        From the signature's inputs to its outputs, by name.
    """
    import onnxruntime

    del name
    with plain_path(path) as plain:
        session = onnxruntime.InferenceSession(
            str(plain), providers=["CPUExecutionProvider"]
        )
    outputs = [output.name for output in session.get_outputs()]

    def run(**inputs: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(outputs, session.run(outputs, inputs), strict=True))

    return run


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
    named = [(value, axes) for value in proto.graph.input]
    named += [(value, axes[:1]) for value in proto.graph.output]
    for value, names in named:
        sizes = value.type.tensor_type.shape.dim
        for size, axis in zip(sizes, names, strict=False):
            size.dim_param = axis
