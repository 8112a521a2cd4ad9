"""The map of the page, how much ground images show, pictures, confidence."""

import base64

import cv2
import numpy as np
import pytest

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.galleries.places import Place
from mgtl_tf.retrieval.answers import Answer, Located
from mgtl_tf.serving import places_map
from mgtl_tf.serving.places_map import GroundExtent, PlacesMap
from mgtl_tf.serving.view import confidence_in_words, jpeg, result_view


@pytest.mark.parametrize(
    ("count", "step"), [(1, 1), (10, 1), (11, 2), (20, 2), (21, 3)]
)
def test_a_large_gallery_is_thinned_evenly(count, step, monkeypatch):
    monkeypatch.setattr(places_map, "MOST_POINTS", 10)
    rows = np.arange(count)
    places = np.stack([rows / 7, -rows / 3], axis=1)
    places[3:4] = np.nan
    found = PlacesMap.of(places)
    assert (found.step, found.known) == (step, count - (count > 3))
    positions = np.frombuffer(found.content, "<f8").reshape(-1, 2)
    np.testing.assert_array_equal(positions, places[::step])
    assert len(positions) <= 10


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
    found = GroundExtent.of(gallery(tmp_path, latitudes, made_of), details)
    assert found.metres == pytest.approx(metres, rel=2e-3)
    assert origin in found.origin


@pytest.mark.parametrize(
    ("sides", "metres", "origin"),
    [
        ([75.6, 75.6, None, 75.6], 75.6, "as the gallery knows"),
        ([64.5, 75.6, 72.5, None], 72.5, "median"),
    ],
)
def test_the_gallery_s_own_sides_come_first(tmp_path, sides, metres, origin):
    """Though training images, and the distance of places, say other."""
    places = [
        Place(str(i), tmp_path / "x.jpg", (47 + i / 1e4, 8.0), side_metres=side)
        for i, side in enumerate(sides)
    ]
    rows = np.eye(len(places), dtype=np.float32)
    index = Index(tmp_path, places, rows, "a", {}, {})
    found = GroundExtent.of(index, trained_on("procedural"))
    assert found.metres == metres and origin in found.origin


@pytest.mark.parametrize("latitudes", [[None], [47.0], [47.0, 47.0, None]])
def test_no_extent_without_two_positions(tmp_path, latitudes):
    assert GroundExtent.of(gallery(tmp_path, latitudes), {}) is None


@pytest.mark.parametrize(
    ("confidence", "text"),
    [
        (1.0, "Very likely: over 99 %"),
        (0.996, "Very likely: over 99 %"),
        (0.9, "Very likely: 90 %"),
        (0.7, "Likely: 70 %"),
        (0.4, "Unsure: 40 %"),
        (0.39, "Little more than a guess: 39 %"),
        (0.004, "Little more than a guess: under 1 %"),
        (0.0, "Little more than a guess: under 1 %"),
    ],
)
def test_confidence(confidence, text):
    assert confidence_in_words(confidence) == text


@pytest.mark.parametrize("size", [(10, 30), (300, 900)])
def test_what_goes_out_is_a_jpeg_of_that_size(size):
    image = np.zeros((100, 300, 3), np.uint8)
    image[:, 150:] = (250, 20, 10)
    decoded = cv2.imdecode(np.frombuffer(jpeg(image, *size), np.uint8), 1)
    assert decoded.shape == (*size, 3)
    # OpenCV's order is blue, green, red.
    assert decoded[5, -3, 2] > 230 and decoded[5, -3, 0] < 40
    assert decoded[5, 2].max() < 20


def test_the_page_shows_the_rows_that_the_model_saw(tmp_path):
    """Of a sphere those of the crop for its size: red; blue is cut off."""
    sphere = np.zeros((100, 200, 3), np.uint8)
    sphere[:], sphere[30:70] = (0, 0, 255), (255, 0, 0)
    index, asked = gallery(tmp_path, [47.0]), []

    def crop(size):
        asked.append(size)
        return 0.3, 0.7

    found = Located(tmp_path / "p.png", (Answer(1, index.places[0], 0.9),))
    view = result_view(found, sphere, crop, index, decoders=None)
    assert asked == [(100, 200)]
    file = base64.b64decode(view["panorama"].partition("base64,")[2])
    shown = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert shown.shape == (224, 1232, 3)
    assert np.abs(shown.astype(int) - (255, 0, 0)).max() < 8
