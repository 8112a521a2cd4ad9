"""Label maps as network inputs: read, cached, in the graph, refused."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.config import DataConfig, InputForm
from mgtl_tf.datasets.decoded_cache.building import build_cache
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.datasets.label_maps import COLOURS, with_labels
from mgtl_tf.datasets.pipeline import train_batches
from mgtl_tf.datasets.preprocess_graph import ground_image
from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import FileSource
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.inputs import with_label_maps

FORM = InputForm((6, 12), ground_form="labels")
LABELS = np.random.default_rng(0).integers(0, 4, (24, 48)).astype(np.uint8)


@pytest.fixture
def pair(tmp_path):
    names = ("panorama.png", "aerial.png", "labels.png")
    ground, aerial, labels = (tmp_path / name for name in names)
    cv2.imwrite(str(ground), np.full((24, 48, 3), 200, np.uint8))
    cv2.imwrite(str(aerial), np.full((32, 32, 3), 90, np.uint8))
    cv2.imwrite(str(labels), LABELS)
    maps = tmp_path / "aerial_labels.png"
    return Pair("a", ground, aerial, labels=labels, aerial_labels=maps)


def shares():
    """Of building, road and tree in every cell of 4 x 4 pixels."""
    one_hot = np.eye(4)[LABELS][..., 1:]
    return one_hot.reshape(6, 4, 12, 4, 3).mean((1, 3))


def test_files_cache_and_graph_give_the_shares_of_each_class(pair, tmp_path):
    rows = np.array([0])
    from_file, _ = FileSource([pair], FORM).load(rows)
    np.testing.assert_allclose(from_file[0] / 255, shares(), atol=0.6 / 255)
    settings = CacheSettings.of("", FORM, (0.0, 1.0))
    folder, pairs = tmp_path / "cache", with_labels([pair])
    cached, _ = build_cache(pairs, settings, folder, progress=False).load(rows)
    np.testing.assert_array_equal(cached, from_file)
    # Nor does a cache of panoramas pass for one of labels.
    images = CacheSettings.of("", InputForm((6, 12)), (0.0, 1.0))
    assert images.as_json() != settings.as_json()
    data = tf.constant(pair.labels.read_bytes())
    graph = ground_image(data, (6, 12), (0.0, 1.0), "labels")
    np.testing.assert_allclose(graph, from_file[0], atol=1)


def test_aerial_labels_follow_their_images_through_changes(pair):
    """The map of an image in three colours is that image, however turned."""
    labels = np.random.default_rng(1).integers(1, 4, (32, 32)).astype(np.uint8)
    cv2.imwrite(str(pair.aerial_labels), labels)
    cv2.imwrite(str(pair.aerial), COLOURS[labels][..., ::-1])
    form = InputForm((6, 12), (16, 16), "square")
    pairs, data = [pair, pair], DataConfig(cache="none", data_cache="unread")
    source = with_label_maps(
        FileSource(pairs, form), data, form, pairs, pair.aerial.parent / "cache"
    )
    rows = np.array([[0, 1]])
    (batch,) = train_batches(
        source,
        rows,
        augment=True,
        seed=3,
        epoch=0,
        satellite_form="square",
        satellite_quarter_turns=True,
        satellite_crop=0.5,
    )
    changed = np.asarray(batch["satellite"]).astype(int)
    assert changed.shape == (2, 16, 16, 6) and np.ptp(changed) > 200
    np.testing.assert_allclose(changed[..., :3], changed[..., 3:], atol=8)
    assert np.abs(changed[0] - changed[1]).max() > 100
    # Colours are of the image alone.
    (batch,) = train_batches(
        source, rows, augment=False, seed=3, epoch=0, color_jitter=0.5
    )
    image, maps = np.split(np.asarray(batch["satellite"]), 2, axis=-1)
    np.testing.assert_array_equal(maps, source.load(rows[0])[1][..., 3:])
    assert np.abs(image - maps).max() > 10
    pair.aerial_labels.unlink()
    with pytest.raises(UserError, match="aerial_labels.png: there is no label"):
        with_label_maps(source, data, form, pairs, pair.aerial.parent)


def test_what_is_no_label_map_is_named(pair):
    cv2.imwrite(str(pair.labels), np.full((24, 48), 7, np.uint8))
    with pytest.raises(UserError, match=r"labels.png: is no label map: .*grey"):
        FileSource([pair], FORM).load(np.array([0]))
    pair.labels.unlink()
    with pytest.raises(UserError, match="labels.png: there is no label map"):
        FileSource([pair], FORM)
    bare = Pair("b", pair.ground, pair.aerial)
    with pytest.raises(UserError, match="pair b: there is no label map"):
        FileSource([bare], FORM)
