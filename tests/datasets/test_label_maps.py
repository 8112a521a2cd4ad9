"""Label maps as network inputs: read, cached, in the graph, refused."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.config import InputForm
from mgtl_tf.datasets.decoded_cache.building import build_cache
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.datasets.label_maps import with_labels
from mgtl_tf.datasets.preprocess_graph import ground_image
from mgtl_tf.datasets.records import Pair
from mgtl_tf.datasets.sources import FileSource
from mgtl_tf.utils.errors import UserError

FORM = InputForm((6, 12), ground_form="labels")
LABELS = np.random.default_rng(0).integers(0, 4, (24, 48)).astype(np.uint8)


@pytest.fixture
def pair(tmp_path):
    names = ("panorama.png", "aerial.png", "labels.png")
    ground, aerial, labels = (tmp_path / name for name in names)
    cv2.imwrite(str(ground), np.full((24, 48, 3), 200, np.uint8))
    cv2.imwrite(str(aerial), np.full((32, 32, 3), 90, np.uint8))
    cv2.imwrite(str(labels), LABELS)
    return Pair("a", ground, aerial, labels=labels)


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
