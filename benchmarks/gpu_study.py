"""Table 2 at the paper's full size on one GPU, in minutes, by JAX.

The world is rendered on the spot; the rows are started from the same VGG-16
and see the same pairs in the same order. Everything but data, learning rate
and the number of pairs is the paper's (R1 to R17).
"""

from __future__ import annotations

import json
import time
from concurrent import futures
from dataclasses import asdict, dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import keras
import numpy as np

import mgtl_tf
from benchmarks.jax_training import JaxTraining, epochs, make_optimizer
from mgtl_tf import metrics
from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.preprocess import load_ground, load_satellite
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.datasets.records import Pair, positions
from mgtl_tf.reproduction.rows import ROWS
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.workflows.world import make_world
from polar.parallel import usable_cores, worker_pool

IMAGE = (112, 616)
TITLES = {row.key: title for title, row in ROWS[2]}
_LOAD_BLOCK = 64


@dataclass(frozen=True)
class StudySettings:
    """What a study is made of.

    Attributes:
        train_pairs: rendered and trained on.
        val_pairs: N, the places of the gallery, all of one unseen town.
        steps: of every run, a multiple of `chunk`.
        batch: pairs a step.
        seconds: no further seed is begun that would not end by then.
        width: scales the channels of VGG-16.
        chunk: steps of one compiled program.
    """

    train_pairs: int = 12000
    val_pairs: int = 8000
    steps: int = 3000
    batch: int = 32
    seconds: float = 540
    width: float = 1.0
    chunk: int = 100

    def __post_init__(self):
        if self.steps % self.chunk:
            raise ValueError(
                f"steps={self.steps}: not a multiple of {self.chunk}"
            )


def world_settings(study: StudySettings) -> WorldSettings:
    """A town that is harder than the demo's: pose, light and cars differ."""
    return WorldSettings(
        seed=21,
        train_pairs=study.train_pairs,
        val_pairs=study.val_pairs,
        aerial_size=256,
        ground_height=IMAGE[0],
        ground_width=IMAGE[1],
        position_error_min=1.0,
        position_error_max=5.0,
        heading_error_min=0.0,
        heading_error_max=10.0,
        appearance_change=1.5,
        noise=1.0,
        cars=6.0,
        supersampling=1,
    )


def row_config(key: str, width: float = 1.0, seed: int = 0) -> RunConfig:
    """A row of Table 2: the paper's network, and how it is trained here."""
    row = next(row for _, row in ROWS[2] if row.key == key)
    return RunConfig().replace(
        **row.changes,
        width_multiplier=width,
        residual_init="zeros",
        learning_rate=1e-4,
        schedule="cosine",
        warmup=0.05,
        clip_norm=1.0,
        dtype_policy="mixed_bfloat16",
        same_place_metres=5.0,
        batch_size=32,
        seed=seed,
    )


def new_training(config: RunConfig, steps: int, weights: str) -> JaxTraining:
    """A model of the config, started from `weights`, ready to be trained."""
    keras.utils.set_random_seed(config.train.seed)
    model = mgtl_tf.build_model(config.model, dtype=config.train.dtype_policy)
    model.start_from(weights)
    return JaxTraining(model, make_optimizer(config, steps), config)


def run_study(study: StudySettings, weights: str, folder: Path) -> None:
    """Renders, trains every row for seed 0, 1, ..., and writes their ranks.

    Args:
        study: its size and time.
        weights: where both VGG-16 start, as `backbone_weights`.
        folder: gets world/, study.json and ROW-seedN.npy.
    """
    began = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    with futures.ThreadPoolExecutor(1) as pool:
        rendering = pool.submit(render, world_settings(study), folder)
        compiled = {key: _compiled(key, study, weights) for key in TITLES}
        print(f"compiled after {time.perf_counter() - began:.0f} s", flush=True)
        train, val = rendering.result()
    print(f"rendered after {time.perf_counter() - began:.0f} s", flush=True)
    train, val = (jax.device_put(data) for data in (train, val))
    results: list[dict] = []
    seed, longest = 0, 0.0
    # The first seed of every row, then as many as there is time for.
    while not seed or time.perf_counter() - began + longest < study.seconds:
        for key in TITLES:
            start = time.perf_counter()
            if seed and start - began + longest > study.seconds:
                break
            config = row_config(key, study.width, seed)
            training = new_training(config, study.steps, weights)
            training.share_programs(compiled[key])
            results.append(_run(training, key, study, train, val, folder))
            _write(folder / "study.json", study, results)
            longest = max(longest, time.perf_counter() - start)
        seed += 1


