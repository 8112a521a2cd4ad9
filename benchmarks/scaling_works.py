"""What `benchmarks.scaling` measures, each work at a size that is given.

A work makes its inputs, does what is measured within `meter`, and may be
asked for any size again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.scaling_meter import Meter, Work
from benchmarks.yardstick import random_units, unit_rows
from mgtl_tf import metrics
from mgtl_tf.datasets.hard_negatives import mine_hard_negatives
from mgtl_tf.datasets.negatives import Places
from mgtl_tf.datasets.sources import VIEWS
from mgtl_tf.export.shipped import model_folder
from mgtl_tf.galleries.builder import build_index
from mgtl_tf.galleries.encoder import Encoder
from mgtl_tf.galleries.gallery import Index
from mgtl_tf.galleries.places import Place
from mgtl_tf.retrieval.ann import SearchEngine, build_engine
from mgtl_tf.utils.atomic_io import INDEX_JSON
from mgtl_tf.utils.memory import resident_bytes
from mgtl_tf.utils.ray_jobs import by_ray, connect_ray
from mgtl_tf.utils.tf_setup import load_tensorflow

SIZE = 512
"""D of made descriptors; in a search of millions a quarter of it."""
SEARCHED = 128
QUERIES, TOP_K, NEIGHBOURS = 16, 10, 32
MODEL, IMAGES, SIDE, TOGETHER = "synthetic-to-real", 64, 256, 4
STEPS = 3
_ROWS = 65_536


def evaluation(places: int, folder: Path, meter: Meter) -> None:
    """Recall of as many panoramas as places."""
    gallery, queries = _views(places)
    with meter:
        metrics.recall(queries, gallery, np.arange(places))


def mining(places: int, folder: Path, meter: Meter) -> None:
    """Hard negatives of every place, 25 m around it left out."""
    gallery, queries = _views(places)
    side = (400.0 * places) ** 0.5
    where = np.random.default_rng(3).uniform(0, side, (places, 2))
    near = Places(np.arange(places), where, 25.0)
    with meter:
        mine_hard_negatives(queries, gallery, near, NEIGHBOURS)


def search(places: int, folder: Path, meter: Meter) -> None:
    """One exact query, of 16 at once, among descriptors that are mapped."""
    path = folder / "descriptors.npy"
    rows = np.lib.format.open_memmap(path, "w+", "<f4", (places, SEARCHED))
    rng = np.random.default_rng(0)
    for start in range(0, places, _ROWS):
        part = rng.random((min(_ROWS, places - start), SEARCHED), np.float32)
        rows[start : start + _ROWS] = unit_rows(part - 0.5)
    rows.flush()
    del rows
    engine = SearchEngine(np.load(path, mmap_mode="r"))
    asked = random_units(QUERIES, SEARCHED, rng)
    meter.most = 0.0  # what making the file took
    with meter:
        engine.search(asked, TOP_K)
    meter.seconds /= QUERIES


def index(images: int, folder: Path, meter: Meter) -> None:
    """Building a gallery of images and a network that cost nothing."""
    with meter:
        build_index(
            _NoNetwork(), _NoImages(images), folder / "index", 128, False
        )


def training(batch: int, folder: Path, meter: Meter) -> None:
    """A step of the demo's network."""
    load_tensorflow()
    import keras

    from mgtl_tf.models import build_model
    from mgtl_tf.presets import load_preset
    from mgtl_tf.training.environment import resolve_dtype_policy
    from mgtl_tf.training.optimizers import make_optimizer
    from mgtl_tf.training.step import TrainStep

    keras.utils.set_random_seed(0)
    policy = resolve_dtype_policy("auto")
    config = load_preset("procedural", batch_size=batch, dtype_policy=policy)
    model = build_model(config.model, policy)
    optimizer = make_optimizer(config.train, model.trainable_variables)
    step = TrainStep(model, optimizer, config.train)
    noise = np.random.default_rng(0)
    form = config.model.input_form
    made: dict[str, Any] = {
        view: noise.integers(0, 256, (batch, *form.size(view), 3), np.uint8)
        for view in VIEWS
    }
    made["negatives"] = ~np.eye(batch, dtype=bool)
    float(step(made, 1e-5)["loss"])
    with meter:
        for _ in range(STEPS):
            float(step(made, 1e-5)["loss"])
    meter.seconds /= STEPS
    keras.backend.clear_session()


