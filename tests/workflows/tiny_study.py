"""A tiny benchmark, its data and the files that its runs leave behind."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np

from mgtl_tf.config import DataConfig
from mgtl_tf.reproduction.benchmark import Condition, Search
from mgtl_tf.reproduction.benchmarks import SMALL
from mgtl_tf.reproduction.study import benchmark_study
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.workflows.further_sets import further_ranks_path, read_joint
from mgtl_tf.workflows.tables_request import TablesRequest
from tests.reproduction import fake_trainer

TINY = dataclasses.replace(
    SMALL,
    name="procedural-tiny",
    world=WorldSettings(seed=1, train_pairs=6, val_pairs=4),
    conditions=(
        Condition(
            "distractors",
            "Distractors",
            "elsewhere",
            WorldSettings(seed=3, train_pairs=0, val_pairs=8),
        ),
        Condition("turned", "Turned", "turned", protocol="unknown_orientation"),
        Condition("true", "Oracle", "a leak", knowledge="true"),
    ),
    common={
        **SMALL.common,
        "image_size": (8, 16),
        "width_multiplier": 1 / 64,
        "poolings": 1,
        "channels": 4,
        "heads": 2,
        "batch_size": 3,
        "max_steps": 2,
        "log_every": 1,
    },
    controls={
        "long_vgg": ("VGG16 only, longer", "vgg", {"max_steps": 3}),
    },
    settings={
        "vgg": {"learning_rate": 0.003},
        "toker_full": {"image_size": (24, 24)},
    },
    warm={
        "warm_vgg": ("VGG16 only, going on", "vgg", {"init_backbone": "vgg"})
    },
    search=Search(
        WorldSettings(seed=5, train_pairs=6, val_pairs=4), (0.1, 0.2), 1
    ),
    seeds=(0, 1),
)
KEYS = ("vgg", "without_cmi", "with_cmi")


def draw(settings, root, processes=1, progress=True):
    """In place of a world: pictures of noise, in its layout."""
    if root.exists():
        return
    random = np.random.default_rng(settings.seed)
    counts = settings.train_pairs, settings.val_pairs
    for split, count in zip(("train", "val"), counts, strict=True):
        rows = []
        for number in range(count):
            row = [f"{view}/{split}{number}.png" for view in "as"]
            for path, shape in zip(row, ((16, 16), (8, 16)), strict=True):
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                pixels = random.integers(0, 256, (*shape, 3), np.uint8)
                cv2.imwrite(str(root / path), pixels)
            rows.append(",".join(row))
        (root / "splits").mkdir(parents=True, exist_ok=True)
        (root / f"splits/{split}-19zl.csv").write_text("\n".join(rows))


def flag_of(job, name):
    (value,) = (
        part.removeprefix(f"--{name}=")
        for part in job.command
        if isinstance(part, str) and part.startswith(f"--{name}=")
    )
    return Path(value)


def measure(jobs, environments):
    """In place of experiments.evaluate: one place in four is found."""
    for job in jobs:
        run_dir = flag_of(job, "run_dir")
        stem = str(run_dir / "evaluation-procedural-validation")
        if str(flag_of(job, "protocol")) != "aligned":
            path = Path(f"{stem}-unknown_orientation-0-ranks.npz")
            fake_trainer.write_ranks(path, 1, 4, "4" * 16)
            continue
        if any(part.startswith("--knowledge=") for part in job.command):
            assert not run_dir.name.startswith(("vgg", "without"))
            path = Path(f"{stem}-true_knowledge-ranks.npz")
            fake_trainer.write_ranks(path, 4, 4, "4" * 16)
            continue
        assert flag_of(job, "data_cache").is_dir()
        assert flag_of(job, "data_dir").parts[-2:] == ("worlds", "distractors")
        path = Path(f"{stem}-distractors-ranks.npz")
        fake_trainer.write_ranks(path, 2, 8, "8" * 16)


def measure_also(jobs, environments):
    """In place of experiments.evaluate --also: three of five are found."""
    for job in jobs:
        assert (
            "--own=false" in job.command and "--checkpoint=best" in job.command
        )
        name, _, folder = str(flag_of(job, "also")).partition(":")
        joint = read_joint(((name, folder),), DataConfig())
        path = further_ranks_path(flag_of(job, "run_dir"), joint)
        fake_trainer.write_ranks(path, 3, 5, joint.gallery)


def tiny_request(folder, *numbers, seeds=(0,), **fields):
    study = benchmark_study(TINY, folder / "studies", {})
    return TablesRequest(study, numbers, seeds, measure_cost=False, **fields)
