"""The memory of encoding a gallery: as predicted, and as measured.

    python -m benchmarks.batch_memory [--model=export] [--batch_sizes=1,8]

`experiments.index` sizes its batches by a formula (`batch_size.py`). Here
aerial images of 750 x 750 pixels are encoded in batches by a process of its
own, and the most memory that it held (VmHWM) is printed beside what the
formula says: never less than is taken, and at most 25 % more. Without
--model these are the paper's network and the demo's, with random weights.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from absl import app, flags

from benchmarks.yardstick import in_new_process
from mgtl_tf.export.model_folder import read_details
from mgtl_tf.galleries.batch_size import (
    automatic_batch_size,
    image_bytes,
)
from mgtl_tf.galleries.encoder import Encoder
from mgtl_tf.utils.memory import resident_bytes

_MODEL = flags.DEFINE_string(
    "model", None, "folder that experiments.export wrote"
)
_SIZES = flags.DEFINE_list(
    "batch_sizes", None, "images at a time; default: a few by the model's size"
)

SIZES = {"cvusa": (1, 2, 4, 8, 16), "procedural": (1, 8, 32, 128)}
GOAL = 1.25
SIDE = 750
# TensorFlow's libraries, the graph, one image's preparation.
FIXED_BYTES = 900e6


def export(preset: str, folder: Path) -> None:
    """A preset's network with random weights, exported."""
    from mgtl_tf.export.saved_model import export_model
    from mgtl_tf.models import build_model
    from mgtl_tf.presets import load_preset

    config = load_preset(preset)
    export_model(build_model(config.model, "float32"), config, folder)


def peaks(folder: Path, sizes: list[int]) -> list[int]:
    """The most bytes held so far, after two batches of each ascending size."""
    encoder = Encoder(folder)
    noise = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    image = encoder.satellite_input(noise)
    found = []
    for size in sizes:
        for _ in range(2):
            encoder.encode_satellite([image] * size)
        found.append(resident_bytes("VmHWM"))
    return found


def compare(name: str, folder: Path, sizes: list[int]) -> None:
    """Prints the comparison of one model, a line a batch size."""
    details = read_details(folder)
    files = (folder / "variables").glob("variables.data-*")
    weights = sum(path.stat().st_size for path in files)
    print(
        f"{name}: weights of {weights / 1e6:,.0f} MB; batches of"
        f" {automatic_batch_size(details)} on this machine"
    )
    measured = in_new_process(peaks, folder, sizes)
    for size, peak in zip(sizes, measured, strict=True):
        predicted = FIXED_BYTES + weights + size * image_bytes(details)
        within = "" if 1 <= predicted / peak <= GOAL else "  OUT OF BOUNDS"
        print(
            f"  {size:>4} images: predicted {predicted / 1e6:>6,.0f} MB,"
            f" measured {peak / 1e6:>6,.0f} MB, ratio"
            f" {predicted / peak:.2f}{within}",
            flush=True,
        )


def main(argv: list[str]) -> None:
    """Prints a block a model."""
    del argv
    sizes = sorted(map(int, _SIZES.value or []))
    if _MODEL.value:
        compare(_MODEL.value, Path(_MODEL.value), sizes or [1, 4, 16])
        return
    with tempfile.TemporaryDirectory() as temporary:
        for preset, usual in SIZES.items():
            folder = Path(temporary) / preset
            in_new_process(export, preset, folder)
            compare(preset, folder, sizes or list(usual))


if __name__ == "__main__":
    app.run(main)
