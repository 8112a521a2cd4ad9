"""Neighbours on the map against brute force and geographic facts."""

import numpy as np
import pytest

from mgtl_tf.datasets.position_neighbours import (
    nearest_by_coordinates,
    nearest_on_map,
    nearest_places,
)
from mgtl_tf.datasets.records import Pair
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import earth_centred, haversine


def by_angle(degrees):
    """All great-circle distances by the angle of two vectors, float64."""
    latitude, longitude = np.radians(degrees).T
    x = np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ],
        axis=1,
    )
    sine = np.linalg.norm(np.cross(x[:, None], x[None]), axis=2)
    return 6371008.8 * np.arctan2(sine, x @ x.T)


def brute_force(apart, metres, k):
    answers = []
    for i, row in enumerate(apart):
        far = [j for j in np.argsort(row) if j != i and row[j] >= metres][:k]
        answers.append(far + [-1] * (min(k, len(row) - 1) - len(far)))
    return answers


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("k", [1, 5, 100])
def test_euclid_equals_brute_force(axes, k):
    rng = np.random.default_rng(k + axes)
    # UTM northings; a crowd nearer than the radius.
    places = rng.uniform(0, 300, (60, axes)) + 6.09e6
    places[:20] = places[0] + rng.uniform(0, 10, (20, axes))
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    found = nearest_on_map(places, 25.0, k)
    assert found.tolist() == brute_force(apart, 25.0, k)


@pytest.mark.parametrize("centre", [(40.0, -100.0), (-35.3, 149.1), (70, 180)])
def test_haversine_equals_brute_force_also_over_the_date_line(centre):
    rng = np.random.default_rng(1)
    # Far from the equator a degree of longitude is much shorter than one of
    # latitude: taken for radians or for metres, the order would differ.
    degrees = np.array(centre) + rng.uniform(-0.02, 0.02, (80, 2))
    degrees[:, 1] = (degrees[:, 1] + 180) % 360 - 180
    found = nearest_by_coordinates(degrees, 200.0, 7)
    assert found.tolist() == brute_force(by_angle(degrees), 200.0, 7)


def test_haversine_takes_radians():
    here, there = (
        np.radians([[0.0, 0.0], [0.0, 0.0]]),
        np.radians([[90.0, 0.0], [0.0, 180.0]]),
    )
    np.testing.assert_allclose(
        haversine(here, there), 6371008.8 * np.pi * np.array([0.5, 1.0])
    )
    # Beside the ellipsoid's: a street's length within 0.6 %.
    degrees = np.array([[-35.3, 149.1], [-35.301, 149.102]])
    straight = np.linalg.norm(np.diff(earth_centred(*degrees.T), axis=0))
    found = haversine(*np.radians(degrees))
    assert found == pytest.approx(straight, rel=6e-3)


def test_pairs_tell_metres_or_degrees():
    degrees = [(40.0, -100.0), (40.01, -100.0), (40.0, -100.03)]
    metres = [(0.0, 0.0), (90.0, 0.0), (50.0, 0.0)]

    def pairs(positions, coordinates):
        return [
            Pair(str(i), "g", "a", p, c)
            for i, (p, c) in enumerate(zip(positions, coordinates, strict=True))
        ]

    nothing = [None] * 3
    by_metres = nearest_places(pairs(metres, degrees), 25.0, 1)
    by_degrees = nearest_places(pairs(nothing, degrees), 25.0, 1)
    assert by_metres.tolist() == [[2], [2], [1]]
    assert by_degrees.tolist() == [[1], [0], [0]]
    for partly in (nothing, [metres[0], None, None]):
        with pytest.raises(UserError, match="mining_by_position_until"):
            nearest_places(pairs(partly, nothing), 25.0, 1)


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="row 1 is not finite"):
        nearest_on_map(np.array([[0.0, 0], [np.nan, 0]]), 5.0, 1)
    with pytest.raises(ValueError, match="k=0"):
        nearest_on_map(np.zeros((3, 2)), 5.0, 0)
    with pytest.raises(ValueError, match="N of 2 or more"):
        nearest_on_map(np.zeros((1, 2)), 5.0, 1)
