"""A program for test_split_batches.py: one batch, split in several ways.

It makes two devices of one processor, which must come before anything else
in a process, and prints a JSON object of differences.
"""

import dataclasses
import json

import keras
import numpy as np
import tensorflow as tf

import mgtl_tf
from mgtl_tf.config import TrainConfig
from mgtl_tf.training.distribution import Distribution
from mgtl_tf.training.step import TrainStep
from mgtl_tf.training.step import make_optimizer

PAIRS = 16
# The paper's depth (13 convolutions, 5 poolings, L = 6) at a small width.
DEEP = mgtl_tf.ModelConfig(
    image_size=(32, 64),
    width_multiplier=1 / 16,
    channels=24,
    heads=4,
    backbone_dropout=0.0,
)


def batch():
    """Sixteen random pairs, two places of which are the same."""
    random = np.random.default_rng(0)
    shape = (PAIRS, 32, 64, 3)
    negatives = ~np.eye(PAIRS, dtype=bool)
    negatives[0, 1] = negatives[1, 0] = False
    return {
        "ground": random.uniform(0, 255, shape).astype("float32"),
        "satellite": random.uniform(0, 255, shape).astype("float32"),
        "negatives": negatives,
    }


def make(distribution, config=DEEP, **fields):
    """A step whose weights only the seed decides."""
    keras.utils.set_random_seed(3)
    train = TrainConfig(batch_size=PAIRS, learning_rate=1e-3, **fields)
    with distribution.scope():
        model = mgtl_tf.build_model(config)
        optimizer = make_optimizer(train)
    return TrainStep(model, optimizer, train, distribution)


def gradients(distribution, **fields):
    """The summed gradients and the figures, all as NumPy values."""
    step = make(distribution, **fields)

    @tf.function
    def both(values):
        def replica(values):
            own, figures = step.replica_gradients(values)
            context = tf.distribute.get_replica_context()
            return context.all_reduce("sum", own), figures

        return distribution.strategy.run(replica, (values,))

    own, figures = both(batch())
    local = distribution.strategy.experimental_local_results
    return (
        [local(g)[0].numpy() for g in own],
        {name: float(local(v)[-1]) for name, v in figures.items()},
    )


def largest_difference(values, expected):
    """Over variables: the norm of the difference by that of the gradient.

    Variables whose true gradient is zero (a bias before a softmax) hold
    only rounding; they are measured by the whole gradient.
    """
    whole = np.sqrt(sum(np.sum(e**2) for e in expected))
    return max(
        float(np.linalg.norm(v - e) / max(np.linalg.norm(e), 1e-4 * whole))
        for v, e in zip(values, expected, strict=True)
    )


def state_after(config, **fields):
    """What one step leaves in the variables that no gradient moves."""
    step = make(Distribution(), config, **fields)
    for _ in range(2):
        step(batch(), 0.0)
    return [np.array(v) for v in step.model.non_trainable_variables]


def main():
    """Prints {what: relative difference} and the figures of each split."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    one, mirrored = Distribution(), Distribution("mirrored")
    expected, figures = gradients(one)
    said = {"replicas": mirrored.replicas, "figures": {"whole": figures}}
    for name, distribution, piece in (
        ("pieces of 4", one, 4),
        ("two replicas", mirrored, 0),
        ("two replicas in pieces of 2", mirrored, 2),
    ):
        values, figures = gradients(distribution, micro_batch=piece)
        said[name] = largest_difference(values, expected)
        said["figures"][name] = figures
    dropout = dataclasses.replace(DEEP, recurrent_steps=0, backbone_dropout=0.5)
    seeds = state_after(dropout), state_after(dropout, micro_batch=PAIRS // 2)
    said["dropout states"] = [[int(v[1]) for v in s] for s in seeds]
    print(json.dumps(said))


if __name__ == "__main__":
    main()
