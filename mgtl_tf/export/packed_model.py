"""A whole model as one small file.

Matrices and kernels are stored in float16, everything else in float32, and
what two branches share is stored once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mgtl_tf.config import RunConfig
from mgtl_tf.models import build_model
from mgtl_tf.utils.array_files import read_archive
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import parse_json
from mgtl_tf.utils.plain_files import UnfitFileError, first_line

_DESCRIPTION = "description"
# Of the data config: how panoramas are cropped, how large an aerial image is,
# whether headings were trained for.
_USED = ("dataset", "ground_crop", "roll_and_mirror", "orientation_noise")
_FORMAT = 1


@dataclasses.dataclass(frozen=True)
class _Description:
    weights: list[str]  # of every weight of the network, its array
    config: dict[str, dict[str, Any]]


def write_packed(
    model: keras.Model, run_config: RunConfig, path: Path | str
) -> None:
    """Writes all weights and the config as one .npz file.

    Args:
        model: of `build_model(run_config.model)`.
        run_config: stored with it.
        path: of the file, replaced if there.

    Raises:
        UserError: where it cannot be written.
    """
    arrays: dict[str, np.ndarray] = {}
    names = []
    for weight in model.weights:
        array = keras.ops.convert_to_numpy(weight).astype(np.float32)
        if array.ndim > 1:
            array = array.astype(np.float16)
        name = hashlib.sha256(array.tobytes()).hexdigest()[:16]
        arrays[name] = array
        names.append(name)
    # What is read of a model in use, and no paths of the training machine.
    data = {name: getattr(run_config.data, name) for name in _USED}
    used = RunConfig(model=run_config.model).replace(**data)
    content = {
        "format": _FORMAT,
        "weights": names,
        "config": dataclasses.asdict(used),
    }
    text = json.dumps(content, sort_keys=True).encode()
    arrays[_DESCRIPTION] = np.frombuffer(text, np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    atomic_write(path, buffer.getvalue())


def read_packed(path: Path | str) -> tuple[keras.Model, RunConfig]:
    """The model of a file of `write_packed`, and its config.

    Raises:
        UserError: where it is no such file, or damaged.
    """
    try:
        arrays = read_archive(path, lambda _: True)
        text = arrays.pop(_DESCRIPTION, np.zeros(0, np.uint8)).tobytes()
        content = parse_json(text, _Description, version=_FORMAT)
        config = RunConfig.of_parts(content.config, str(path))
        model = build_model(config.model, "float32")
        count = len(model.weights)
        if len(content.weights) != count:
            raise UnfitFileError(
                f"holds {len(content.weights)} weights, its network has {count}"
            )
        for weight, name in zip(model.weights, content.weights, strict=True):
            _assign(weight, arrays.get(name, np.zeros(0)))
    except (UnfitFileError, OSError) as error:
        raise UserError(
            f"{path}: {first_line(error)}; give a file that"
            " experiments.export --packed wrote"
        ) from error
    return model, config


def _assign(weight: keras.Variable, array: np.ndarray) -> None:
    if array.shape != tuple(weight.shape):
        raise UnfitFileError(
            f"{weight.path} is {list(array.shape)}, its network has"
            f" {list(weight.shape)}"
        )
    if not np.isfinite(array).all():
        raise UnfitFileError(f"{weight.path} is not finite")
    weight.assign(array.astype(np.float32))
