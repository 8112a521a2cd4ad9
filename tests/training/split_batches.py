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

from mgtl_tf.config import TrainConfig
from mgtl_tf.models import build_model
from mgtl_tf.training.distribution import Distribution, gathered, replica_seeds
from mgtl_tf.training.optimizers import averaged_weights, make_optimizer
from tests.training.small_networks import SMALL, batch, make_step, one_layer

PAIRS = 16
CLIP = 1e-3
# The paper's depth: 13 convolutions, 5 poolings, L = 6.
DEEP = dataclasses.replace(
    SMALL, poolings=5, recurrent_steps=6, backbone_normalization="none"
)


def part_of_batch(distribution):
    """A worker's part of sixteen pairs, two places of which are the same."""
    whole = batch(PAIRS)
    whole["negatives"][0, 1] = whole["negatives"][1, 0] = False
    part, parts = distribution.worker, distribution.workers
    views = {v: whole[v] for v in ("ground", "satellite", "offsets")}
    return {
        **whole,
        **{k: np.split(v, parts)[part] for k, v in views.items()},
    }


def gradients(distribution, build, **fields):
    """The summed gradients and the figures, all as NumPy values."""
    step = make_step(build, distribution, PAIRS, **fields)

    @tf.function(autograph=False)
    def both(values):
        def replica(values):
            own, figures = step.replica_gradients(values)
            context = tf.distribute.get_replica_context()
            return context.all_reduce("sum", own), figures

        return distribution.strategy.run(replica, (values,))

    own, figures = both(part_of_batch(distribution))
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


def compared(several, build, splits):
    """Differences and figures of splits (name, distribution, piece)."""
    expected, figures = gradients(Distribution(), build)
    found = {"replicas": several.replicas, "figures": {"whole": figures}}
    for name, distribution, piece in splits:
        values, figures = gradients(distribution, build, micro_batch=piece)
        found[name] = differences(values, expected)
        found["figures"][name] = figures
    return found


def dropping():
    """A network whose dropout is all that is random in it."""
    return one_layer(dropout=0.5)


def dropout_of_replicas(distribution):
    """Whether two replicas drop the same units, and their states after it."""
    model = make_step(dropping, distribution, PAIRS).model
    image = np.full((1, 16, 40, 3), 100.0, "float32")
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


def states_after_two_steps(**fields):
    """The counters of the random states, which no gradient moves."""
    one = Distribution()
    step = make_step(dropping, one, PAIRS, **fields)
    for _ in range(2):
        step(part_of_batch(one), 0.0)
    return [int(np.array(v)[1]) for v in step.model.non_trainable_variables]


def averages_of_replicas(strategy):
    """A weight after each step of decay, then its average on each replica."""
    config = TrainConfig(
        learning_rate=0.1, optimizer="adamw", weight_decay=0.5, ema_momentum=0.9
    )
    with strategy.scope():
        weight = keras.Variable(np.ones((2, 2), "float32"))
        optimizer = make_optimizer(config, [weight])

    @tf.function
    def step():
        def replica():
            context = tf.distribute.get_replica_context()
            number = tf.cast(context.replica_id_in_sync_group, tf.float32)
            optimizer.apply([tf.ones((2, 2)) * number], [weight])

        strategy.run(replica)

    found = []
    for _ in range(3):
        step()
        found.append(float(weight.numpy()[0, 0]))
    with strategy.scope(), averaged_weights(optimizer, [weight]):
        copies = [float(v.numpy()[0, 0]) for v in weight.value.values]
    return found, copies


def clipped_norm(distribution):
    """Of the gradient that a step's clipping left, by Adam's first moment."""
    step = make_step(placing, distribution, PAIRS, clip_norm=CLIP)
    step(part_of_batch(distribution), 1e-3)
    moments = [
        v.numpy() / (1 - step.config.adam_beta_1)
        for v in step.optimizer.variables
        if v.path.endswith("_momentum")
    ]
    return float(np.sqrt(sum(np.sum(m**2) for m in moments)))


def on_one_machine(build):
    """Two devices, micro-batches, and both together."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    mirrored = Distribution("mirrored")
    splits = [
        ("pieces of 4", Distribution(), 4),
        ("two replicas", mirrored, 0),
        ("pieces of two replicas", mirrored, 4),
    ]
    found = compared(mirrored, build, splits)
    found["dropout of replicas"] = dropout_of_replicas(mirrored)
    pieces = {"micro_batch": PAIRS // 2}
    states = [states_after_two_steps(**f) for f in ({}, pieces)]
    found["dropout states"] = states
    found["averages"] = averages_of_replicas(mirrored.strategy)
    found["clipped"] = [clipped_norm(d) for d in (Distribution(), mirrored)]
    return found


def placing():
    """A network that also predicts offsets."""
    return one_layer(offsets=True)


def deep():
    """MGTL as deep as the paper's."""
    return build_model(DEEP)


def main():
    """Prints what was compared."""
    build = deep if "deep" in sys.argv else placing
    if "multi_worker" in sys.argv:
        workers = Distribution("multi_worker")
        found = compared(workers, build, [("two workers", workers, 4)])
    else:
        found = on_one_machine(build)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
