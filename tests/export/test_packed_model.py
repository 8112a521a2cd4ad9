"""Models as one file in half precision, and those of the package."""

import keras
import numpy as np
import pytest

from mgtl_tf.config import ModelConfig, RunConfig
from mgtl_tf.export import shipped
from mgtl_tf.export.packed_model import read_packed, write_packed
from mgtl_tf.export.shipped import SHIPPED, model_folder
from mgtl_tf.galleries.encoder import Encoder
from mgtl_tf.models import build_model
from mgtl_tf.utils.errors import UserError

SIZE = (32, 80)


@pytest.fixture(scope="module")
def trained():
    """With one trunk in both branches, as a frozen one is."""
    keras.utils.set_random_seed(1)
    config = RunConfig(
        model=ModelConfig(
            system="safa", image_size=SIZE, width_multiplier=1 / 16
        )
    ).replace(ground_crop=(0.25, 0.75), data_dir="/home/someone/world")
    model = build_model(config.model)
    ground, satellite = model.backbones
    for ours, theirs in zip(satellite.weights, ground.weights, strict=True):
        ours.assign(theirs)
    return model, config


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/mgtl_tf"


def images(count=3):
    random = np.random.default_rng(0)
    return random.uniform(0, 255, (count, *SIZE, 3)).astype("float32")


def test_it_is_the_model_to_half_precision(trained, tmp_path):
    model, config = trained
    write_packed(model, config, tmp_path / "small.npz")
    again, read = read_packed(tmp_path / "small.npz")
    assert read.model == config.model
    assert read.data.ground_crop == (0.25, 0.75)
    assert read.data.data_dir != config.data.data_dir
    for ours, theirs in zip(again.weights, model.weights, strict=True):
        wanted = np.array(theirs)
        if wanted.ndim > 1:
            wanted = wanted.astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(ours, wanted)
    pairs = zip(
        again.encode_ground(images()),
        model.encode_ground(images()),
        strict=True,
    )
    assert min(float(np.dot(a, b)) for a, b in pairs) > 0.9999


def test_it_knows_what_it_was_trained_on(trained, tmp_path):
    """Which panoramas, how large an aerial image, whether any heading."""
    model, config = trained
    used = {"dataset": "cvact", "roll_and_mirror": True}
    used |= {"orientation_noise": 30.0, "ground_crop": (0.0, 1.0)}
    write_packed(model, config.replace(**used), tmp_path / "small.npz")
    data = read_packed(tmp_path / "small.npz")[1].data
    assert {name: getattr(data, name) for name in used} == used


def test_what_both_branches_share_is_stored_once(trained, tmp_path):
    model, config = trained
    path = tmp_path / "small.npz"
    write_packed(model, config, path)
    numbers = sum(int(np.prod(w.shape)) for w in model.weights)
    trunk = sum(int(np.prod(w.shape)) for w in model.backbones[0].weights)
    # Two bytes a number; names, headers and the config besides.
    assert path.stat().st_size < 2.1 * (numbers - trunk) + 40_000


def test_a_packed_file_stands_for_a_folder(trained, tmp_path, cache):
    model, config = trained
    path = tmp_path / "small.npz"
    write_packed(model, config, path)
    folder = model_folder(path)
    assert folder.parent == cache
    written = (folder / "model.json").stat().st_mtime_ns
    assert model_folder(str(path)) == folder
    assert (folder / "model.json").stat().st_mtime_ns == written
    again, _ = read_packed(path)
    pixels = images(1).astype(np.uint8)
    np.testing.assert_allclose(
        Encoder(folder).encode_ground(pixels),
        again.encode_ground(pixels),
        atol=1e-5,
    )


def test_a_folder_stands_for_itself(tmp_path, monkeypatch, cache):
    assert model_folder(tmp_path) == tmp_path
    assert model_folder(tmp_path / "none") == tmp_path / "none"
    # A user's own folder comes before a shipped model of its name.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "synthetic-to-real").mkdir()
    assert str(model_folder("synthetic-to-real")) == "synthetic-to-real"
    assert not cache.exists()


@pytest.mark.parametrize("harm", ["cut", "other", "infinite", "short"])
def test_another_file_is_refused_by_name(trained, tmp_path, cache, harm):
    model, config = trained
    path = tmp_path / "small.npz"
    write_packed(model, config, path)
    with np.load(path) as archive:
        arrays = dict(archive)
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-1000])
    elif harm == "other":
        np.savez(path, kernel=np.ones(3))
    elif harm == "infinite":
        name = next(n for n in arrays if arrays[n].ndim == 4)
        arrays[name] = np.full_like(arrays[name], np.inf)
        np.savez(path, **arrays)
    else:
        name = next(n for n in arrays if arrays[n].ndim == 4)
        arrays[name] = arrays[name][..., :-1]
        np.savez(path, **arrays)
    with pytest.raises(UserError, match=r"small\.npz: .*--packed wrote"):
        model_folder(path)
    assert not any(cache.glob("*")) if cache.exists() else True


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_are_small_and_open(name, cache):
    assert SHIPPED[name].stat().st_size <= 16_000_000
    folder = model_folder(name)
    encoder = Encoder(folder)
    size = tuple(encoder.details["image_size"])
    pixels = np.random.default_rng(0).integers(0, 256, (1, *size, 3), np.uint8)
    found = encoder.encode_ground(pixels)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
    assert shipped.cache_folder() == cache
