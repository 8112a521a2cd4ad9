"""The memory of encoding a gallery: as predicted, and as measured.

    python -m benchmarks.batch_memory [--model=export] [--batch_sizes=1,8]

`experiments.index` sizes its batches by a formula (`batch_size.py`). Here
aerial images of 750 x 750 pixels are encoded in batches by a process of its
own, and the most memory that it held (VmHWM) is printed beside what the
formula says: never less than is taken, and at most 25 % more. Without
--model these are the paper's network and the demo's, with random weights.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from absl import app, flags

from mgtl_tf.export.model_folder import read_details
from mgtl_tf.retrieval.encoder import Encoder
from mgtl_tf.retrieval.galleries.batch_size import (
    automatic_batch_size,
    image_bytes,
)
from mgtl_tf.utils.processes import resident_bytes

_MODEL = flags.DEFINE_string(
    "model", None, "folder that experiments.export wrote"
)
_SIZES = flags.DEFINE_list(
    "batch_sizes", None, "images at a time; default: a few by the model's size"
)

SIZES = {"cvusa": (1, 2, 4, 8, 16), "procedural": (1, 8, 32, 128)}
GOAL = 1.25
_SIDE = 750
# TensorFlow's libraries, the graph, one image's preparation.
_FIXED_BYTES = 900e6


def export(preset: str, folder: Path) -> None:
    """A preset's network with random weights, exported."""
    from mgtl_tf.export.saved_model import export_model
    from mgtl_tf.models import build_model
    from mgtl_tf.presets import load_preset

    config = load_preset(preset)
    export_model(build_model(config.model, "float32"), config, folder)


def peaks(folder: Path, sizes: list[int]) -> list[int]:
    """The most bytes held so far, after two batches of each size.

    Args:
        folder: of the model.
        sizes: ascending.
    """
    encoder = Encoder(folder)
    noise = np.random.default_rng(0).integers(0, 255, (_SIDE, _SIDE, 3))
    smooth = cv2.GaussianBlur(noise.astype(np.uint8), (0, 0), 3)
    image = encoder.satellite_input(smooth)
    found = []
    for size in sizes:
        for _ in range(2):
            encoder.encode_satellite([image] * size)
        found.append(resident_bytes("VmHWM"))
    return found


def alone(function, *arguments):
    """Its result, found by a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        return pool.submit(function, *arguments).result()


def lines(name: str, folder: Path, sizes: list[int]) -> Iterator[str]:
    """The comparison of one model, a line a batch size."""
    details = read_details(folder)
    files = (folder / "variables").glob("variables.data-*")
    weights = sum(path.stat().st_size for path in files)
    yield (
        f"{name}: weights of {weights / 1e6:,.0f} MB; batches of"
        f" {automatic_batch_size(details)} on this machine"
    )
    for size, peak in zip(sizes, alone(peaks, folder, sizes), strict=True):
        predicted = _FIXED_BYTES + weights + size * image_bytes(details)
        within = "" if 1 <= predicted / peak <= GOAL else "  OUT OF BOUNDS"
        yield (
            f"  {size:>4} images: predicted {predicted / 1e6:>6,.0f} MB,"
            f" measured {peak / 1e6:>6,.0f} MB, ratio"
            f" {predicted / peak:.2f}{within}"
        )


def models(folder: Path) -> Iterator[tuple[str, Path, list[int]]]:
    """Name, folder and batch sizes of each that is measured."""
    sizes = sorted(map(int, _SIZES.value or []))
    if _MODEL.value:
        yield _MODEL.value, Path(_MODEL.value), sizes or [1, 4, 16]
        return
    for preset, usual in SIZES.items():
        alone(export, preset, folder / preset)
        yield preset, folder / preset, sizes or list(usual)


def main(argv: list[str]) -> None:
    """Prints a block a model."""
    del argv
    with tempfile.TemporaryDirectory() as folder:
        for model in models(Path(folder)):
            for line in lines(*model):
                print(line, flush=True)


if __name__ == "__main__":
    app.run(main)
