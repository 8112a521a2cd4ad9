"""Which of a gallery's positions the map gets."""

import numpy as np
import pytest

from mgtl_tf.serving import places_map
from mgtl_tf.serving.places_map import PlacesMap


@pytest.mark.parametrize(
    ("count", "step"), [(1, 1), (10, 1), (11, 2), (20, 2), (21, 3)]
)
def test_a_large_gallery_is_thinned_evenly(count, step, monkeypatch):
    monkeypatch.setattr(places_map, "MOST_POINTS", 10)
    rows = np.arange(count)
    places = np.stack([rows / 7, -rows / 3], axis=1)
    places[3:4] = np.nan
    found = PlacesMap.of(places)
    assert found.step == step
    assert found.known == count - (count > 3)
    positions = np.frombuffer(found.content, "<f8").reshape(-1, 2)
    assert len(positions) <= 10
    for i, position in enumerate(positions):
        row = i * step
        expected = (np.nan, np.nan) if row == 3 else (row / 7, -row / 3)
        np.testing.assert_array_equal(position, expected)
