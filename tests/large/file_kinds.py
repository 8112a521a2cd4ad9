"""Every kind of file that the programs read, and what reads it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from mgtl_tf.config import ModelConfig
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.datasets.decoded_cache.prepared import open_prepared
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.galleries.encoder import Encoder
from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.galleries.growing import GrowingGallery
from mgtl_tf.galleries.named_images import named_images
from mgtl_tf.galleries.places import find_places
from mgtl_tf.models import build_model
from mgtl_tf.reproduction.publish import write_page
from mgtl_tf.retrieval.ann.opening import open_engine
from mgtl_tf.retrieval.calibration.stored import (
    load_calibration,
)
from mgtl_tf.training.checkpoint import Checkpoints, load_model
from mgtl_tf.training.environment import read_environment
from mgtl_tf.training.logs import read_metrics
from polar.image_files import read_image
from tests.large.mutations import (
    BYTES,
    TEXT,
    Change,
    crafted_json,
    crafted_lines,
    swapped,
)
from tests.large.sound_files import CONFIG, IDS, L2LTR, PLAN, ROWS

Reader = Callable[[], Any]
CHANGES: dict[str, list[Change]] = {
    ".json": [crafted_json] * len(BYTES) + BYTES,
    ".jsonl": [crafted_lines] * len(BYTES) + BYTES,
    ".csv": BYTES + TEXT * 2,
}
# A whole file of somebody else's is one that the user may give.
GIVEN = [change for change in BYTES if change is not swapped]


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
    image = read_image(root / f"ground/{IDS[0]}.png")

    def read() -> Any:
        encoder = Encoder(root / "export")
        inputs = encoder.ground_input(image)
        found = encoder.encode_ground([inputs]).round(5).tolist()
        return encoder.model_hash, found

    return read


def _unfinished(root: Path) -> Reader:
    sound = root / ".sound"
    shutil.copytree(root / ".unfinished", sound, dirs_exist_ok=True)
    whole = GrowingGallery(sound, PLAN, ROWS).done

    def read() -> Any:
        growing = GrowingGallery(root / ".unfinished", PLAN, ROWS)
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
