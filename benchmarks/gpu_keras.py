"""Our models on a GPU by Keras' JAX backend: agreement, rate, a study.

    KERAS_BACKEND=jax python -m benchmarks.gpu_keras --weights=VGG16.h5
    KERAS_BACKEND=jax python -m benchmarks.gpu_keras --weights=VGG16.h5
        --study --seconds=540 --output_dir=gpu

The first command prints how far descriptors and the loss on this device are
from those that a processor gave (--reference, of
benchmarks.reference_descriptors), then the pairs a second of
the paper's full-size train step, its share of the device's measured matrix
peak and its memory. `--study` renders a synthetic world with all cores,
trains the rows of Table 2 at the paper's full size from the given VGG-16 and
writes each row's ranks and a JSON file as soon as it is measured.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from benchmarks import gpu_study
from benchmarks.jax_training import epochs
from benchmarks.reference_descriptors import descriptors_and_loss
from benchmarks.yardstick import GIGA_MACS_FORWARD

_WEIGHTS = flags.DEFINE_string(
    "weights", "none", "start of a study's VGG-16: a file, or none (random)"
)
_REFERENCE = flags.DEFINE_string("reference", None, "descriptors to agree with")
_BATCHES = flags.DEFINE_list("batch_sizes", "16,32,64,128", "pairs a step")
_WIDTH = flags.DEFINE_float("width", 1.0, "width_multiplier", lower_bound=0.01)
_STEPS = flags.DEFINE_integer("steps", 20, "timed steps", lower_bound=1)
_RATE = flags.DEFINE_boolean("rate", True, "time the train step")
_STUDY = flags.DEFINE_boolean("study", False, "train the rows of Table 2")
_OUTPUT = flags.DEFINE_string("output_dir", "gpu", "where a study is written")
_SECONDS = flags.DEFINE_float("seconds", 540, "a study's time, rendering too")
_TRAIN = flags.DEFINE_integer("train_pairs", 12000, "a study's training pairs")
_STUDY_STEPS = flags.DEFINE_integer("study_steps", 3000, "of each run")
_STUDY_BATCH = flags.DEFINE_integer("study_batch", 32, "pairs a step")
_VAL = flags.DEFINE_integer("val_pairs", 8000, "a study's gallery")

PEAK_SIDE = 8192


def matrix_peak(dtype=jnp.bfloat16) -> float:
    """FLOP/s of large matrix products on random data, the best of ten."""
    keys = jax.random.split(jax.random.key(0))
    a, b = (jax.random.normal(k, (PEAK_SIDE,) * 2, dtype) for k in keys)
    product = jax.jit(jnp.matmul)
    product(a, b).block_until_ready()
    best = np.inf
    for _ in range(10):
        began = time.perf_counter()
        product(a, b).block_until_ready()
        best = min(best, time.perf_counter() - began)
    return 2 * PEAK_SIDE**3 / best


def print_agreement(path: str, width: float) -> None:
    """Relative differences from the reference; asked 1e-3 and 2e-2."""
    reference = np.load(path, allow_pickle=False)
    for policy, asked in (("float32", 1e-3), ("mixed_bfloat16", 2e-2)):
        ours = descriptors_and_loss(policy, width)
        for name, value in ours.items():
            wanted = reference[name]
            error = np.linalg.norm(value - wanted) / np.linalg.norm(wanted)
            print(f"{policy} {name}: relative {error:.1e} (asked {asked:.0e})")


def print_rates(width: float, sizes: list[int], steps: int) -> None:
    """Pairs a second of the full-size step (L = 6), bfloat16."""
    peak = matrix_peak()
    print(f"peak of bfloat16 products: {peak / 1e12:.0f} TFLOP/s")
    config = gpu_study.row_config("with_cmi").replace(width_multiplier=width)
    rng = np.random.default_rng(0)
    count = max(sizes)
    data = gpu_study.random_data(rng, count)
    for batch in sizes:
        training = gpu_study.new_training(config, steps, "none")
        began = time.perf_counter()
        training.compile(data, steps, batch)
        compiled = time.perf_counter() - began
        order, shifts = epochs(count, steps, batch, 616, 0)
        training.run(data, order, shifts)
        began = time.perf_counter()
        training.run(data, order, shifts)
        rate = steps * batch / (time.perf_counter() - began)
        share = rate * 6e9 * GIGA_MACS_FORWARD * width**2 / peak
        print(
            f"batch {batch}: {rate:.0f} pairs/s, {share:.2f} of the peak by"
            f" VGG-16's products alone; compiled in {compiled:.0f} s;"
            f" {gpu_study.memory()}",
            flush=True,
        )


def main(argv: list[str]) -> None:
    """Prints what the flags ask for."""
    del argv
    print(f"{jax.devices()[0].device_kind}, {os.cpu_count()} cores")
    if _REFERENCE.value:
        print_agreement(_REFERENCE.value, _WIDTH.value)
    if _RATE.value:
        sizes = [int(size) for size in _BATCHES.value]
        print_rates(_WIDTH.value, sizes, _STEPS.value)
    if _STUDY.value:
        settings = gpu_study.StudySettings(
            train_pairs=_TRAIN.value,
            val_pairs=_VAL.value,
            steps=_STUDY_STEPS.value,
            batch=_STUDY_BATCH.value,
            chunk=min(100, _STUDY_STEPS.value),
            seconds=_SECONDS.value,
            width=_WIDTH.value,
        )
        gpu_study.run_study(settings, _WEIGHTS.value, Path(_OUTPUT.value))


if __name__ == "__main__":
    app.run(main)
