"""Aerial images without polar transform, of a size of their own, throughout."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf import build_model
from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.preprocess import (
    load_ground,
    load_satellite,
    read_panorama,
)
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.datasets.sources import VIEWS, FileSource
from mgtl_tf.export.saved_model import export_model
from mgtl_tf.galleries.encoder import Encoder
from mgtl_tf.retrieval.localizer import Localizer
from mgtl_tf.training.checkpoint import load_model
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows import train as workflow
from mgtl_tf.workflows.features import open_features
from mgtl_tf.workflows.index import index_gallery
from tests.tiny_runs import TINY, write_noisy_cvusa

SQUARE = TINY.replace(
    system="safa",
    satellite_size=(12, 12),
    satellite_form="square",
    poolings=2,
    batch_size=2,
    max_steps=1,
    evaluate_every=0,
)


@pytest.fixture
def eagerly(eager, monkeypatch):
    """No step is traced, and no report is written."""
    monkeypatch.setattr(workflow, "write_run_report", lambda *_: None)


def test_training_reads_and_turns_them(tmp_path, eagerly):
    world, run = tmp_path / "world", tmp_path / "run"
    write_noisy_cvusa(world, 2)
    config = SQUARE.replace(data_dir=str(world), roll_and_mirror=True)
    assert workflow.train(config, run)
    assert RunConfig.load(run) == config
    assert load_model(run, "last")[1].config == config.model
    aerials = sorted((world / "bingmap/19").iterdir())
    wanted = [load_satellite(path, (12, 12), "square") for path in aerials]
    kept = np.load(run / "cache/train/satellite.npy")
    np.testing.assert_array_equal(kept, wanted)


def test_exported_indexed_and_located(tmp_path):
    world, folder = tmp_path / "world", tmp_path / "export"
    write_noisy_cvusa(world, 4)
    model = build_model(SQUARE.model)
    export_model(model, SQUARE, folder)
    aerials = sorted((world / "bingmap/19").iterdir())
    encode = tf.saved_model.load(str(folder)).signatures["encode_satellite"]
    contents = tf.constant([path.read_bytes() for path in aerials])
    answer = encode(image_bytes=contents)
    inputs = [load_satellite(path, (12, 12), "square") for path in aerials]
    expected = model.encode_satellite(np.float32(inputs)).numpy()
    np.testing.assert_allclose(answer["descriptor"], expected, atol=1e-4)
    own = {"satellite_size": [12, 12], "satellite_form": "square"}
    common = {"image_size": [8, 16], "ground_crop": [0.0, 1.0]}
    kept = Encoder(folder).preprocessing
    assert {**kept, **common, **own} == kept

    index_gallery(folder, [world / "bingmap/19"], tmp_path / "gallery")
    localizer = Localizer.load(folder, tmp_path / "gallery")
    panorama = world / "streetview/2.png"
    found = localizer.locate(read_panorama(panorama).pixels)
    query = model.encode_ground(np.float32([load_ground(panorama, (8, 16))]))
    similarities = sorted(expected @ query.numpy()[0], reverse=True)
    assert [a.similarity for a in found.answers] == pytest.approx(
        similarities, abs=1e-4
    )


def test_cached_features_are_their_views_and_do_not_roll(tmp_path, eagerly):
    write_noisy_cvusa(tmp_path / "world", 2)
    pairs = read_dataset("cvusa", tmp_path / "world").train
    files = FileSource(pairs, SQUARE.model.input_form)
    data = SQUARE.replace(feature_cache=str(tmp_path / "features")).data
    model = build_model(SQUARE.model)
    model.freeze_blocks(2)
    source = open_features(data, model, pairs, lambda: files)
    rows = np.arange(2)
    images = {
        v: np.float32(x) for v, x in zip(VIEWS, files.load(rows), strict=True)
    }
    for view, found in zip(VIEWS, source.load(rows), strict=True):
        wanted = model.frozen_features(images)[view]
        np.testing.assert_allclose(found, wanted, rtol=1e-2, atol=1e-2)
    rolling = dataclasses.replace(data, roll_features=True)
    with pytest.raises(UserError, match="roll_features: columns of square"):
        open_features(rolling, model, pairs, lambda: files)
