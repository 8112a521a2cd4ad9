"""How long a train step waits for its images, from the cache and from files.

    python -m benchmarks.input_wait [--preset=procedural] [--steps=60]

A world of the images' true sizes is made in a temporary folder (aerial 750 x
750, ground 224 x 1232 for full-size presets), a model of the preset trains
on it, and the share of the time between two log lines in which the step
waited for the next batch is printed, once for each source.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import app, flags

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.pipeline import train_batches
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.datasets.sources import PairSource
from mgtl_tf.models import build_model
from mgtl_tf.presets import PRESETS, load_preset
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.training import environment
from mgtl_tf.training.meter import Meter
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.step import TrainStep
from mgtl_tf.workflows.inputs import open_source
from mgtl_tf.workflows.world import make_world
from polar.parallel import usable_cores

_PRESET = flags.DEFINE_enum(
    "preset", "procedural", list(PRESETS), "whose model and batches"
)
_PAIRS = flags.DEFINE_integer("pairs", 128, "pairs of the world", 2)
_STEPS = flags.DEFINE_integer("steps", 60, "timed steps", lower_bound=1)
_WARM_UP = 5

GOALS = {"disk": 0.02, "none": 0.10}
NAMES = {"disk": "the cache", "none": "JPEG files"}


def world(folder: Path, pairs: int) -> None:
    """A world whose pictures have CVUSA's sizes."""
    settings = WorldSettings(
        train_pairs=pairs,
        val_pairs=2,
        aerial_size=750,
        ground_height=224,
        ground_width=1232,
    )
    make_world(settings, folder, usable_cores(), progress=True)


def waiting(config: RunConfig, folder: Path, steps: int) -> tuple[float, float]:
    """The share of the time spent waiting, and pairs a second."""
    data = read_dataset("procedural", folder)
    policy = environment.resolve_dtype_policy(config.train.dtype_policy)
    config = config.replace(dtype_policy=policy)
    model = build_model(config.model, policy)
    step = TrainStep(
        model,
        make_optimizer(config.train, model.trainable_variables),
        config.train,
    )
    cache = Path(tempfile.mkdtemp(dir=folder.parent))
    source = open_source(config, data.train, cache)
    meter = Meter(config.train.batch_size)
    batches = long_epoch(config, source, _WARM_UP + steps)
    for number, batch in enumerate(meter.watch(batches)):
        meter.add(step(batch, 1e-5))
        if number + 1 == _WARM_UP:
            meter.flush()
    means, _ = meter.flush()
    return means["input_wait"], means["pairs_per_second"]


def long_epoch(
    config: RunConfig, source: PairSource, steps: int
) -> tf.data.Dataset:
    """So many batches of one epoch, each of different places of the source.

    The epochs of so small a world would end every few steps, those of the
    benchmarks last 2,000.
    """
    random = np.random.default_rng(0)
    size = config.train.batch_size
    rows = [
        random.choice(len(source), size, replace=False) for _ in range(steps)
    ]
    return train_batches(
        source,
        np.stack(rows),
        augment=config.data.roll_and_mirror,
        color_jitter=config.data.color_jitter,
        seed=0,
        epoch=0,
    )


def main(argv: list[str]) -> None:
    """Prints one line a source."""
    del argv
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "world"
        world(folder, _PAIRS.value)
        for cache, goal in GOALS.items():
            config = load_preset(_PRESET.value).replace(
                cache=cache, mining_start=-1
            )
            share, rate = waiting(config, folder, _STEPS.value)
            print(
                f"{_PRESET.value} from {NAMES[cache]}: {100 * share:.1f} % of"
                f" the time waiting (goal below {100 * goal:.0f} %) at"
                f" {rate:.1f} pairs a second"
            )


if __name__ == "__main__":
    app.run(main)
