"""ConvNeXt against Keras' own network of the same weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.applications import convnext

from mgtl_tf.layers.region_means import RegionMeans
from mgtl_tf.layers.trunks.convnext import ConvNeXtFeatures
from mgtl_tf.layers.trunks.convnext_block import ConvNeXtBlock
from mgtl_tf.models.convnext import pretrained_convnext
from mgtl_tf.models.convnext.pretrained_convnext import load_convnext
from mgtl_tf.utils.errors import UserError

# Keras' code makes it; its public sizes take a minute of tests.
DEPTHS, WIDTHS = (1, 2, 1, 1), (4, 8, 12, 16)


def _of_keras(include_top=False, weights=None, depths=DEPTHS):
    return convnext.ConvNeXt(
        depths, WIDTHS, include_top=include_top, weights=weights
    )


@pytest.fixture(autouse=True)
def small_tiny(monkeypatch):
    """A ConvNeXt-T of few blocks and channels."""
    monkeypatch.setattr(keras.applications, "ConvNeXtTiny", _of_keras)
    sizes = {(DEPTHS, WIDTHS): "ConvNeXtTiny"}
    monkeypatch.setattr(pretrained_convnext, "_OF_KERAS", sizes)


@pytest.fixture(scope="module")
def kerass():
    """Keras' network of random weights, all of which matter."""
    network, random = _of_keras(), np.random.default_rng(0)
    network.set_weights(
        [w + random.normal(0, 0.2, w.shape) for w in network.get_weights()]
    )
    return network


@pytest.fixture(scope="module")
def file(kerass, tmp_path_factory):
    path = tmp_path_factory.mktemp("convnext") / "tiny.weights.h5"
    kerass.save_weights(path)
    return str(path)


def _network(depths=DEPTHS, widths=WIDTHS):
    features = ConvNeXtFeatures(depths, widths)
    features.build((None, 64, 96, 3))
    norm = keras.layers.LayerNormalization(epsilon=1e-6)
    norm.build((None, 1, widths[-1]))
    return features, norm


def test_a_file_of_keras_gives_keras_map_and_its_pooled_norm(kerass, file):
    features, norm = _network()
    load_convnext([(features, norm)], file)
    images = np.random.default_rng(1).uniform(0, 255, (2, 67, 96, 3))
    images = images.astype("float32")
    found = features(images)
    assert found.shape == (2, 2, 3, 16)
    np.testing.assert_allclose(norm(found), kerass(images), atol=1e-4)
    # Pooled before the norm, as Keras does with its top.
    *_, last = kerass.layers
    before = keras.Model(kerass.input, last.input)(images)
    pooled = last(np.asarray(before).mean((1, 2)))
    means = norm(RegionMeans()(found))
    np.testing.assert_allclose(means[:, 0], pooled, atol=1e-4)


def test_blocks_computed_again_give_the_same_gradients():
    plain, again = (
        ConvNeXtFeatures(DEPTHS, WIDTHS, rematerialize=r) for r in (False, True)
    )
    images = np.random.default_rng(1).uniform(0, 255, (1, 32, 64, 3))
    images = tf.constant(images, tf.float32)
    found = []
    for features in (plain, again):
        features.build(images.shape)
        if features is again:
            features.set_weights(plain.get_weights())
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(features(images, training=True) ** 2)
        found.append(tape.gradient(loss, features.trainable_variables))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_fresh_block_adds_its_branch_by_the_layers_scale():
    """At the published scale nearly nothing (Liu et al. 2022)."""
    features = np.random.default_rng(4).normal(size=(1, 5, 6, 4)).astype("f4")
    published, other = ConvNeXtBlock(), ConvNeXtBlock(0.5)
    for block in (published, other):
        block.build(features.shape)
    kept = np.asarray(other.scale)
    other.set_weights(published.get_weights())
    other.scale.assign(kept)
    added = [
        np.asarray(block(features), "f8") - features
        for block in (published, other)
    ]
    assert np.abs(added[0]).max() < 1e-4
    branch = published.narrow(
        published.widen(published.norm(published.depthwise(features)))
    )
    np.testing.assert_allclose(added[1], 0.5 * branch, atol=1e-5)


