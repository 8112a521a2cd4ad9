"""Files to pixels: whole or refused, cropped, resized, warped; the cache."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from mgtl_tf.data.cache import build_cache
from mgtl_tf.data.preprocess import load_ground
from mgtl_tf.data.preprocess import load_satellite
from mgtl_tf.data.preprocess import read_image
from mgtl_tf.data.preprocess import resize
from mgtl_tf.data.records import Pair
from mgtl_tf.data.sources import FileSource
from mgtl_tf.errors import UserError
from polar import polar_transform


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


@settings(max_examples=40, deadline=None)
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


@pytest.mark.parametrize(
    ("old", "new", "method"),
    [
        ((224, 1232), (112, 616), "area"),
        ((416, 1664), (112, 616), "area"),
        ((97, 300), (96, 154), "area"),
        ((60, 200), (112, 616), "bilinear"),
    ],
)
def test_resize_agrees_with_tensorflow(old, new, method):
    image = _noise(*old)
    theirs = tf.image.resize(image, new, method=method).numpy()
    assert np.abs(resize(image, *new) - np.rint(theirs)).max() <= 1


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


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("kept", [0.2, 0.6, 0.95, 0.999])
def test_cut_off_files_are_refused_by_name(tmp_path, suffix, kept):
    path = _write(tmp_path / f"cut{suffix}", _noise(60, 60))
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(UserError, match=f"cut{suffix}: is cut off"):
        read_image(path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"<html>", "neither JPEG nor PNG"),
        (b"\xff\xd8 nothing \xff\xd9", "cannot be decoded"),
    ],
)
def test_unreadable_files_are_refused_by_name(tmp_path, data, said):
    (tmp_path / "bad.jpg").write_bytes(data)
    with pytest.raises(UserError, match=said) as error:
        read_image(tmp_path / "bad.jpg")
    assert "bad.jpg" in str(error.value)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("tail", [bytes(512), b"SEFT of a phone\xff"])
def test_data_after_the_end_is_no_damage(tmp_path, suffix, tail):
    path = _write(tmp_path / f"p{suffix}", _noise(20, 20))
    path.write_bytes(path.read_bytes() + tail)
    assert read_image(path).shape == (20, 20, 3)


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


@pytest.fixture
def pairs(tmp_path):
    return [
        Pair(
            str(n),
            _write(tmp_path / f"g{n}.png", _noise(20, 50, n)),
            _write(tmp_path / f"a{n}.png", _noise(24, 24, 100 + n)),
        )
        for n in range(5)
    ]


@pytest.mark.parametrize("processes", [1, 2])
def test_cache_holds_what_the_files_hold(pairs, tmp_path, processes):
    cache = build_cache(
        pairs, (8, 20), (0.0, 1.0), tmp_path / "c", False, processes
    )
    files = FileSource(pairs, (8, 20))
    rows = np.array([4, 0, 2, 0])
    for cached, decoded in zip(cache.load(rows), files.load(rows), strict=True):
        np.testing.assert_array_equal(cached, decoded)
    assert len(cache) == len(files) == 5


def test_cache_is_reused_and_remade_when_anything_changes(pairs, tmp_path):
    def stamp(size=(8, 20), crop=(0.0, 1.0)):
        build_cache(pairs, size, crop, tmp_path / "c", False, 1)
        return (tmp_path / "c" / "ground.npy").stat().st_ino

    first = stamp()
    assert stamp() == first
    second = stamp(size=(9, 20))
    assert second != first
    third = stamp(size=(9, 20), crop=(0.2, 0.8))
    assert third != second
    _write(pairs[0].ground, _noise(20, 50, 77))
    assert stamp(size=(9, 20), crop=(0.2, 0.8)) != third
    (tmp_path / "c" / "manifest.json").write_text("{")
    build_cache(pairs, (9, 20), (0.0, 1.0), tmp_path / "c", False, 1)
    assert json.loads((tmp_path / "c" / "manifest.json").read_text())


def test_cache_names_every_bad_file_and_leaves_nothing(pairs, tmp_path):
    pairs[1].ground.write_bytes(b"")
    pairs[3].aerial.write_bytes(b"text")
    with pytest.raises(UserError) as error:
        build_cache(pairs, (8, 20), (0.0, 1.0), tmp_path / "c", False, 1)
    assert "g1.png: is empty" in str(error.value)
    assert "a3.png: is neither" in str(error.value)
    assert [p for p in Path(tmp_path).iterdir() if p.is_dir()] == []


def test_cache_never_replaces_other_files(pairs, tmp_path):
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="precious: holds other files"):
        build_cache(pairs, (8, 20), (0.0, 1.0), folder, False, 1)
    assert (folder / "thesis.tex").read_text() == "years of work"
    with pytest.raises(UserError, match="is a file"):
        build_cache(pairs, (8, 20), (0.0, 1.0), folder / "thesis.tex", False, 1)


def test_cache_too_large_for_the_disk_is_refused_first(pairs, tmp_path):
    with pytest.raises(UserError, match=r"needs .* GB, the disk has"):
        build_cache(pairs, (10**7, 10**7), (0.0, 1.0), tmp_path / "c", False, 1)
    assert not (tmp_path / "c").exists()
