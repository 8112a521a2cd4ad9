"""The SavedModel, opened by TensorFlow alone in another process."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf import build_model
from mgtl_tf.config import ModelConfig
from mgtl_tf.config import RunConfig
from mgtl_tf.data.preprocess import load_ground
from mgtl_tf.data.preprocess import load_satellite
from mgtl_tf.data.preprocess_graph import ground_image
from mgtl_tf.data.preprocess_graph import satellite_image
from mgtl_tf.errors import UserError
from mgtl_tf.export import export_model
from mgtl_tf.export import model_hash

CONFIG = RunConfig(
    model=ModelConfig(
        image_size=(32, 160),
        width_multiplier=0.125,
        poolings=3,
        channels=24,
        heads=2,
        recurrent_steps=1,
    )
).replace(ground_crop=(0.25, 0.75))

# Prints the descriptors of files, given by name, and of all of them at once.
READER = """
import json, sys
import tensorflow as tf
assert not any(m.startswith(("mgtl_tf", "polar")) for m in sys.modules)
try:
    import mgtl_tf
    raise SystemExit("the package can be imported")
except ImportError:
    pass
encode = tf.saved_model.load(sys.argv[1]).signatures[sys.argv[2]]
images = [open(name, "rb").read() for name in sys.argv[3:]]
single = [encode(image_bytes=tf.constant([i]))["descriptor"] for i in images]
many = encode(image_bytes=tf.constant(images))["descriptor"]
assert many.dtype == tf.float32
both = tf.stack([tf.concat(single, 0), many])
print(json.dumps(both.numpy().tolist()))
"""


def photograph(path, height, width, seed):
    """A smooth random picture, as JPEG or PNG by the name."""
    noise = np.random.default_rng(seed).normal(128, 90, (height, width, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 3) * 4 - 384
    assert cv2.imwrite(str(path), np.clip(smooth, 0, 255).astype(np.uint8))
    return path


@pytest.fixture(scope="module")
def model():
    return build_model(CONFIG.model)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    return export_model(
        model, CONFIG, tmp_path_factory.mktemp("run") / "export"
    )


def in_another_process(exported, signature, paths, tmp_path):
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith("PYTHON")
    }
    # -S: without site-packages of an editable installation, whose finder
    # would still know this package.
    site = next(p for p in sys.path if p.endswith("site-packages"))
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c"]
        + [f"import sys; sys.path.append({site!r})\n" + READER]
        + [str(exported), signature, *map(str, paths)],
        cwd=tmp_path,
        env={**environment, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return [np.array(rows) for rows in json.loads(run.stdout)]


def test_ground_of_any_size_in_another_process(exported, model, tmp_path):
    paths = [
        photograph(tmp_path / "a.jpg", 64, 320, 1),
        photograph(tmp_path / "b.png", 129, 511, 2),
        photograph(tmp_path / "c.jpg", 20, 90, 3),
    ]
    images = [load_ground(p, (32, 160), (0.25, 0.75)) for p in paths]
    expected = model.encode_ground(np.float32(images)).numpy()
    # Different enough that the comparison means something.
    assert np.abs(expected[0] - expected[1]).max() > 1e-2
    single, many = in_another_process(
        exported, "encode_ground", paths, tmp_path
    )
    np.testing.assert_allclose(single, expected, atol=1e-3)
    np.testing.assert_allclose(many, expected, atol=1e-3)


def test_satellite_is_polar_transformed_inside(exported, model, tmp_path):
    paths = [
        photograph(tmp_path / "a.jpg", 100, 100, 4),
        photograph(tmp_path / "b.png", 61, 61, 5),
    ]
    images = [load_satellite(p, (32, 160)) for p in paths]
    expected = model.encode_satellite(np.float32(images))
    single, many = in_another_process(
        exported, "encode_satellite", paths, tmp_path
    )
    np.testing.assert_allclose(single, expected, atol=1e-3)
    np.testing.assert_allclose(many, expected, atol=1e-3)


def test_signatures_are_the_contract(exported):
    signatures = tf.saved_model.load(str(exported)).signatures
    for name in ("encode_ground", "encode_satellite"):
        _, inputs = signatures[name].structured_input_signature
        assert inputs["image_bytes"].shape.as_list() == [None]
        assert inputs["image_bytes"].dtype == tf.string
        output = signatures[name].structured_outputs["descriptor"]
        assert output.dtype == tf.float32
        assert output.shape.as_list() == [None, 20 * 24]


def test_wrong_bytes_are_refused_with_a_reason(exported, tmp_path):
    signatures = tf.saved_model.load(str(exported)).signatures
    whole = photograph(tmp_path / "a.jpg", 50, 70, 6).read_bytes()
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="square.* 50 x 70"
    ):
        signatures["encode_satellite"](image_bytes=tf.constant([whole]))
    for wrong in (b"", b"text", whole[: len(whole) // 2]):
        with pytest.raises(refused):
            signatures["encode_ground"](image_bytes=tf.constant([wrong]))


def test_model_json_names_the_weights(exported, model, tmp_path):
    details = json.loads((exported / "model.json").read_text())
    assert details["dimension"] == 480
    assert details["ground_crop"] == [0.25, 0.75]
    assert details["config"]["model"]["channels"] == 24
    assert details["model_hash"] == model_hash(model, CONFIG)
    other = build_model(CONFIG.model)
    assert model_hash(other, CONFIG) != details["model_hash"]
    other.set_weights(model.get_weights())
    assert model_hash(other, CONFIG) == details["model_hash"]
    uncropped = CONFIG.replace(ground_crop=(0.0, 1.0))
    assert model_hash(other, uncropped) != details["model_hash"]


def test_replaces_an_older_export_and_nothing_else(exported, model, tmp_path):
    with pytest.raises(UserError, match="already holds other files"):
        (tmp_path / "thesis.txt").write_text("years of work")
        export_model(model, CONFIG, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
    (exported / "old").touch()
    export_model(model, CONFIG, exported)
    assert not (exported / "old").exists()
    assert [p.name for p in exported.parent.iterdir()] == ["export"]


@pytest.mark.parametrize("size", [(32, 160), (40, 333), (150, 700)])
@pytest.mark.parametrize("crop", [(0.0, 1.0), (0.25, 0.75), (0.5, 0.5001)])
def test_graph_prepares_panoramas_as_the_pipeline_does(tmp_path, size, crop):
    path = photograph(tmp_path / "a.jpg", 83, 331, 7)
    mine = ground_image(tf.constant(path.read_bytes()), size, crop).numpy()
    theirs = load_ground(path, size, crop).astype(np.float32)
    # OpenCV enlarges in fixed point, off by up to one level on each axis.
    assert np.abs(mine - theirs).max() <= 2
    if size == (32, 160) and crop == (0.0, 1.0):
        np.testing.assert_array_equal(mine, theirs)


def test_graph_prepares_aerial_images_as_the_pipeline_does(tmp_path):
    path = photograph(tmp_path / "a.png", 75, 75, 8)
    mine = satellite_image(tf.constant(path.read_bytes()), (28, 154)).numpy()
    theirs = load_satellite(path, (28, 154)).astype(np.float32)
    assert np.abs(mine - theirs).max() <= 1
