"""Training after frozen blocks whose output is cached, against through them.

    python -m benchmarks.frozen_blocks [--freeze_blocks=4] [--rounds=5]

The paper's network at full width (L = 6, C = 384, six heads) on smaller
images. Both kinds of batches come through the training pipeline, the cached
ones from the disk, and take turns on one model in one run. Images are noise:
no step's time depends on what they show. Arithmetic allows the ratio of the
multiply-adds that are left: three passes through what learns, with and
without one through what is frozen.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import keras
import numpy as np
from absl import app, flags

import mgtl_tf
from benchmarks.yardstick import show_ratio, take_turns, timed
from mgtl_tf.config import DataConfig, ModelConfig, TrainConfig
from mgtl_tf.datasets.pipeline import train_batches
from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import PairSource
from mgtl_tf.training import environment
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.step import TrainStep
from mgtl_tf.workflows.features import open_features

_BLOCKS = flags.DEFINE_integer("freeze_blocks", 4, "frozen blocks", 1, 5)
_SIZE = flags.DEFINE_list("image_size", ["56", "308"], "height,width, pixels")
_POOLINGS = flags.DEFINE_integer("poolings", 4, "kept poolings: 20 tokens", 0)
_BATCH = flags.DEFINE_integer("batch_size", 32, "pairs a step: v2's", 2)
_PAIRS = flags.DEFINE_integer("pairs", 64, "pairs in the cache", 2)
_STEPS = flags.DEFINE_integer("steps", 3, "steps a turn", 1)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "turns of each", 1)
_POLICY = flags.DEFINE_string("dtype_policy", "auto", "precision")

CACHED, THROUGH = "cached", "through the frozen blocks"


class Noise:
    """Images of noise: a source without files."""

    def __init__(self, pairs: int, size: tuple[int, int]):
        shape = (2, pairs, *size, 3)
        self.images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

    def __len__(self) -> int:
        """How many pairs there are."""
        return self.images.shape[1]

    def load(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As of `PairSource`."""
        return self.images[0, rows], self.images[1, rows]


def steps_of(step: TrainStep, source: PairSource):
    """A function that trains for a turn, through the pipeline."""
    count = (_ROUNDS.value + 1) * _STEPS.value
    random = np.random.default_rng(0)
    size = min(_BATCH.value, len(source))
    rows = [random.choice(len(source), size, False) for _ in range(count)]
    batches = iter(
        train_batches(source, np.stack(rows), augment=False, seed=0, epoch=0)
    )

    def turn() -> None:
        for _ in range(_STEPS.value):
            loss = step(next(batches), 1e-5)["loss"]
        float(loss)

    turn()  # traces the step
    return turn


def main(argv: list[str]) -> None:
    """Prints the ratio, the rates, and what the cache takes."""
    del argv
    keras.utils.set_random_seed(0)
    policy = environment.resolve_dtype_policy(_POLICY.value)
    size = (int(_SIZE.value[0]), int(_SIZE.value[1]))
    config = TrainConfig(batch_size=_BATCH.value, dtype_policy=policy)
    network = ModelConfig(image_size=size, poolings=_POOLINGS.value)
    model = mgtl_tf.build_model(network, policy)
    model.freeze_blocks(_BLOCKS.value)
    optimizer = make_optimizer(config, model.trainable_variables)
    images = Noise(_PAIRS.value, size)
    nowhere = Path("nowhere")
    pairs = [Pair(str(n), nowhere, nowhere) for n in range(len(images))]
    with tempfile.TemporaryDirectory() as folder:
        data = DataConfig(feature_cache=folder)
        cache, making = timed(open_features, data, model, pairs, lambda: images)
        turns = {}
        for name, source, first in (
            (CACHED, cache, _BLOCKS.value),
            (THROUGH, images, 0),
        ):
            step = TrainStep(model, optimizer, config, first_block=first)
            turns[name] = steps_of(step, source)
        taken = take_turns(turns, _ROUNDS.value)
    show_ratio(taken, CACHED, THROUGH, 2)
    for name, seconds in taken.items():
        rates = _STEPS.value * _BATCH.value / np.median(seconds, axis=0)
        print(
            f"{name}: {rates[0]:.2f} pairs a second by the clock,"
            f" {rates[1]:.2f} a second of one processor"
        )
    taken_bytes = sum(array.nbytes for array in cache.arrays.values())
    print(
        f"the cache: {taken_bytes / len(images):,.0f} bytes a pair"
        f" (images: {6 * size[0] * size[1]:,}), made at"
        f" {len(images) / making[0]:.2f} pairs a second by the clock"
    )


if __name__ == "__main__":
    app.run(main)
