"""How wide a gallery's images are drawn, and by what right."""

import numpy as np
import pytest

from mgtl_tf.retrieval.galleries.gallery import Index
from mgtl_tf.retrieval.galleries.places import Place
from mgtl_tf.serving.ground_extent import GroundExtent


def gallery(folder, latitudes, made_of=None):
    places = [
        Place(str(i), folder / "x.jpg", None if x is None else (x, 8.0))
        for i, x in enumerate(latitudes)
    ]
    rows = np.eye(len(places), dtype=np.float32)
    return Index(folder, places, rows, "a", {}, made_of or {})


def trained_on(dataset):
    return {"config": {"data": {"dataset": dataset}}}


@pytest.mark.parametrize(
    ("made_of", "details", "metres", "origin"),
    [
        ({"crop_metres": 45.5}, trained_on("procedural"), 45.5, "cut"),
        ({"crop_metres (2)": 70}, trained_on("csv"), 70, "cut"),
        ({"images": 3}, trained_on("procedural"), 60, "training"),
        # 750 pixels of zoom 19: 0.2986 m at the equator.
        ({}, trained_on("cvusa"), 750 * 0.2986 * 0.7826, "training"),
        # 0.0001 degrees of latitude are 11.1 m, 0.0003 of them 33.3.
        ({}, trained_on("csv"), 11.12, "a guess"),
        ({}, {}, 11.12, "a guess"),
    ],
)
def test_what_is_known_best(tmp_path, made_of, details, metres, origin):
    latitudes = [47.0, 47.0001, 47.0002, 47.0005, None, 47.0002]
    index = gallery(tmp_path, latitudes, made_of)
    found = GroundExtent.of(index, details)
    assert found.metres == pytest.approx(metres, rel=2e-3)
    assert origin in found.origin


@pytest.mark.parametrize("latitudes", [[None], [47.0], [47.0, 47.0, None]])
def test_nothing_to_tell_it_by(tmp_path, latitudes):
    assert GroundExtent.of(gallery(tmp_path, latitudes), {}) is None