def _written(tmp_path, kind):
    """A file that does not fit, and what is said of it."""
    path = tmp_path / "other.weights.h5"
    if kind == "shallower":
        _of_keras(depths=(1, 1, 1, 1)).save_weights(path)
    elif kind == "text":
        path.write_text("no weights")
    elif kind == "infinite":
        network = _of_keras()
        network.set_weights([w + np.inf for w in network.get_weights()])
        network.save_weights(path)
    return str(path)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("shallower", "unreadable"),
        ("text", "unreadable"),
        ("infinite", "no finite numbers"),
        ("missing", "no such file"),
    ],
)
def test_files_that_do_not_fit_are_named_and_change_nothing(
    tmp_path, kind, words
):
    features, norm = _network()
    before = features.get_weights()
    source = _written(tmp_path, kind)
    with pytest.raises(UserError, match=words) as error:
        load_convnext([(features, norm)], source)
    message = str(error.value)
    assert message.startswith(f"backbone_weights={source}: ")
    assert "\n" not in message and "backbone_weights=none" in message
    for old, new in zip(before, features.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_sizes_that_keras_has_not_are_refused(file):
    network = _network(widths=(8, 8, 8, 8))
    with pytest.raises(UserError, match="no ConvNeXt that Keras has"):
        load_convnext([network], file)


def _compass(height, width, square):
    """A map whose cells hold the cosine and sine of where they look."""
    if square:
        rows, columns = np.mgrid[:height, :width] + 0.5
        east, north = columns - width / 2, height / 2 - rows
    else:  # column 0 looks south
        azimuth = (np.arange(width) + 0.5) / width * 2 * np.pi - np.pi
        north = np.broadcast_to(np.cos(azimuth), (height, width))
        east = np.broadcast_to(np.sin(azimuth), (height, width))
    return np.stack([north, east], -1)[None].astype("float32")


@pytest.mark.parametrize("regions", ["columns", "square"])
def test_quarters_look_the_same_way_in_both_views(regions):
    square = regions == "square"
    features = _compass(8, 8 if square else 16, square)
    found = np.asarray(RegionMeans(regions)(features))[0]
    # South-west, north-west, north-east, south-east.
    signs = [[-1, -1], [1, -1], [1, 1], [-1, 1]]
    np.testing.assert_array_equal(np.sign(found), signs)


def test_a_right_angle_moves_quarters_on_in_both_views():
    random = np.random.default_rng(2)
    columns = random.normal(size=(1, 4, 16, 3)).astype("float32")
    square = random.normal(size=(1, 8, 8, 3)).astype("float32")
    # What looked to the east looks north: rolled and turned by a quarter.
    for regions, before, after in (
        ("columns", columns, np.roll(columns, -4, axis=2)),
        ("square", square, np.rot90(square, axes=(1, 2))),
    ):
        layer = RegionMeans(regions)
        expected = np.roll(layer(before), -1, axis=1)
        np.testing.assert_allclose(layer(after), expected, atol=1e-6)


def test_means_are_numpys_also_of_sides_that_are_not_divided():
    features = np.random.default_rng(3).normal(size=(2, 3, 5, 4)).astype("f4")
    found = RegionMeans("columns")(features)
    spans = [(0, 2), (1, 3), (2, 4), (3, 5)]
    expected = [features[:, :, a:b].mean((1, 2)) for a, b in spans]
    np.testing.assert_allclose(found, np.stack(expected, 1), atol=1e-6)
    found = RegionMeans("square")(features)
    expected = [
        features[:, rows, columns].mean((1, 2))
        for rows, columns in (
            (slice(1, 3), slice(0, 3)),
            (slice(0, 2), slice(0, 3)),
            (slice(0, 2), slice(2, 5)),
            (slice(1, 3), slice(2, 5)),
        )
    ]
    np.testing.assert_allclose(found, np.stack(expected, 1), atol=1e-6)


def test_unknown_regions_are_named():
    with pytest.raises(ValueError, match="regions='halves'"):
        RegionMeans("halves")