def _compiled(key: str, study: StudySettings, weights: str) -> JaxTraining:
    training = new_training(row_config(key, study.width), study.steps, weights)
    data = _shapes(study.train_pairs)
    training.compile(data, study.chunk, study.batch)
    return training


def _shapes(pairs: int) -> dict:
    image = jax.ShapeDtypeStruct((pairs, *IMAGE, 3), jnp.uint8)
    metres = jax.ShapeDtypeStruct((pairs, 3), jnp.float32)
    return {"ground": image, "satellite": image, "positions": metres}


def _run(training, key, study, train, val, folder: Path) -> dict:
    """Trains one run and measures it on the gallery."""
    seed = training.config.train.seed
    steps, batch = study.steps, study.batch
    order, shifts = epochs(
        study.train_pairs, steps, batch, IMAGE[1], 1000 + seed
    )
    began, curve = time.perf_counter(), []
    for first in range(0, steps, study.chunk):
        rows = slice(first, first + study.chunk)
        values = training.run(train, order[rows], shifts[rows])
        curve.append(round(float(values.mean()), 5))
    seconds = time.perf_counter() - began
    ground, satellite = training.embed(val)
    place, ties = metrics.ranks(ground, satellite)
    back, _ = metrics.ranks(satellite, ground)
    np.save(folder / f"{key}-seed{seed}.npy", np.stack([place, back]))
    found = metrics.summary(place, ties, len(place))
    rate = steps * batch / seconds
    print(
        f"{TITLES[key]}, seed {seed}: r@1 {100 * found['r@1']:.2f} %, r@5"
        f" {100 * found['r@5']:.2f} %, ties {found['ties']}; loss"
        f" {curve[0]:.3f} to {curve[-1]:.4f}; {rate:.0f} pairs/s; {memory()}",
        flush=True,
    )
    return {
        "row": key,
        "seed": seed,
        "recalls": {k: round(float(v), 6) for k, v in found.items()},
        "loss_by_chunk": curve,
        "pairs": steps * batch,
        "train_seconds": round(seconds, 1),
        "pairs_per_second": round(rate, 1),
    }


def _write(path: Path, study: StudySettings, results: list[dict]) -> None:
    content = {
        "device": jax.devices()[0].device_kind,
        "study": asdict(study),
        "world": asdict(world_settings(study)),
        "runs": results,
    }
    atomic_write(path, json.dumps(content, indent=1) + "\n")


def render(settings: WorldSettings, folder: Path) -> tuple[dict, dict]:
    """Makes the world and reads both splits as network inputs.

    Returns:
        training and validation data, each as `JaxTraining.run` takes it.
    """
    cores = usable_cores()
    make_world(settings, folder / "world", cores, progress=False)
    dataset = read_dataset("procedural", folder / "world")
    with worker_pool(cores) as pool:
        train = _arrays(dataset.train, pool)
        return train, _arrays(dataset.validation, pool)


def _arrays(pairs: tuple[Pair, ...], pool: futures.Executor) -> dict:
    blocks = [
        pairs[i : i + _LOAD_BLOCK] for i in range(0, len(pairs), _LOAD_BLOCK)
    ]
    loaded = list(pool.map(load_block, blocks))
    metres = positions(pairs)
    if metres is None:
        raise ValueError("the world's places have no positions")
    # Near their mean, float32 holds them to a centimetre.
    metres -= metres.mean(axis=0)
    return {
        "ground": np.concatenate([ground for ground, _ in loaded]),
        "satellite": np.concatenate([satellite for _, satellite in loaded]),
        "positions": metres.astype(np.float32),
    }


def load_block(pairs: tuple[Pair, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Network inputs of some pairs, uint8 [n, H, W, 3] each."""
    return (
        np.stack([load_ground(pair.ground, IMAGE) for pair in pairs]),
        np.stack([load_satellite(pair.aerial, IMAGE) for pair in pairs]),
    )


def random_data(rng: np.random.Generator, pairs: int) -> dict:
    """Noise of the shapes of a training split, far apart."""
    shape = (pairs, *IMAGE, 3)
    return {
        "ground": jnp.asarray(rng.integers(0, 256, shape, np.uint8)),
        "satellite": jnp.asarray(rng.integers(0, 256, shape, np.uint8)),
        "positions": jnp.arange(3.0 * pairs).reshape(pairs, 3) * 1000,
    }


def memory() -> str:
    """The device's largest use of memory so far, where it says so."""
    stats = jax.devices()[0].memory_stats() or {}
    return f"peak memory {stats.get('peak_bytes_in_use', 0) / 2**30:.1f} GiB"
