"""Files to pixels: whole or refused, cropped, resized, warped."""

import io

import cv2
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from mgtl_tf.datasets.preprocess import (
    load_ground,
    load_satellite,
    read_image,
    resize,
)
from mgtl_tf.datasets.preprocess_graph import decode as graph_decode
from mgtl_tf.utils.errors import UserError
from polar import polar_transform
from polar.image_files import read_header


def _noise(height, width, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (height, width, 3), dtype=np.uint8)


def _write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1])
    return path


def _axis_weights(old, new):
    """Rows of the resize rule as a matrix [new, old], by its definition."""
    weights = np.zeros((new, old))
    for i in range(new):
        if new <= old:
            low, high = i * old / new, (i + 1) * old / new
            for j in range(old):
                weights[i, j] = max(0, min(high, j + 1) - max(low, j))
        else:
            centre = (i + 0.5) * old / new - 0.5
            for j in range(old):
                inside = min(max(centre, 0), old - 1)
                weights[i, j] = max(0, 1 - abs(inside - j))
    return weights / weights.sum(1, keepdims=True)


side = st.integers(1, 40)


@settings(max_examples=40)
@given(old=st.tuples(side, side), new=st.tuples(side, side))
def test_resize_is_area_mean_or_bilinear_per_axis(old, new):
    image = _noise(*old).astype(np.float64)
    expected = np.einsum("ih,hwc->iwc", _axis_weights(old[0], new[0]), image)
    expected = np.einsum("jw,iwc->ijc", _axis_weights(old[1], new[1]), expected)
    # Half a level of rounding after each axis, and OpenCV weighs uint8
    # pixels in steps of 1/2048: an eighth of a level at most.
    assert np.abs(resize(image.astype(np.uint8), *new) - expected).max() <= 1.25
    single = resize(image.astype(np.float32), *new)
    assert np.abs(single - expected).max() <= 0.1


def test_ground_crop_keeps_the_middle_half(tmp_path):
    image = np.zeros((832, 1664, 3), np.uint8)
    image[208:624] = 200
    path = _write(tmp_path / "p.png", image)
    assert (load_ground(path, (112, 616), (0.25, 0.75)) == 200).all()
    assert load_ground(path, (112, 616)).min() == 0


def test_satellite_is_warped_rgb(tmp_path):
    image = _noise(64, 64)
    path = _write(tmp_path / "a.png", image)
    np.testing.assert_array_equal(read_image(path), image)
    np.testing.assert_array_equal(
        load_satellite(path, (16, 40)), polar_transform(image, 16, 40)
    )


def test_decoding_equals_tensorflows(tmp_path):
    """The SavedModel decodes with TensorFlow; both must see one image."""
    smooth = cv2.GaussianBlur(_noise(97, 131), (9, 9), 3)
    path = _write(tmp_path / "j.jpg", smooth)
    theirs = tf.io.decode_jpeg(path.read_bytes(), dct_method="INTEGER_ACCURATE")
    difference = read_image(path).astype(int) - theirs.numpy().astype(int)
    assert np.abs(difference).max() <= 1


def _encoded(suffix, image):
    return cv2.imencode(suffix, image)[1].tobytes()


def _two_in_one(kind):
    file, second = io.BytesIO(), Image.fromarray(_noise(8, 8, 1))
    first = Image.fromarray(_noise(8, 8))
    first.save(file, kind, save_all=True, append_images=[second])
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"<html>", "neither JPEG nor PNG"),
        (bytes(300), "holds only zeros"),
        (b"GIF89a..", "a GIF image"),
        (b"\xff\xd8 nothing \xff\xd9", "cannot be decoded"),
        (_two_in_one("PNG"), "holds 2 frames"),
        (_two_in_one("TIFF"), "holds 2 pages"),
        (
            _encoded(".tif", np.ones((4, 4, 3), np.float32)),
            "32 floating-point numbers",
        ),
        (_encoded(".jpg", _noise(60, 60))[:900], "is cut off"),
        (_encoded(".png", _noise(60, 60))[:900], "is cut off"),
        (_encoded(".png", _noise(60, 60))[:-2], "is cut off"),
    ],
)
def test_unreadable_files_are_refused_by_name(tmp_path, data, message):
    (tmp_path / "bad.jpg").write_bytes(data)
    with pytest.raises(UserError, match=f"bad.jpg: .*{message}"):
        read_image(tmp_path / "bad.jpg")


