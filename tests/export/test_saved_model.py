"""The SavedModel: its signatures, its preprocessing, its model.json.

That TensorFlow alone opens it, test_systems_exported.py shows.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf import build_model
from mgtl_tf.datasets.panorama_shape import sphere_crop
from mgtl_tf.datasets.preprocess import load_ground, load_satellite
from mgtl_tf.datasets.preprocess_graph import ground_image, satellite_image
from mgtl_tf.export.model_folder import read_details
from mgtl_tf.export.saved_model import export_model, model_hash
from mgtl_tf.galleries.encoder import Encoder, UnreadableImage
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import sealed_text
from polar.image_files import read_image
from tests.exports import PROBE, picture

REAL = Path(__file__).parents[3] / "shared/data/real_pairs/CVUSA"
SIZE, CROP = PROBE.model.image_size, PROBE.data.ground_crop
NAMES = ("encode_ground", "encode_satellite")


@pytest.fixture(scope="module")
def signatures(tiny_export):
    return tf.saved_model.load(str(tiny_export.folder)).signatures


@pytest.fixture(scope="module")
def details(tiny_export):
    return json.loads((tiny_export.folder / "model.json").read_text())


def expected(model, grounds, aerials):
    """The model itself behind the pipeline that trains it."""
    inputs = [load_ground(path, SIZE, CROP) for path in grounds]
    others = [load_satellite(path, SIZE) for path in aerials]
    return {
        "encode_ground": model.encode_ground(np.float32(inputs)).numpy(),
        "encode_satellite": model.encode_satellite(np.float32(others)).numpy(),
    }


@pytest.mark.skipif(not REAL.is_dir(), reason=f"needs {REAL}")
def test_real_photographs_give_the_same_descriptors(tiny_export, signatures):
    files = [
        sorted((REAL / folder).glob("*.jpg"))
        for folder in ("streetview/panos", "bingmap/19")
    ]
    assert [len(own) for own in files] == [5, 5]
    wanted = expected(tiny_export.model, *files)
    for name, own in zip(NAMES, files, strict=True):
        contents = tf.constant([file.read_bytes() for file in own])
        mine = signatures[name](image_bytes=contents)["descriptor"]
        np.testing.assert_allclose(mine, wanted[name], atol=1e-3)


def test_signatures_are_the_contract(signatures, details):
    dimension = details["dimension"]
    for name in NAMES:
        _, inputs = signatures[name].structured_input_signature
        assert inputs["image_bytes"].shape.as_list() == [None]
        assert inputs["image_bytes"].dtype == tf.string
        output = signatures[name].structured_outputs["descriptor"]
        assert output.dtype == tf.float32
        assert output.shape.as_list() == [None, dimension]
        # A batch of none has no descriptors.
        answer = signatures[name](image_bytes=tf.zeros([0], tf.string))
        assert answer["descriptor"].shape == (0, dimension)
        pixels = tf.zeros([0, *SIZE, 3], tf.uint8)
        answer = signatures[f"{name}_pixels"](pixels=pixels)
        assert answer["descriptor"].shape == (0, dimension)


def test_encoder_preprocesses_as_training_does(tiny_export, tmp_path):
    encoder = Encoder(tiny_export.folder)
    ground = picture(tmp_path / "a.jpg", 129, 511, 2)
    aerial = picture(tmp_path / "b.png", 61, 61, 5)
    wanted = expected(tiny_export.model, [ground], [aerial])
    inputs = encoder.ground_input(read_image(ground))
    np.testing.assert_array_equal(inputs, load_ground(ground, SIZE, CROP))
    found = encoder.encode_ground([inputs])
    np.testing.assert_allclose(found, wanted["encode_ground"], atol=1e-5)
    inputs = encoder.satellite_input(read_image(aerial))
    np.testing.assert_array_equal(inputs, load_satellite(aerial, SIZE))
    found = encoder.encode_satellite([inputs])
    np.testing.assert_allclose(found, wanted["encode_satellite"], atol=1e-5)
    with pytest.raises(UnreadableImage, match="must be square"):
        encoder.satellite_input(np.zeros((50, 70, 3), np.uint8))


def test_an_export_without_pixel_signatures_is_refused(
    tiny_export, monkeypatch
):
    class Earlier:
        signatures = dict.fromkeys(NAMES)

    monkeypatch.setattr(tf.saved_model, "load", lambda _: Earlier)
    with pytest.raises(UserError, match="earlier version.*export again"):
        Encoder(tiny_export.folder)


def test_wrong_bytes_are_refused_with_a_reason(signatures, tmp_path):
    whole = picture(tmp_path / "a.jpg", 50, 70, 6).read_bytes()
    refused = tf.errors.InvalidArgumentError
    with pytest.raises(refused, match="square, not 50 x 70"):
        signatures["encode_satellite"](image_bytes=tf.constant([whole]))
    # TensorFlow's decoder takes WebP, as a film of one picture.
    webp = picture(tmp_path / "a.webp", 50, 50, 6).read_bytes()
    for wrong in (b"", b"text", whole[: len(whole) // 2], webp):
        with pytest.raises(refused):
            signatures["encode_ground"](image_bytes=tf.constant([wrong]))


def test_model_json_names_the_weights(tiny_export, details):
    _, model, config = tiny_export
    assert details["ground_crop"] == list(CROP)
    assert details["config"]["model"]["channels"] == 12
    assert details["model_hash"] == model_hash(model, config)
    other = build_model(config.model)
    assert model_hash(other, config) != details["model_hash"]
    other.set_weights(model.get_weights())
    assert model_hash(other, config) == details["model_hash"]
    uncropped = config.replace(ground_crop=(0.0, 1.0))
    assert model_hash(other, uncropped) != details["model_hash"]


@pytest.mark.parametrize(
    ("name", "value"), [("image_size", [0, 160]), ("ground_crop", [0.0, 0.5])]
)
def test_sizes_that_are_not_the_networks_are_refused(
    tiny_export, tmp_path, name, value
):
    """Found by the fuzz run: OpenCV raised, or another picture was cut."""
    folder = tmp_path / "export"
    shutil.copytree(tiny_export.folder, folder)
    content = json.loads((folder / "model.json").read_text())
    content.pop("sha256")
    (folder / "model.json").write_text(sealed_text({**content, name: value}))
    with pytest.raises(UserError, match="model.json: damaged .*not its config"):
        read_details(folder)


def test_other_files_are_not_replaced(tiny_export, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="already holds other files"):
        export_model(tiny_export.model, PROBE, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("size", [(32, 160), (40, 333), (150, 700)])
@pytest.mark.parametrize("crop", [(0.0, 1.0), (0.25, 0.75), (0.5, 0.5001)])
def test_graph_prepares_panoramas_as_the_pipeline_does(tmp_path, size, crop):
    path = picture(tmp_path / "a.jpg", 83, 331, 7)
    mine = ground_image(tf.constant(path.read_bytes()), size, crop).numpy()
    theirs = load_ground(path, size, crop).astype(np.float32)
    # OpenCV enlarges in fixed point, off by up to one level on each axis.
    assert np.abs(mine - theirs).max() <= 2
    if size == (32, 160) and crop == (0.0, 1.0):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("shape", "crop"),
    [
        ((83, 331), (0.0, 1.0)),
        ((83, 166), (0.3, 0.7)),
        ((90, 171), (0.3, 0.7)),
        ((90, 170), (0.0, 1.0)),
        ((9, 18), (0.3, 0.7)),
    ],
)
def test_graph_gives_full_spheres_their_middle_rows(tmp_path, shape, crop):
    path = picture(tmp_path / "a.png", *shape, 7)
    size, given = (16, 80), tf.constant(path.read_bytes())
    sphere = sphere_crop(size)
    assert sphere == pytest.approx((0.3, 0.7))
    mine = ground_image(given, size, (0.0, 1.0), sphere_crop=sphere).numpy()
    theirs = load_ground(path, size, crop).astype(np.float32)
    assert np.abs(mine - theirs).max() <= 2


def test_graph_prepares_aerial_images_as_the_pipeline_does(tmp_path):
    path = picture(tmp_path / "a.png", 75, 75, 8)
    mine = satellite_image(tf.constant(path.read_bytes()), (28, 154)).numpy()
    theirs = load_satellite(path, (28, 154)).astype(np.float32)
    assert np.abs(mine - theirs).max() <= 1
