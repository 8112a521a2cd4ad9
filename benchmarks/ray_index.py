"""Indexing a map by Ray on this machine against indexing it without.

    python -m benchmarks.ray_index [--crops=20000] [--model=synthetic-to-real]

A synthetic GeoTIFF is cut into overlapping crops, which are embedded, by
whole commands, `experiments.index` with --runner=local and --runner=ray, in
turns: starting Ray, its actors and their models counts too. Galleries that
differ in any byte but for index.json's time end with status 1.
"""

from __future__ import annotations

import filecmp
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import rasterio
from absl import app, flags
from rasterio.transform import Affine

from benchmarks.yardstick import take_turns
from mgtl_tf.galleries.manifest import FILES
from polar.parallel import usable_cores

_CROPS = flags.DEFINE_integer("crops", 20_000, "crops of the map", 100)
_MODEL = flags.DEFINE_string("model", "synthetic-to-real", "exported model")
_ROUNDS = flags.DEFINE_integer("rounds", 1, "of both", 1)

GOAL = 0.9
CROP, STEP, PIXEL = 60.0, 10.0, 0.5  # metres
UTM = "EPSG:32632", 371_000.0, 5_200_000.0
TEXTURE = 4  # pixels from one random colour to the next


def write_map(path: Path, crops: int) -> None:
    """A square map of smooth random colours, of about so many crops."""
    side = int((CROP + STEP * math.sqrt(crops)) / PIXEL)
    noise = np.random.default_rng(0)
    shape = (side // TEXTURE, side // TEXTURE, 3)
    pixels = cv2.resize(noise.integers(0, 256, shape, "uint8"), (side, side))
    system, x, y = UTM
    form = {"driver": "GTiff", "dtype": "uint8", "count": 3, "tiled": True}
    place = Affine(PIXEL, 0, x, 0, -PIXEL, y)
    with rasterio.open(
        path, "w", crs=system, transform=place, width=side, height=side, **form
    ) as file:
        file.write(pixels.transpose(2, 0, 1))


def index(work: Path, runner: str) -> None:
    """The whole command, anew."""
    shutil.rmtree(work / runner, ignore_errors=True)
    flags_of_map = {
        "crop_metres": CROP,
        "step_metres": STEP,
        "metres_per_pixel": PIXEL,
        "model": _MODEL.value,
        "images": work / "map.tif",
        "output_dir": work / runner,
        "runner": runner,
    }
    words = [f"--{name}={value}" for name, value in flags_of_map.items()]
    command = [sys.executable, "-m", "experiments.index", *words]
    subprocess.run(command, check=True, capture_output=True)


def main(argv: list[str]) -> None:
    """Prints both rates and their ratio."""
    del argv
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        write_map(work / "map.tif", _CROPS.value)
        turns = take_turns(
            {r: lambda r=r: index(work, r) for r in ("local", "ray")},
            _ROUNDS.value,
        )
        count = len(np.load(work / "local/ids.npy", mmap_mode="r"))
        for runner, taken in turns.items():
            rates = ", ".join(f"{count / clock:.1f}" for clock, _ in taken)
            print(f"{runner}: {rates} crops a second, {usable_cores()} cores")
        # Ray's actors are no children whose processor time is known here.
        ratio = np.median(turns["local"][:, 0] / turns["ray"][:, 0])
        print(f"ray: {ratio:.2f} times as fast as local (goal {GOAL})")
        differing = [
            file
            for file in FILES
            if not filecmp.cmp(
                work / "local" / file, work / "ray" / file, False
            )
        ]
        print(f"{count:,} crops; files that differ: {differing or 'none'}")
        sys.exit(bool(differing))


if __name__ == "__main__":
    app.run(main)