def test_a_thumbnails_end_is_not_the_images(tmp_path):
    path = _write(tmp_path / "p.jpg", _noise(60, 60))
    data = path.read_bytes()
    thumbnail = _write(tmp_path / "t.jpg", _noise(8, 8)).read_bytes()
    length = (len(thumbnail) + 2).to_bytes(2, "big")
    data = data[:2] + b"\xff\xe1" + length + thumbnail + data[2:]
    path.write_bytes(data + b"phone")
    assert read_image(path).shape == (60, 60, 3)
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(UserError, match="cut off"):
        read_image(path)


def test_aerial_that_is_not_square(tmp_path):
    path = _write(tmp_path / "wide.png", _noise(20, 30))
    with pytest.raises(UserError, match="wide.png: 30 x 20 pixels"):
        load_satellite(path, (8, 16))
    with pytest.raises(UserError, match="No such file"):
        load_satellite(tmp_path / "none.png", (8, 16))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(tmp_path, kind, orientation):
    """Pillow writes and turns; all three formats carry it elsewhere."""
    image = cv2.GaussianBlur(_noise(40, 56), (9, 9), 3)
    path = tmp_path / f"turned.{kind.lower()}"
    exif = Image.Exif()
    exif[0x112] = orientation
    more = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    Image.fromarray(image).save(path, kind, exif=exif, **more)
    with Image.open(path) as opened:
        expected = np.array(ImageOps.exif_transpose(opened)).astype(int)
    assert np.abs(read_image(path) - expected).max() <= 2
    assert read_header(path.read_bytes()).orientation == orientation


@pytest.mark.parametrize(
    ("kind", "mode", "turned"),
    [("JPEG", "RGB", 6), ("JPEG", "CMYK", 1), ("TIFF", "RGB", 3)],
)
def test_the_saved_model_reads_just_the_checked_pixels(
    tmp_path, kind, mode, turned
):
    exif = Image.Exif()
    exif[0x112] = turned
    image = Image.fromarray(_noise(20, 30)).convert(mode)
    image.save(tmp_path / "x", kind, exif=exif)
    pixels = read_image(tmp_path / "x")
    data = cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(
        graph_decode(tf.constant(data)).numpy(), pixels
    )
    with Image.open(io.BytesIO(data)) as opened:
        np.testing.assert_array_equal(np.array(opened), pixels)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_keep_the_upper_8(tmp_path, suffix):
    image = _noise(12, 12)
    path = tmp_path / f"deep{suffix}"
    cv2.imwrite(str(path), image[..., ::-1].astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_image(path), image)


def test_geotiff_is_read_without_a_word(tmp_path, capfd):
    """Map tags, an overview as second page: still one picture."""
    image = _noise(32, 32)
    path = tmp_path / "map.tif"
    tags = {33550: (0.3, 0.3, 0.0), 33922: (0.0, 0.0, 0.0, 9.0, 50.0, 0.0)}
    overview = Image.fromarray(image[::2, ::2].copy())
    overview.encoderinfo = {"tiffinfo": {254: 1}}
    Image.fromarray(image).save(
        path, "TIFF", tiffinfo=tags, save_all=True, append_images=[overview]
    )
    with Image.open(path) as opened:
        assert opened.n_frames == 2
    np.testing.assert_array_equal(read_image(path), image)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("size", "dataset", "crop", "message"),
    [
        ((224, 1232), "cvusa", (0.0, 1.0), None),
        ((832, 1664), "cvact", (0.25, 0.75), None),
        ((256, 512), "cvact", (0.0, 1.0), None),
        ((832, 1664), "cvusa", (0.0, 1.0), "ground_crop=0.318,0.682"),
        ((832, 1664), "cvusa", (0.318, 0.682), None),
        ((224, 1232), "cvact", (0.25, 0.75), "616 x 112|1232 x 224"),
        ((500, 1000), "csv", (0.0, 1.0), "ground_crop=0.318,0.682"),
        ((500, 1000), "csv", (0.318, 0.682), None),
        ((100, 2000), "csv", (0.0, 1.0), "lacks rows"),
        ((90, 90), "procedural", (0.0, 1.0), None),
    ],
)
def test_panoramas_of_another_shape(tmp_path, size, dataset, crop, message):
    path = _write(tmp_path / "p.png", np.zeros((*size, 3), np.uint8))
    if message is None:
        assert load_ground(path, (112, 616), crop, dataset).shape[1] == 616
        return
    with pytest.raises(UserError, match=message) as error:
        load_ground(path, (112, 616), crop, dataset)
    assert "p.png" in str(error.value)