def milvus(places: int, folder: Path, meter: Meter) -> None:
    """Filling a collection of Milvus Lite, which is a process beside."""
    rows = random_units(places, SIZE, np.random.default_rng(0))
    (folder / INDEX_JSON).write_text("{}")
    gallery = Index(folder, [], rows, "0" * 64)
    uri = str(folder / "places.db")
    with meter:
        told = build_engine(gallery, "exact", "milvus", uri, progress=False)
    meter.seconds = places / told["places_per_second"]


def ray(workers: int, folder: Path, meter: Meter) -> None:
    """Images by the shipped model in Ray's actors, once these are there."""
    import ray as library

    quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False}
    # A worker is a core here: TensorFlow alone would take them all.
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    os.environ["MGTL_TF_LAZY"] = "1"
    library.init("local", num_cpus=workers, **quiet)
    connect_ray()
    describe = _Describe(model_folder(MODEL))
    held = {}
    # The first ones open the model.
    batches = [TOGETHER] * (IMAGES // TOGETHER + 2 * workers)
    found = by_ray(describe, batches)
    for _ in range(2 * workers):
        next(found)
    with meter:
        for process, memory in found:
            held[process] = memory
    library.shutdown()
    meter.most = float(sum(held.values()))


class _Describe:
    """So many images to descriptors, of which none is kept."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._encoder: Encoder | None = None

    def __call__(self, count: int) -> tuple[int, int]:
        """This process' number, and the most memory that it held."""
        self._encoder = self._encoder or Encoder(self.folder)
        noise = np.random.default_rng(0)
        pixels = noise.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        image = self._encoder.satellite_input(pixels)
        self._encoder.encode_satellite([image] * count)
        return os.getpid(), resident_bytes("VmHWM")


class _NoNetwork:
    """An encoder that gives every image a vector at no cost."""

    model_hash, dimension = "0" * 64, SIZE

    def satellite_input(self, pixels: np.ndarray) -> np.ndarray:
        return pixels

    def encode_satellite(self, images: Sequence[np.ndarray]) -> np.ndarray:
        return np.full((len(images), SIZE), SIZE**-0.5, np.float32)


class _NoImages:
    """A source of N small pictures that nobody decodes."""

    threads = 1

    def __init__(self, count: int):
        self._count = count
        self._pixels = np.zeros((4, 4, 3), np.uint8)

    def __len__(self) -> int:
        return self._count

    def place(self, number: int, folder: Path) -> Place:
        where = (number * 1e-5, number * 1e-5)
        return Place(f"{number:07d}", folder / f"{number:07d}.jpg", where)

    def load(self, number: int, folder: Path) -> tuple[np.ndarray, int]:
        return self._pixels, 0

    def count_filled(self, number: int, missing: int) -> None:
        """Nothing is missing."""

    def describe(self) -> dict[str, Any]:
        return {"images": self._count}

    def stamp(self) -> str:
        return ""

    def notes(self) -> list[str]:
        return []


def _views(places: int) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors of places, and of panoramas near them, [N, SIZE]."""
    rng = np.random.default_rng(0)
    gallery = random_units(places, SIZE, rng)
    return gallery, unit_rows(random_units(places, SIZE, rng) * 4 + gallery)


WORKS: Mapping[str, tuple[str, Work]] = {
    "evaluation": ("places", evaluation),
    "mining": ("places", mining),
    "search": ("places", search),
    "index": ("images", index),
    "training": ("pairs a batch", training),
    "Milvus": ("places", milvus),
    "Ray": ("workers", ray),
}
"""Name to what its sizes count, and the work."""
