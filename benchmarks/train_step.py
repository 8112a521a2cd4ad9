"""The paper's full-size train step against this machine's matrix peak.

    python -m benchmarks.train_step [--dtype_policy=auto] [--batch_size=4]
        [--micro_batch=0] [--jit_compile]

Counted are only VGG-16's multiply-adds, 3 x 42.3 G a pair (forward, and
backward to inputs and to weights); the transformers, the losses, Adam and
the batch's preparation come on top and lower the ratio. In pieces
(`--micro_batch`) the forward part runs twice; a second ratio counts it. The
peak is the best rate of large matrix products in the step's precision,
measured between the steps of the same run. The process's peak memory is
printed at the end.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

import mgtl_tf
from benchmarks.yardstick import GIGA_MACS_FORWARD, timed
from mgtl_tf.config import TrainConfig
from mgtl_tf.training import environment
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.step import TrainStep
from mgtl_tf.utils.memory import resident_bytes

_POLICY = flags.DEFINE_enum(
    "dtype_policy",
    "auto",
    ["auto", "float32", "mixed_bfloat16"],
    "precision; auto: what a run with --dtype_policy=auto would take",
)
_BATCH = flags.DEFINE_integer("batch_size", 4, "pairs a step", lower_bound=2)
_PIECE = flags.DEFINE_integer(
    "micro_batch", 0, "pairs that the network takes at a time; 0: all"
)
_COMPILED = flags.DEFINE_boolean(
    "jit_compile", False, "compile the step by XLA, as a GPU may like it"
)
_STEPS = flags.DEFINE_integer("steps", 5, "timed steps", lower_bound=1)

SIZES = (1024, 2048, 4096)


def seconds(function, *arguments) -> float:
    """Clock time of one call whose result is waited for."""
    return timed(lambda: np.asarray(tf.nest.flatten(function(*arguments))[0]))[
        1
    ][0]


def matrix_rate(dtype: str) -> float:
    """Best GFLOP/s of square products over a few sizes."""
    product = tf.function(lambda a: tf.cast((a @ a)[:1, :1], tf.float32))
    rates = []
    for size in SIZES:
        matrix = tf.cast(tf.random.normal((size, size)), dtype)
        product(matrix)
        best = min(seconds(product, matrix) for _ in range(3))
        rates.append(2 * size**3 / best / 1e9)
    return max(rates)


def full_size_step(
    policy: str, batch_size: int, micro_batch: int = 0, compiled: bool = False
):
    """The step of the paper's network and one random batch for it."""
    keras.utils.set_random_seed(0)
    model = mgtl_tf.build_model(dtype=policy)
    config = TrainConfig(
        batch_size=batch_size,
        dtype_policy=policy,
        micro_batch=micro_batch,
        jit_compile=compiled,
    )
    optimizer = make_optimizer(config, model.trainable_variables)
    image = tf.random.uniform((batch_size, 112, 616, 3), 0, 255)
    negatives = ~np.eye(batch_size, dtype=bool)
    batch = {"ground": image, "satellite": image, "negatives": negatives}
    return TrainStep(model, optimizer, config), batch


def main(argv: list[str]) -> None:
    """Prints one line a step and the median ratio."""
    del argv
    policy = environment.resolve_dtype_policy(_POLICY.value)
    dtype = "bfloat16" if policy == "mixed_bfloat16" else "float32"
    pairs, piece = _BATCH.value, _PIECE.value
    step, batch = full_size_step(policy, pairs, piece, _COMPILED.value)
    step(batch, 1e-5)
    passes = 4 if 0 < piece < pairs else 3
    ratios = []
    for _ in range(_STEPS.value):
        peak = matrix_rate(dtype)
        taken = seconds(step, batch, 1e-5)
        rate = 2 * 3 * GIGA_MACS_FORWARD * pairs / taken
        ratios.append(rate / peak)
        print(
            f"{policy}: {taken / pairs:.2f} s a pair, {rate:.0f} GFLOP/s"
            f" of {peak:.0f} in {dtype} products: ratio {ratios[-1]:.2f}"
        )
    print(
        f"median ratio {np.median(ratios):.2f} (goal 0.75), with all"
        f" {passes} passes {np.median(ratios) * passes / 3:.2f} (goal 0.85 in"
        f" pieces); peak memory {resident_bytes('VmHWM') / 2**30:.1f} GiB"
    )


if __name__ == "__main__":
    app.run(main)
