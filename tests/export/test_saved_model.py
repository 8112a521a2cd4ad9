"""The SavedModel, opened by TensorFlow alone in another process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf import build_model
from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.preprocess import load_ground, load_satellite
from mgtl_tf.datasets.preprocess_graph import ground_image, satellite_image
from mgtl_tf.export.saved_model import export_model, model_hash
from mgtl_tf.retrieval.encoder import Encoder, UnreadableImage
from mgtl_tf.utils.errors import UserError
from polar.image_files import read_image
from tests.tiny_runs import ONE_STEP

REAL = Path(__file__).parents[3] / "shared/data/real_pairs/CVUSA"
SIZE = ONE_STEP.image_size
CONFIG = RunConfig(model=ONE_STEP).replace(ground_crop=(0.25, 0.75))

# Prints descriptors of the files of each view, one by one and all at once.
READER = """
import json, sys
import tensorflow as tf
try:
    import mgtl_tf
    raise SystemExit("the package can be imported")
except ImportError:
    pass
signatures = tf.saved_model.load(sys.argv[1]).signatures
answers = {}
for name, paths in json.loads(sys.argv[2]).items():
    def encode(images):
        answer = signatures[name](image_bytes=tf.constant(images))
        assert answer["descriptor"].dtype == tf.float32
        return answer["descriptor"]
    images = [open(path, "rb").read() for path in paths]
    single = tf.concat([encode([image]) for image in images], 0)
    answers[name] = tf.stack([single, encode(images)]).numpy().tolist()
