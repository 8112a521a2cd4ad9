"""How long a train step waits for its images, from the cache and from files.

    python -m benchmarks.input_wait [--preset=procedural] [--steps=60]

A world of CVUSA's image sizes is made in a temporary folder, a model of the
preset trains on it, and the share of the time between two log lines in which
the step waited for the next batch is printed, once for each source.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from absl import app, flags

from benchmarks.yardstick import cvusa_size_world
from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.pipeline import train_batches
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.models import build_model
from mgtl_tf.presets import PRESETS, load_preset
from mgtl_tf.training import environment
from mgtl_tf.training.meter import Meter
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.step import TrainStep
from mgtl_tf.workflows.inputs import open_source

_PRESET = flags.DEFINE_enum(
    "preset", "procedural", list(PRESETS), "whose model and batches"
)
_PAIRS = flags.DEFINE_integer("pairs", 128, "pairs of the world", 2)
_STEPS = flags.DEFINE_integer("steps", 60, "timed steps", lower_bound=1)

WARM_UP = 5
SOURCES = {"disk": ("the cache", 0.02), "none": ("JPEG files", 0.10)}


def waiting(config: RunConfig, world: Path, cache: Path) -> tuple[float, float]:
    """The share of the time spent waiting, and pairs a second."""
    policy = environment.resolve_dtype_policy(config.train.dtype_policy)
    config = config.replace(dtype_policy=policy)
    model = build_model(config.model, policy)
    optimizer = make_optimizer(config.train, model.trainable_variables)
    step = TrainStep(model, optimizer, config.train)
    pairs = read_dataset("procedural", world).train
    source = open_source(config.data, config.model.input_form, pairs, cache)
    # Batches of one long epoch: those of so small a world would end every few
    # steps, those of the benchmarks last 2,000.
    random, size = np.random.default_rng(0), config.train.batch_size
    batches = train_batches(
        source,
        np.stack(
            [
                random.choice(len(source), size, replace=False)
                for _ in range(WARM_UP + _STEPS.value)
            ]
        ),
        augment=config.data.roll_and_mirror,
        color_jitter=config.data.color_jitter,
        seed=0,
        epoch=0,
    )
    meter = Meter(size)
    for number, batch in enumerate(meter.watch(batches), 1):
        meter.add(step(batch, 1e-5))
        if number == WARM_UP:
            meter.flush()
    means, _ = meter.flush()
    return means["input_wait"], means["pairs_per_second"]


def main(argv: list[str]) -> None:
    """Prints one line a source."""
    del argv
    with tempfile.TemporaryDirectory() as folder:
        world = cvusa_size_world(Path(folder) / "world", _PAIRS.value)
        for cache, (name, goal) in SOURCES.items():
            config = load_preset(_PRESET.value).replace(
                cache=cache, mining_start=-1
            )
            share, rate = waiting(config, world, Path(folder) / "cache")
            print(
                f"{_PRESET.value} from {name}: {100 * share:.1f} % of the time"
                f" waiting (goal below {100 * goal:.0f} %) at {rate:.1f} pairs"
                " a second"
            )


if __name__ == "__main__":
    app.run(main)
