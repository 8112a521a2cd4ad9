"""The formats beside the SavedModel: written, run, compared, or refused."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf

from mgtl_tf.config import InputForm, RunConfig
from mgtl_tf.datasets.panorama_shape import sphere_crop
from mgtl_tf.datasets.preprocess_graph import ground_images, satellite_images
from mgtl_tf.export.expected_answers import Batches, ExpectedAnswers, Opened
from mgtl_tf.export.model_folder import OFFSETS
from mgtl_tf.export.offset_signature import offset_predictor
from mgtl_tf.export.onnx_file import open_onnx, write_onnx
from mgtl_tf.export.tflite_file import open_tflite, write_tflite
from mgtl_tf.utils.errors import UserError


@dataclass(frozen=True)
class Format:
    """How a format is written and opened, and the libraries that do it."""

    write: Callable[..., dict[str, str]]
    open: Callable[..., Callable]
    libraries: tuple[str, ...]


SAVED_MODEL = "savedmodel"
"""Always written: the others are compared with it."""

FORMATS = {
    "onnx": Format(write_onnx, open_onnx, ("onnx", "onnxruntime", "tf2onnx")),
    "tflite": Format(write_tflite, open_tflite, ("ai_edge_litert",)),
}

BOUND = 1e-4
"""Largest difference allowed: the Euclidean distance of two descriptors of
one image, as a share of their length. A similarity of unit vectors then moves
by 1e-4 at most, on the same image by 5e-9. A predicted point may differ by as
much of the aerial image's side."""


def require_formats(formats: Sequence[str]) -> None:
    """Refuses, before any work, what cannot be written here.

    Raises:
        UserError: for an unknown name, or a library that is not installed.
    """
    for name in formats:
        if name == SAVED_MODEL:
            continue
        if name not in FORMATS:
            known = ", ".join([SAVED_MODEL, *FORMATS])
            raise UserError(f"formats={name}: unknown; choose of {known}")
        for library in FORMATS[name].libraries:
            if importlib.util.find_spec(library) is None:
                raise UserError(
                    f"formats={name} needs {library}:"
                    f" pip install -e '.[{name}]'"
                )


def write_formats(
    names: Sequence[str],
    model: keras.Model,
    run_config: RunConfig,
    folder: Path,
    batches: Batches,
    metadata: dict[str, str],
) -> dict[str, Any]:
    """Writes formats beside the SavedModel and compares their answers.

    Args:
        names: of FORMATS.
        model: in float32; the one that the SavedModel was made of.
        run_config: its image sizes, form and crop.
        folder: holds the SavedModel.
        batches: images on which all are compared.
        metadata: text to keep in the files, by name.

    Returns:
        What model.json says of each: files by signature, the bound, the
        largest difference seen, how many images were compared; with an offset
        head, its signature, and the largest difference of its points.

    Raises:
        UserError: where one does not convert, run, or agree.
    """
    if not names:
        return {}
    has_offsets = run_config.model.offset_head
    signatures = pixel_encoders(model, run_config)
    if has_offsets:
        form = run_config.model.input_form
        signatures[OFFSETS] = offset_predictor(model, form)
    expected = ExpectedAnswers.of(folder, batches, has_offsets)
    written = {}
    for name in names:
        with _one_line(name):
            files = FORMATS[name].write(model, signatures, folder, metadata)
            opened = {
                signature: FORMATS[name].open(folder / file, signature)
                for signature, file in files.items()
            }
            differences = _differences(name, opened, expected)
        written[name] = {
            "files": files,
            "bound": BOUND,
            **differences,
            "images": {view: sum(map(len, b)) for view, b in batches.items()},
        }
    return written


def _differences(
    name: str, opened: Opened, expected: ExpectedAnswers
) -> dict[str, float]:
    """How far a format is off, which must be near.

    Raises:
        UserError: where it is not.
    """
    off = expected.descriptor_difference(opened)
    _require_near(name, "descriptors", off)
    found = {"largest_difference": off}
    if expected.points:
        off = expected.offset_difference(opened)
        _require_near(name, "points", off)
        found["largest_offset_difference"] = off
    return found


def _require_near(name: str, what: str, difference: float) -> None:
    """Refuses a format whose answers differ by more than BOUND."""
    # Written so that NaN fails as well.
    if not difference <= BOUND:
        raise UserError(
            f"formats={name}: its {what} differ from the SavedModel's by"
            f" {difference:.1e}, more than {BOUND:.0e}; leave {name} out"
        )


def pixel_encoders(
    model: keras.Model, run_config: RunConfig
) -> dict[str, Callable]:
    """The SavedModel's two signatures, less the decoding of files.

    Args:
        model: of `build_model(run_config.model)`, in float32.
        run_config: its image sizes, crop and the form of aerial images become
            part of the graph.

    Returns:
        `encode_ground` and `encode_satellite`: tf.functions from `image`,
        RGB uint8 [B, h, w, 3] of any size, to {"descriptor": float32 [B, D]}.
        Crop, change of size and polar transform are inside.
    """
    form, crop = run_config.model.input_form, run_config.data.ground_crop
    size, aerial = form.size("ground"), form.size("satellite")
    sphere = sphere_crop(size, crop, run_config.data.dataset)
    pixels = tf.TensorSpec([None, None, None, 3], tf.uint8, "image")

    def traced(encode: Callable) -> Callable:
        @tf.function(input_signature=[pixels], autograph=False)
        def encoder(image):
            return {"descriptor": tf.cast(encode(image), tf.float32)}

        return encoder

    return {
        "encode_ground": traced(
            lambda image: model.encode_ground(
                ground_images(image, size, crop, form.ground_form, sphere)
            )
        ),
        "encode_satellite": traced(
            lambda image: model.encode_satellite(
                satellite_images(image, aerial, form.satellite_form)
            )
        ),
    }


def random_images(form: InputForm) -> Batches:
    """Images for comparing formats: noise, with large shapes in the first.

    As large as the network's input, larger, smaller, odd, and a full sphere;
    one image and several.

    Args:
        form: of the network's inputs.
    """
    height, width = form.size("ground")
    grounds = [
        (1, height, width),
        (2, 2 * height + 1, 2 * width + 3),
        (1, height // 2 + 1, width // 2 + 1),
        (1, height + 1, width // 2 + 1),
        (1, width // 2, width),
    ]
    low, wide = form.size("satellite")
    sides = [(1, low), (2, 2 * low + 1), (1, wide)]
    random = np.random.default_rng(0)
    return {
        "encode_ground": [_noise(random, *shape) for shape in grounds],
        "encode_satellite": [_noise(random, n, s, s) for n, s in sides],
    }


def _noise(
    random: np.random.Generator, count: int, height: int, width: int
) -> np.ndarray:
    images = random.integers(0, 256, (count, height, width, 3), np.uint8)
    coarse = random.integers(0, 256, (3, 7, 3), np.uint8)
    shapes = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    images[0] = shapes // 8 * 7 + images[0] // 8
    return images


@contextmanager
def _one_line(name: str) -> Iterator[None]:
    """A converter's or runtime's failure as an error that a user can read."""
    try:
        yield
    except (OSError, UserError):
        raise
    # Converters raise many types, bare ones too.
    except Exception as error:
        line = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"formats={name}: this model does not convert ({line[:300]});"
            f" leave {name} out"
        ) from error
