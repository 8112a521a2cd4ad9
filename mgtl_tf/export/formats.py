"""The formats beside the SavedModel: written, run, compared, or refused."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from mgtl_tf.config import RunConfig
from mgtl_tf.export.agreement import (
    BOUND,
    Batches,
    descriptors,
    largest_difference,
)
from mgtl_tf.export.onnx_files import open_onnx, write_onnx
from mgtl_tf.export.pixel_encoders import pixel_encoders
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


def require_formats(formats: Sequence[str]) -> None:
    """Refuses, before any work, what cannot be written here.

    Raises:
        UserError: for an unknown name, or a library that is not installed.
    """
    for name in formats:
        if name != SAVED_MODEL and name not in FORMATS:
            raise UserError(
                f"--formats={name}: unknown; choose of"
                f" {', '.join([SAVED_MODEL, *FORMATS])}"
            )
        if name == SAVED_MODEL:
            continue
        for library in FORMATS[name].libraries:
            if importlib.util.find_spec(library) is None:
                raise UserError(
                    f"--formats={name} needs {library}:"
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
        run_config: its image size and crop.
        folder: holds the SavedModel.
        batches: what all are asked about.
        metadata: text to keep in the files, by name.

    Returns:
        What model.json says of each: files by signature, the bound, the
        largest difference seen, how many images were compared.

    Raises:
        UserError: where one does not convert, run, or agree.
    """
    if not names:
        return {}
    encoders = pixel_encoders(model, run_config)
    wanted = descriptors(folder, batches)
    images = {view: sum(map(len, b)) for view, b in batches.items()}
    written = {}
    for name in names:
        with _one_line(name):
            files = FORMATS[name].write(model, encoders, folder, metadata)
            opened = {
                encoder: FORMATS[name].open(folder / file, encoder)
                for encoder, file in files.items()
            }
            difference = largest_difference(opened, batches, wanted)
        written[name] = {
            "files": files,
            "bound": BOUND,
            "largest_difference": _within_bound(name, difference),
            "images": images,
        }
    return written


@contextmanager
def _one_line(name: str) -> Iterator[None]:
    """A converter's or runtime's failure as an error that a user can read."""
    try:
        yield
    except OSError:
        raise
    # They tell failures by many types, bare ones too.
    except Exception as error:
        line = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"--formats={name}: this model does not convert ({line[:300]});"
            f" leave {name} out"
        ) from error


def _within_bound(name: str, difference: float) -> float:
    """The difference in three digits, never less than it is."""
    # Written so that what is no number fails as well.
    if not difference <= BOUND:
        raise UserError(
            f"--formats={name}: its descriptors differ from the SavedModel's"
            f" by {difference:.1e}, more than {BOUND:.0e}; leave {name} out"
        )
    if difference == 0:
        return 0.0
    digit = 10.0 ** (math.floor(math.log10(difference)) - 2)
    return float(f"{math.ceil(difference / digit) * digit:.3g}")
