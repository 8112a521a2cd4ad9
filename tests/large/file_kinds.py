"""Small sound files of every kind that the programs read, and their readers."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import scipy.io

from mgtl_tf.config import ModelConfig, RunConfig
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.datasets.decoded_cache.prepared import open_prepared
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.export.saved_model import export_model
from mgtl_tf.galleries.builder import SatelliteEncoder, build_index
from mgtl_tf.galleries.encoder import Encoder
from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.galleries.growing import GrowingGallery
from mgtl_tf.galleries.named_images import named_images
from mgtl_tf.galleries.places import find_places
from mgtl_tf.models import build_model
from mgtl_tf.models.pretrained_vit import vit_names
from mgtl_tf.reproduction.publish import write_page
from mgtl_tf.retrieval.ann.opening import build_engine, open_engine
from mgtl_tf.retrieval.calibration.confidence import Confidence, SequenceModel
from mgtl_tf.retrieval.calibration.stored import (
    Calibration,
    MeasuredCalibration,
    fingerprint,
    load_calibration,
    save_calibration,
)
from mgtl_tf.training.checkpoint import Checkpoints, load_model
from mgtl_tf.training.environment import describe, read_environment
from mgtl_tf.training.logs import read_metrics
from mgtl_tf.training.progress import Progress
from mgtl_tf.workflows.prepare import prepare
from polar.image_files import read_image
from tests.large.mutations import (
    BYTES,
    TEXT,
    Change,
    crafted_json,
    crafted_lines,
    swapped,
)

Reader = Callable[[], Any]
CHANGES: dict[str, list[Change]] = {
    ".json": [crafted_json] * len(BYTES) + BYTES,
    ".jsonl": [crafted_lines] * len(BYTES) + BYTES,
    ".csv": BYTES + TEXT * 2,
}
# A whole file of somebody else's is one that the user may give.
GIVEN = [change for change in BYTES if change is not swapped]

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
_IDS = [f"{number:07d}" for number in range(1, 41)]
_PLAN = {"model": "f" * 64, "images": "many"}
_ROWS = 8


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: patterns of its files in a sound folder.
        begin: from a folder to the function that reads it.
        weight: how many of the tries are its own, beside others.
        checked: whether what is read carries checksums: then a changed file
            is refused, or its answer the same.
        given: what is done to files that the user gives; None: the changes
            of their suffix.
    """

    name: str
    begin: Callable[[Path], Reader]
    weight: float = 1.0
    checked: bool = False
    given: list[Change] | None = None

    @property
    def changes(self) -> list[Change]:
        """What is done to its files."""
        return self.given or CHANGES.get(Path(self.name).suffix, BYTES)


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
    for name in _IDS:
        for view, size in (("aerial", (32, 32)), ("ground", (16, 64))):
            pixels = random.integers(0, 256, (*size, 3), np.uint8)
            cv2.imwrite(str(root / view / f"{name}.png"), pixels)
    own = [f"{n},../ground/{n}.png,../aerial/{n}.png,46.9,7.4" for n in _IDS]
    header = "id,ground,aerial,latitude,longitude"
    for split in ("train", "validation"):
        _lines(root / f"own/{split}.csv", [header, *own])
        name = "val" if split == "validation" else split
        rows = [f"../aerial/{n}.png,../ground/{n}.png,x.png" for n in _IDS]
        _lines(root / f"cvusa/splits/{name}-19zl.csv", rows)
    where = [f"{n},46.9,{float(random.uniform(7, 8)):.6f}" for n in _IDS]
    _lines(root / "where.csv", ["id,latitude,longitude", *where])
    pairs = [f"aerial/{n}.png,ground/{n}.png" for n in _IDS]
    _lines(root / "queries.csv", ["aerial,ground", *pairs])
    _lines(root / "list.csv", [f"aerial/{n}.png" for n in _IDS])
    table = {
        "panoIds": np.array(_IDS),
        "utm": random.uniform(6e5, 7e5, (len(_IDS), 2)),
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
    growing = GrowingGallery(root / ".unfinished", _PLAN, _ROWS)
    for rows in random.normal(size=(5, 4, _ROWS)).astype(np.float32):
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


def _sums(variables: Any) -> list[float]:
    return [float(np.sum(np.asarray(v, np.float64))) for v in variables]


def _run(root: Path) -> Reader:
    return lambda: _sums(load_model(root / "run")[1].variables)


def _resume(root: Path) -> Reader:
    model = build_model(CONFIG.model)
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    saving = Checkpoints(root / "run", model, optimizer)

    def read() -> Any:
        progress = saving.restore_last()
        if progress is None:
            return None
        rows = np.asarray(progress.neighbours).tolist()
        return progress.step, rows, _sums(model.variables)

    return read


def _gallery(root: Path) -> Reader:
    def read() -> Any:
        index = load_index(root / "gallery")
        engine = open_engine(index, "exact")
        found = engine.search(np.array(index.descriptors[:3]), 5)
        places = [(p.id, p.image.name, p.coordinates) for p in index.places]
        return np.asarray(found[1]).tolist(), places

    return read


def _calibration(root: Path) -> Reader:
    index = load_index(root / "gallery")
    return lambda: load_calibration(index)


def _engine(root: Path) -> Reader:
    index = load_index(root / "gallery")
    queries = np.array(index.descriptors[:3])

    def read() -> Any:
        found = open_engine(index, "float16").search(queries, 5)
        return np.asarray(found[1]).tolist()

    return read


def _model(root: Path) -> Reader:
    image = read_image(root / f"ground/{_IDS[0]}.png")

    def read() -> Any:
        encoder = Encoder(root / "export")
        inputs = encoder.ground_input(image)
        found = encoder.encode_ground([inputs]).round(5).tolist()
        return encoder.model_hash, found

    return read


def _unfinished(root: Path) -> Reader:
    sound = root / ".sound"
    shutil.copytree(root / ".unfinished", sound, dirs_exist_ok=True)
    whole = GrowingGallery(sound, _PLAN, _ROWS).done

    def read() -> Any:
        growing = GrowingGallery(root / ".unfinished", _PLAN, _ROWS)
        growing.close()
        # What is not counted any more is embedded again.
        fits = growing.done == growing.kept <= whole and not growing.gaps
        return "sound" if fits else (growing.done, growing.gaps)

    return read


def _prepared(root: Path) -> Reader:
    pairs = read_dataset("csv", root / "own").train
    settings = CacheSettings("csv", (8, 32), (0.0, 1.0))
    rows = np.arange(len(pairs))

    def read() -> Any:
        images = open_prepared(root / "prepared", pairs, settings).load(rows)
        return [int(view.sum()) for view in images]

    return read


def _vgg(name: str) -> Callable[[Path], Reader]:
    def begin(root: Path) -> Reader:
        model = build_model(ModelConfig(image_size=(32, 32), recurrent_steps=0))

        def read() -> Any:
            model.start_from(str(root / name))
            return _sums(model.variables)

        return read

    return begin


def _vit(root: Path) -> Reader:
    model = build_model(L2LTR)

    def read() -> Any:
        model.start_from(str(root / "vit.npz"))
        return _sums(model.variables)

    return read


def _listed(function: Callable[[Path], Any]) -> Callable[[Path], Reader]:
    return lambda root: lambda: len(str(function(root)))


KINDS = [
    Kind("run/config.json", _run, 2),
    Kind(
        "run/environment.json",
        _listed(lambda root: read_environment(root / "run")),
    ),
    Kind("run/checkpoints/best/ckpt-1.*", _run, 2, checked=True),
    Kind("run/checkpoints/last/ckpt-1.*", _resume, 2, checked=True),
    Kind("run/metrics.jsonl", _listed(lambda root: read_metrics(root / "run"))),
    Kind("export/model.json", _model, 3, checked=True),
    Kind("export/saved_model.pb export/variables/*", _model, 3, checked=True),
    Kind("gallery/index.json", _gallery, 4, checked=True),
    Kind("gallery/*.npy", _gallery, 4, checked=True),
    Kind("gallery/calibration.json", _calibration, 3, checked=True),
    Kind("gallery/engines/float16/engine.json", _engine, 2, checked=True),
    Kind("gallery/engines/float16/index.faiss", _engine, 2, checked=True),
    Kind(".unfinished/unfinished.jsonl", _unfinished, 2, checked=True),
    Kind(".unfinished/descriptors.npy", _unfinished, checked=True),
    Kind("prepared/*/manifest.json", _prepared, 2, checked=True),
    Kind("prepared/*/*.npy", _prepared),
    Kind("vit.npz", _vit, 3, checked=True, given=GIVEN),
    Kind("vgg.weights.h5", _vgg("vgg.weights.h5"), 0.6),
    Kind("vgg.keras", _vgg("vgg.keras"), 0.6, checked=True, given=GIVEN),
    Kind(
        "own/*.csv", _listed(lambda root: read_dataset("csv", root / "own")), 2
    ),
    Kind(
        "cvusa/splits/*.csv",
        _listed(lambda root: read_dataset("cvusa", root / "cvusa", [])),
        2,
    ),
    Kind(
        "where.csv",
        _listed(lambda r: find_places([r / "aerial"], r / "where.csv")),
        2,
    ),
    Kind("list.csv", _listed(lambda root: find_places([root / "list.csv"])), 2),
    Kind(
        "queries.csv",
        _listed(lambda root: named_images(root / "queries.csv", "ground")),
        2,
    ),
    Kind(
        "cvact/ACT_data.mat",
        _listed(lambda root: read_dataset("cvact", root / "cvact", [])),
        2,
    ),
    Kind(
        "packed/ACT_data.mat",
        _listed(lambda root: read_dataset("cvact", root / "packed", [])),
        2,
    ),
    Kind(
        "docs/results/*.json",
        _listed(lambda root: write_page(root / "docs").read_text()),
    ),
]
