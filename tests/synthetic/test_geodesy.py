"""Map metres to degrees, against pyproj."""

import numpy as np
import pyproj
import pytest

from mgtl_tf.synthetic.files import map_origin, to_degrees


@pytest.mark.parametrize("index", [0, 1, 17, 40])
def test_distances_on_the_map_are_distances_on_the_ground(index):
    metres = np.array([[0.0, 0], [1500, 0], [0, 1500], [1200, 900]])
    degrees = to_degrees(metres, index)
    assert degrees[0] == pytest.approx(map_origin(index), abs=1e-10)
    geod = pyproj.Geod(ellps="WGS84")
    for point, (latitude, longitude) in zip(
        metres[1:], degrees[1:], strict=True
    ):
        azimuth, _, distance = geod.inv(
            degrees[0, 1], degrees[0, 0], longitude, latitude
        )
        assert distance == pytest.approx(np.hypot(*point), abs=0.002)
        bearing = np.degrees(np.arctan2(*point))
        assert azimuth == pytest.approx(bearing, abs=1e-3)


def test_maps_lie_far_apart():
    origins = np.array([map_origin(index) for index in range(60)])
    apart = np.abs(origins[:, None] - origins[None]).max(-1)
    assert apart[~np.eye(60, dtype=bool)].min() >= 0.25
