"""Pictures of attention, checked by what can be seen in them."""

import numpy as np
import pytest

from mgtl_tf.analysis.pictures import Example, draw_example, draw_maps, weighted
from mgtl_tf.datasets.preprocess import read_image


def test_images_are_bright_where_attention_is():
    image = np.full((6, 80, 3), 200, np.uint8)
    light = np.zeros(8)
    light[5] = 0.5
    shown = weighted(image, light)[..., 0]
    # Azimuth 5 of 8 covers columns 50 to 59, its middle is at 55.
    assert shown[0, 54:56].min() > 185
    assert shown[:, :44].max() == shown[:, 66:].max() == 60
    assert (shown == shown[:1]).all()


def test_attention_is_circular():
    image = np.full((2, 80, 3), 200, np.uint8)
    light = np.zeros(8)
    light[0] = 1.0
    row = weighted(image, light)[0, :, 0].astype(int)
    # 5.5 of 10 columns away, on either side; one is across the cut.
    assert [row[79], row[10]] == pytest.approx([123] * 2, abs=1)
    assert (weighted(image, np.full(8, 0.125)) == 200).all()
    assert (weighted(image, np.zeros(8)) == 60).all()


def test_pictures_of_any_number_of_steps_and_heads(tmp_path):
    attention = np.full((1, 1, 5, 5), 0.2)
    draw_maps(tmp_path / "maps.svg", attention)
    text = (tmp_path / "maps.svg").read_text()
    assert text.count("<image") == 2  # one panel, and the scale
    images = {
        "ground": np.full((20, 100, 3), 255, np.uint8),
        "satellite": np.full((20, 100, 3), 255, np.uint8),
    }
    east = np.zeros((2, 3, 5, 5))
    east[..., 3] = 1  # all look at the fourth of five azimuths
    views = {"ground": east, "satellite": east[..., ::-1]}
    draw_example(tmp_path / "one.jpg", Example("a$b$", 3, images, views))
    picture = read_image(tmp_path / "one.jpg").mean(axis=2)
    height, width = picture.shape
    # The weighted panorama: brightest right of the middle.
    panorama = picture[round(0.06 * height) : round(0.12 * height)]
    columns = panorama.mean(axis=0)[round(0.1 * width) : round(0.8 * width)]
    assert columns.argmax() > 0.5 * len(columns) and columns.max() > 150
