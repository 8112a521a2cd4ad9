"""Small sound files of every kind that the programs read."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import scipy.io

from mgtl_tf.config import ModelConfig, RunConfig
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.export.saved_model import export_model
from mgtl_tf.galleries.builder import SatelliteEncoder, build_index
from mgtl_tf.galleries.encoder import Encoder
from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.galleries.growing import GrowingGallery
from mgtl_tf.galleries.places import find_places
from mgtl_tf.models import build_model
from mgtl_tf.models.pretrained_vit import vit_names
from mgtl_tf.retrieval.ann.opening import build_engine
from mgtl_tf.retrieval.calibration.confidence import Confidence, SequenceModel
from mgtl_tf.retrieval.calibration.stored import (
    Calibration,
    MeasuredCalibration,
    fingerprint,
    save_calibration,
)
from mgtl_tf.training.checkpoint import Checkpoints
from mgtl_tf.training.environment import describe
from mgtl_tf.training.progress import Progress
from mgtl_tf.workflows.prepare import prepare

CONFIG = RunConfig(
    model=ModelConfig(
        image_size=(32, 64),
        width_multiplier=1 / 16,
        poolings=2,
        channels=8,
        heads=2,
        recurrent_steps=0,
        backbone_normalization="batch",
    )
)
L2LTR = ModelConfig(
    system="l2ltr",
    image_size=(16, 48),
    width_multiplier=1 / 16,
    stem_blocks=(1, 2, 1),
    vit_blocks=3,
    channels=12,
    heads=3,
    mlp_ratio=2,
)
IDS = [f"{number:07d}" for number in range(1, 41)]
PLAN = {"model": "f" * 64, "images": "many"}
ROWS = 8


def make(root: Path, seed: int) -> None:
    """Writes sound files of every kind; other ones for another seed."""
    keras.utils.set_random_seed(seed)
    model = _make_run(root / "run", seed)
    export_model(model, CONFIG, root / "export")
    make_light(root, seed, Encoder(root / "export"))
    _make_weights(root, seed)
    build_engine(load_index(root / "gallery"), "float16", progress=False)
    results = Path(__file__).parents[2] / "docs/results"
    shutil.copytree(results, root / "docs/results")


def make_light(root: Path, seed: int, encoder: SatelliteEncoder) -> None:
    """Those of them that need no network, but for the gallery's.

    Args:
        root: where they go.
        seed: other files for another.
        encoder: makes the gallery's descriptors.
    """
    random = np.random.default_rng(seed)
    _make_pairs(root, random)
    _make_gallery(root, random, encoder)
    settings = CacheSettings("csv", (8, 32), (0.0, 1.0))
    prepare(root / "own", root / "prepared", settings, 1, False)


def _make_pairs(root: Path, random: np.random.Generator) -> None:
    for folder in ("own", "cvusa/splits", "aerial", "ground"):
        (root / folder).mkdir(parents=True)
    for name in IDS:
        for view, size in (("aerial", (32, 32)), ("ground", (16, 64))):
            pixels = random.integers(0, 256, (*size, 3), np.uint8)
            cv2.imwrite(str(root / view / f"{name}.png"), pixels)
    own = [f"{n},../ground/{n}.png,../aerial/{n}.png,46.9,7.4" for n in IDS]
    header = "id,ground,aerial,latitude,longitude"
    for split in ("train", "validation"):
        _lines(root / f"own/{split}.csv", [header, *own])
        name = "val" if split == "validation" else split
        rows = [f"../aerial/{n}.png,../ground/{n}.png,x.png" for n in IDS]
        _lines(root / f"cvusa/splits/{name}-19zl.csv", rows)
    where = [f"{n},46.9,{float(random.uniform(7, 8)):.6f}" for n in IDS]
    _lines(root / "where.csv", ["id,latitude,longitude", *where])
    pairs = [f"aerial/{n}.png,ground/{n}.png" for n in IDS]
    _lines(root / "queries.csv", ["aerial,ground", *pairs])
    _lines(root / "list.csv", [f"aerial/{n}.png" for n in IDS])
    table = {
        "panoIds": np.array(IDS),
        "utm": random.uniform(6e5, 7e5, (len(IDS), 2)),
        "trainSet": {"trainInd": np.arange(1, 31)[:, None]},
        "valSet": {"valInd": np.arange(31, 41)[:, None]},
    }
    for name in ("cvact", "packed"):
        (root / name).mkdir()
        path = root / name / "ACT_data.mat"
        scipy.io.savemat(path, table, do_compression=name == "packed")


def _lines(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n")


def _make_run(folder: Path, seed: int) -> Any:
    model = build_model(CONFIG.model)
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    saving = Checkpoints(folder, model, optimizer)
    progress = Progress(7 + seed, data="d", network=CONFIG.network)
    neighbours = np.arange(12).reshape(4, 3)
    saving.save_last(dataclasses.replace(progress, neighbours=neighbours))
    saving.save_best(progress)
    (folder / "config.json").write_text(CONFIG.to_json())
    (folder / "environment.json").write_text(json.dumps(describe()))
    record = {"kind": "train", "step": 1, "loss": 0.5}
    _lines(folder / "metrics.jsonl", [json.dumps(record)] * 20)
    return model


def _make_gallery(
    root: Path, random: np.random.Generator, encoder: SatelliteEncoder
) -> None:
    places = find_places([root / "aerial"], root / "where.csv")
    build_index(encoder, places, root / "gallery", 16, False)
    index = load_index(root / "gallery")
    sure = Confidence(float(random.uniform(20, 30)))
    of = (25.0, index.model_hash, fingerprint(index), 0.1)
    drive, errors = SequenceModel(20.0, outside_share=0.1), {"inside": 0.01}
    measured = MeasuredCalibration(9, 0.5, 0.1, 0.1, 0.2, errors)
    fitted = Calibration(sure, *of, drive, measured)
    save_calibration(fitted, index.folder)
    growing = GrowingGallery(root / ".unfinished", PLAN, ROWS)
    for rows in random.normal(size=(5, 4, ROWS)).astype(np.float32):
        growing.append(rows, [])
    growing.close()


def _make_weights(root: Path, seed: int) -> None:
    found: dict[str, Any] = {}
    network = build_model(L2LTR).ground
    for variable, name in vit_names(network):
        shape = tuple(variable.shape)
        shape = (1, 17, shape[-1]) if name.endswith("pos_embedding") else shape
        found[name] = np.full(shape, 0.5 + seed, np.float32)
    np.savez(root / "vit.npz", **found)
    vgg = keras.applications.VGG16(include_top=False, weights=None)
    for name in ("vgg.weights.h5", "vgg.keras"):
        vgg.save(root / name) if "keras" in name else vgg.save_weights(
            root / name
        )
