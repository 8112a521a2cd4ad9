"""A program for test_split_batches.py: one batch, split in several ways.

    python -m tests.training.split_batches [multi_worker] [deep]

It makes two devices of one processor, or is a worker of those that TF_CONFIG
names, either of which must come before anything else in a process, and
prints a JSON object of differences.
"""

import dataclasses
import json
import sys

import keras
import numpy as np
import tensorflow as tf

import mgtl_tf
from mgtl_tf.config import TrainConfig
from mgtl_tf.training.distribution import Distribution, gathered, replica_seeds
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.step import TrainStep

PAIRS = 16
SMALL = mgtl_tf.ModelConfig(
    image_size=(32, 64),
    width_multiplier=1 / 16,
    poolings=3,
    channels=24,
    heads=4,
    recurrent_steps=1,
    backbone_dropout=0.0,
)
# The paper's depth: 13 convolutions, 5 poolings, L = 6.
DEEP = dataclasses.replace(SMALL, poolings=5, recurrent_steps=6)


def batch(distribution):
    """A worker's part of sixteen pairs, two places of which are the same."""
    random = np.random.default_rng(0)
    shape = (PAIRS, 32, 64, 3)
    negatives = ~np.eye(PAIRS, dtype=bool)
    negatives[0, 1] = negatives[1, 0] = False
    views = {
        name: random.uniform(0, 255, shape).astype("float32")
        for name in ("ground", "satellite")
    }
    part, parts = distribution.worker, distribution.workers
    return {
        **{k: np.split(v, parts)[part] for k, v in views.items()},
        "negatives": negatives,
    }


def make(distribution, config, **fields):
    """A step whose weights only the seed decides."""
    keras.utils.set_random_seed(3)
    train = TrainConfig(batch_size=PAIRS, learning_rate=1e-3, **fields)
    with distribution.scope():
        model = mgtl_tf.build_model(config)
        optimizer = make_optimizer(train, model.trainable_variables)
    return TrainStep(model, optimizer, train, distribution)


def gradients(distribution, config, **fields):
    """The summed gradients and the figures, all as NumPy values."""
    step = make(distribution, config, **fields)

    @tf.function(autograph=False)
    def both(values):
        def replica(values):
            own, figures = step.replica_gradients(values)
            context = tf.distribute.get_replica_context()
            return context.all_reduce("sum", own), figures

        return distribution.strategy.run(replica, (values,))

    own, figures = both(batch(distribution))
    local = distribution.strategy.experimental_local_results
    return (
        [local(g)[0].numpy() for g in own],
        {name: float(local(v)[-1]) for name, v in figures.items()},
    )


def differences(values, expected):
    """The largest of any element, and of any variable.

    Of an element, relative to the largest gradient element; of a variable,
    norm of the difference by the gradient's. A variable whose gradient is
    small beside the others' holds more rounding in proportion; below 1e-4 of
    the whole it is left out.
    """
    pairs = list(zip(values, expected, strict=True))
    largest = max(np.abs(e).max() for e in expected)
    whole = np.sqrt(sum(np.sum(e**2) for e in expected))
    norm = np.linalg.norm
    return [
        max(float(np.abs(v - e).max() / largest) for v, e in pairs),
        max(
            float(norm(v - e) / norm(e))
            for v, e in pairs
            if norm(e) > 1e-4 * whole
        ),
    ]


def compared(several, config, splits):
    """Differences and figures of splits (name, distribution, piece)."""
    expected, figures = gradients(Distribution(), config)
    found = {"replicas": several.replicas, "figures": {"whole": figures}}
    for name, distribution, piece in splits:
        values, figures = gradients(distribution, config, micro_batch=piece)
        found[name] = differences(values, expected)
        found["figures"][name] = figures
    return found


def dropout_of_replicas(distribution, config):
    """Whether two replicas drop the same units, and their states after it."""
    model = make(distribution, config).model
    image = np.full((1, 32, 64, 3), 100.0, "float32")
    views = {"ground": image, "satellite": image}

    @tf.function(autograph=False)
    def both():
        def replica():
            with replica_seeds(model):
                return gathered(model(views, training=True)["ground"])

        return distribution.strategy.run(replica)

    first, second = both().values[0].numpy()
    states = [
        [copy.numpy().tolist() for copy in v.value.values]
        for v in model.non_trainable_variables
    ]
    return bool(np.array_equal(first, second)), states


def states_after_two_steps(config, **fields):
    """The counters of the random states, which no gradient moves."""
    one = Distribution()
    step = make(one, config, **fields)
    for _ in range(2):
        step(batch(one), 0.0)
    return [int(np.array(v)[1]) for v in step.model.non_trainable_variables]


def on_one_machine(config):
    """Two devices, micro-batches, and both together."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    mirrored = Distribution("mirrored")
    splits = [
        ("pieces of 4", Distribution(), 4),
        ("two replicas", mirrored, 0),
    ]
    found = compared(mirrored, config, splits)
    dropout = dataclasses.replace(
        SMALL, recurrent_steps=0, backbone_dropout=0.5
    )
    found["dropout of replicas"] = dropout_of_replicas(mirrored, dropout)
    found["dropout states"] = [
        states_after_two_steps(dropout),
        states_after_two_steps(dropout, micro_batch=PAIRS // 2),
    ]
    return found


def main():
    """Prints what was compared."""
    config = DEEP if "deep" in sys.argv else SMALL
    if "multi_worker" in sys.argv:
        workers = Distribution("multi_worker")
        found = compared(workers, config, [("two workers", workers, 4)])
    else:
        found = on_one_machine(config)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
