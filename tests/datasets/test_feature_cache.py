"""Cached features: kept as they were made, made once, resumed, made anew."""

import dataclasses

import numpy as np
import pytest

from mgtl_tf.datasets.decoded_cache.features import (
    FeatureSettings,
    build_features,
)
from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import CacheSource
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.part_files import UNFINISHED_JSONL

SHAPE = (2, 5, 3)
SETTINGS = FeatureSettings(
    "",
    (8, 20),
    (0.0, 1.0),
    blocks=2,
    weights="0f",
    shape=SHAPE,
    computed="float32",
    dtype="float16",
)
ALL = np.random.default_rng(0).normal(size=(2, 37, *SHAPE)).astype("float32")


@pytest.fixture
def pairs(tmp_path):
    """Two blocks and a bit; nobody reads their files."""
    for n in range(37):
        (tmp_path / f"g{n}").write_bytes(bytes(n + 1))
    return [
        Pair(str(n), tmp_path / f"g{n}", tmp_path / f"g{n}") for n in range(37)
    ]


class Encoder:
    """Gives what `ALL` holds; may be killed at a call."""

    def __init__(self, dies_at=99, features=ALL):
        self.rows, self.dies_at, self.features = [], dies_at, features

    def __call__(self, rows):
        if len(self.rows) == self.dies_at:
            raise KeyboardInterrupt
        self.rows.append(rows.tolist())
        return list(self.features[:, rows])


def build(folder, pairs, encode, settings=SETTINGS):
    return build_features(folder, pairs, settings, encode, progress=False)


def content(folder):
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_what_was_made_is_read(pairs, tmp_path, dtype):
    settings = dataclasses.replace(SETTINGS, dtype=dtype)
    source = build(tmp_path / "c", pairs, Encoder(), settings)
    rows = np.array([36, 0, 20])
    for found, wanted in zip(source.load(rows), ALL[:, rows], strict=True):
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, wanted.astype(dtype))
    assert isinstance(source.arrays["ground"], np.memmap)
    assert settings.pair_bytes == 2 * 2 * 5 * 3 * np.dtype(dtype).itemsize
    # Nothing is left to make.
    build(tmp_path / "c", pairs, None, settings)


def test_a_killed_one_goes_on_and_ends_the_same(pairs, tmp_path):
    build(tmp_path / "whole", pairs, Encoder())
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "c", pairs, Encoder(dies_at=2))
    folder = SETTINGS.folder(tmp_path / "c", pairs)
    assert (folder / UNFINISHED_JSONL).is_file()
    # What the disk lost of a block that is counted is made again.
    with (folder / "ground.npy").open("r+b") as file:
        file.seek(130)
        file.write(b"\0" * 8)
    rest = Encoder()
    build(tmp_path / "c", pairs, rest)
    assert rest.rows == [list(range(16)), list(range(32, 37))]
    assert content(tmp_path / "c") == content(tmp_path / "whole")


def test_another_image_is_made_again_and_others_lie_beside(pairs, tmp_path):
    build(tmp_path / "c", pairs, Encoder())
    pairs[20].ground.write_bytes(b"another")
    again = Encoder(features=-ALL)
    source = build(tmp_path / "c", pairs, again)
    assert again.rows == [list(range(16, 32))]
    negated = np.array([16, 31, 32])
    found = source.load(negated)[0] / ALL[0, negated]
    assert np.sign(found[:, 0, 0, 0]).tolist() == [-1, -1, 1]
    for change in ({"weights": "1e"}, {"blocks": 3}, {"computed": "bfloat16"}):
        settings = dataclasses.replace(SETTINGS, **change)
        other = Encoder()
        build(tmp_path / "c", pairs, other, settings)
        assert len(other.rows) == 3
    build(tmp_path / "c", pairs[:30], Encoder())
    assert len(list((tmp_path / "c").iterdir())) == 5


def test_what_does_not_fit_is_one_clear_line(pairs, tmp_path):
    large = ALL.copy()
    large[1, 20] = 1e5
    with pytest.raises(UserError, match="feature_dtype=float16.*reaches 1000"):
        build(tmp_path / "c", pairs, Encoder(features=large))
    wide = dataclasses.replace(SETTINGS, dtype="float32")
    assert len(build(tmp_path / "c", pairs, Encoder(features=large), wide))
    folder = wide.folder(tmp_path / "c", pairs)
    (folder / "satellite.npy").write_bytes(b"damaged")
    with pytest.raises(UserError, match="satellite.npy.*remove"):
        CacheSource(folder, None, "<f4", 3)


def test_views_of_other_shapes(pairs, tmp_path):
    other = (
        np.zeros((37, 4, 4, 3), "float32") + np.arange(37)[:, None, None, None]
    )
    settings = dataclasses.replace(SETTINGS, satellite_shape=(4, 4, 3))

    def encode(rows):
        return ALL[0, rows], other[rows]

    source = build(tmp_path / "c", pairs, encode, settings)
    ground, satellite = source.load(np.array([36, 5]))
    np.testing.assert_array_equal(ground, ALL[0, [36, 5]].astype("float16"))
    np.testing.assert_array_equal(satellite, other[[36, 5]])
    # Nor does a cache of shapes that are alike go by another name.
    alike = dataclasses.replace(SETTINGS, satellite_shape=SHAPE)
    assert alike.as_json() == SETTINGS.as_json()
    assert "satellite_shape" not in SETTINGS.as_json()
