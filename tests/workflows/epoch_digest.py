"""Prints a digest of two epochs: `python -m tests.workflows.epoch_digest`.

Its arguments are WORKERS CALLS. One by the map and one mined by a model, with
every augmentation; the parts of so many workers put together, each with
so many parallel calls of tf.data.
"""

import hashlib
import sys
from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.records import Pair
from mgtl_tf.training.progress import Progress
from mgtl_tf.workflows.order import EpochOrder
from tests.mean_color import MeanColor

CONFIG = RunConfig().replace(
    roll_and_mirror=True,
    color_jitter=0.2,
    blur=1.0,
    jpeg_quality=50,
    batch_size=6,
    evaluation_batch_size=8,
    mining_neighbours=4,
    mining_by_position_until=1,
    mining_start=1,
    seed=3,
)


class ConfiguredMeanColor(MeanColor):
    """Of a run's config."""

    config = CONFIG.model


class Arrays:
    """Random pixels."""

    def __init__(self, count):
        shape = (2, count, 8, 16, 3)
        self.views = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

    def __len__(self):
        return self.views.shape[1]

    def load(self, rows):
        return self.views[0, rows], self.views[1, rows]


def places(count):
    x = np.random.default_rng(1).uniform(0, 900, (count, 2)).tolist()
    return [Pair(str(i), "g", f"a{i}", tuple(p)) for i, p in enumerate(x)]


def epochs(worker, workers):
    """Per epoch (neighbours, order of rows, batches of this worker)."""
    distribution = SimpleNamespace(
        worker=worker, workers=workers, is_chief=True, from_chief=lambda x: x
    )
    batches = EpochOrder(
        CONFIG.data,
        CONFIG.train,
        ConfiguredMeanColor(),
        Arrays(31),
        places(31),
        distribution,
    )
    progress, found = Progress(), []
    for epoch in range(2):
        progress.epoch = epoch
        listed = list(batches(progress))
        found.append((progress.neighbours, batches.rows(progress), listed))
    return found


def digest(workers):
    whole = hashlib.sha256()
    parts = [epochs(i, workers) for i in range(workers)]
    for each in zip(*parts, strict=True):
        neighbours, order, _ = each[0]
        whole.update(b"" if neighbours is None else neighbours.tobytes())
        whole.update(order.tobytes())
        for step in range(len(order)):
            for view in ("ground", "satellite"):
                images = [part[2][step][view].numpy() for part in each]
                whole.update(np.concatenate(images).tobytes())
    return whole.hexdigest()


if __name__ == "__main__":
    # What the pipeline leaves to tf.data, whose choice differs by machine.
    tf.data.AUTOTUNE = int(sys.argv[2])
    print(digest(int(sys.argv[1])))