assert not any(m.startswith(("mgtl_tf", "polar")) for m in sys.modules)
print(json.dumps(answers))
"""


def photograph(path, height, width, seed):
    """A smooth random picture, as JPEG or PNG by the name."""
    noise = np.random.default_rng(seed).normal(128, 90, (height, width, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 3) * 4 - 384
    assert cv2.imwrite(str(path), np.clip(smooth, 0, 255).astype(np.uint8))
    return path


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return build_model(CONFIG.model)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    return export_model(
        model, CONFIG, tmp_path_factory.mktemp("run") / "export"
    )


def in_another_process(exported, paths, tmp_path):
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith("PYTHON")
    }
    # -S: without site-packages of an editable installation, whose finder
    # would still know this package.
    site = next(p for p in sys.path if p.endswith("site-packages"))
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c"]
        + [f"import sys; sys.path.append({site!r})\n" + READER]
        + [str(exported), json.dumps(paths)],
        cwd=tmp_path,
        env={**environment, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return {k: np.array(rows) for k, rows in json.loads(run.stdout).items()}


def test_descriptors_in_a_process_without_the_package(
    exported, model, tmp_path
):
    panoramas = [
        photograph(tmp_path / "a.jpg", 64, 320, 1),
        photograph(tmp_path / "b.png", 129, 511, 2),
        photograph(tmp_path / "c.jpg", 20, 90, 3),
    ]
    aerials = [
        photograph(tmp_path / "d.jpg", 100, 100, 4),
        photograph(tmp_path / "e.png", 61, 61, 5),
    ]
    paths = {
        "encode_ground": list(map(str, panoramas)),
        "encode_satellite": list(map(str, aerials)),
    }
    found = in_another_process(exported, paths, tmp_path)
    expected = {
        "encode_ground": model.encode_ground(
            np.float32([load_ground(p, SIZE, (0.25, 0.75)) for p in panoramas])
        ),
        "encode_satellite": model.encode_satellite(
            np.float32([load_satellite(p, SIZE) for p in aerials])
        ),
    }
    for name, (single, many) in found.items():
        wanted = expected[name].numpy()
        np.testing.assert_allclose(single, wanted, atol=1e-3)
        np.testing.assert_allclose(many, wanted, atol=1e-3)
        # Different enough that the comparisons mean something.
        assert np.abs(wanted[0] - wanted[1]).max() > 5e-3


@pytest.mark.skipif(not REAL.is_dir(), reason=f"needs {REAL}")
def test_real_photographs_give_the_same_descriptors(model, tmp_path):
    config = CONFIG.replace(ground_crop=(0.0, 1.0))
    folder = export_model(model, config, tmp_path / "export")
    signatures = tf.saved_model.load(str(folder)).signatures
    for view, load, path in (
        ("ground", load_ground, "streetview/panos"),
        ("satellite", load_satellite, "bingmap/19"),
    ):
        signature = f"encode_{view}"
        encode = getattr(model, signature)
        images = sorted((REAL / path).glob("*.jpg"))
        assert len(images) == 5
        contents = tf.constant([image.read_bytes() for image in images])
        mine = signatures[signature](image_bytes=contents)["descriptor"]
        theirs = encode(np.float32([load(image, SIZE) for image in images]))
        np.testing.assert_allclose(mine, theirs, atol=1e-3)


def test_signatures_are_the_contract(exported):
    signatures = tf.saved_model.load(str(exported)).signatures
    for name in ("encode_ground", "encode_satellite"):
        _, inputs = signatures[name].structured_input_signature
        assert inputs["image_bytes"].shape.as_list() == [None]
        assert inputs["image_bytes"].dtype == tf.string
        output = signatures[name].structured_outputs["descriptor"]
        assert output.dtype == tf.float32
        assert output.shape.as_list() == [None, 20 * 24]


def test_a_batch_of_none_has_no_descriptors(exported):
    signatures = tf.saved_model.load(str(exported)).signatures
    for name in ("encode_ground", "encode_satellite"):
        answer = signatures[name](image_bytes=tf.zeros([0], tf.string))
        assert answer["descriptor"].shape == (0, 480)
        pixels = tf.zeros([0, *SIZE, 3], tf.uint8)
        answer = signatures[f"{name}_pixels"](pixels=pixels)
        assert answer["descriptor"].shape == (0, 480)


def test_encoder_preprocesses_as_training_does(exported, model, tmp_path):
    encoder = Encoder(exported)
    ground = photograph(tmp_path / "a.jpg", 129, 511, 2)
    aerial = photograph(tmp_path / "b.png", 61, 61, 5)
    inputs = encoder.ground_input(read_image(ground))
    expected = load_ground(ground, SIZE, (0.25, 0.75))
    np.testing.assert_array_equal(inputs, expected)
    np.testing.assert_allclose(
        encoder.encode_ground([inputs]),
        model.encode_ground(np.float32([expected])),
        atol=1e-5,
    )
    inputs = encoder.satellite_input(read_image(aerial))
    expected = load_satellite(aerial, SIZE)
    np.testing.assert_array_equal(inputs, expected)
    np.testing.assert_allclose(
        encoder.encode_satellite([inputs]),
        model.encode_satellite(np.float32([expected])),
        atol=1e-5,
    )
    with pytest.raises(UnreadableImage, match="must be square"):
        encoder.satellite_input(np.zeros((50, 70, 3), np.uint8))


def test_an_export_without_pixel_signatures_is_refused(
    exported, tmp_path, monkeypatch
):
    class Earlier:
        signatures = {"encode_ground": None, "encode_satellite": None}

    monkeypatch.setattr(tf.saved_model, "load", lambda _: Earlier)
    with pytest.raises(UserError, match="earlier version.*export again"):
        Encoder(exported)


def test_wrong_bytes_are_refused_with_a_reason(exported, tmp_path):
    signatures = tf.saved_model.load(str(exported)).signatures
    whole = photograph(tmp_path / "a.jpg", 50, 70, 6).read_bytes()
    refused = tf.errors.InvalidArgumentError
    with pytest.raises(refused, match="square, not 50 x 70"):
        signatures["encode_satellite"](image_bytes=tf.constant([whole]))
    # TensorFlow's decoder takes WebP, as a film of one picture.
    webp = photograph(tmp_path / "a.webp", 50, 50, 6).read_bytes()
    for wrong in (b"", b"text", whole[: len(whole) // 2], webp):
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
