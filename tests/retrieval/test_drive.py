"""Recursive Bayes against every path written out, and dense matrices."""

import itertools

import numpy as np
import pytest
from pyproj import Geod

from mgtl_tf.errors import UserError
from mgtl_tf.retrieval.drive import Drive
from mgtl_tf.retrieval.motion import ASTRAY
from mgtl_tf.retrieval.motion import Motion

WGS84 = Geod(ellps="WGS84")


def grid(rows, columns, metres=10.0):
    """Degrees of a grid near Berne, [rows * columns, 2]."""
    places = []
    for i in range(rows):
        longitude, latitude, _ = WGS84.fwd(7.44, 46.95, 0, i * metres)
        for j in range(columns):
            where = WGS84.fwd(longitude, latitude, 90, j * metres)
            places.append((where[1], where[0]))
    return np.array(places)


def transition(coordinates, metres):
    """The motion as a dense matrix, from its definition."""
    count = len(coordinates)
    matrix = np.zeros((count, count))
    for i, j in itertools.product(range(count), repeat=2):
        here, there = coordinates[i], coordinates[j]
        apart = WGS84.inv(here[1], here[0], there[1], there[0])[2]
        if apart <= 3 * metres:
            matrix[i, j] = np.exp(-(apart**2) / (2 * metres**2))
    matrix /= matrix.sum(axis=1, keepdims=True)
    return (1 - ASTRAY) * matrix + ASTRAY / count


def see_all(drive, similarities):
    beliefs = []
    for number, line in enumerate(similarities, start=3):
        rows = np.argsort(-line, kind="stable")
        beliefs.append(drive.see(number, rows, line[rows]))
    return np.array(beliefs)


def test_against_every_path():
    coordinates = grid(2, 3)
    random = np.random.default_rng(0)
    similarities = random.uniform(-1, 1, (4, 6))
    drive = Drive(Motion(coordinates, 8.0), 3.0)
    beliefs = see_all(drive, similarities)
    steps = transition(coordinates, 8.0)
    for frames in range(1, 5):
        expected = np.zeros(6)
        for path in itertools.product(range(6), repeat=frames):
            weight = 1.0
            for t, place in enumerate(path):
                weight *= np.exp(3.0 * similarities[t, place])
                weight *= steps[path[t - 1], place] if t else 1 / 6
            expected[path[-1]] += weight
        expected /= expected.sum()
        np.testing.assert_allclose(beliefs[frames - 1], expected, rtol=1e-6)


def test_against_the_dense_forward_pass():
    coordinates = grid(8, 9)
    random = np.random.default_rng(1)
    similarities = random.uniform(-1, 1, (20, 72))
    beliefs = see_all(Drive(Motion(coordinates, 12.0), 9.0), similarities)
    steps, belief = transition(coordinates, 12.0), np.full(72, 1 / 72)
    for t, line in enumerate(similarities):
        belief = (belief @ steps if t else belief) * np.exp(9.0 * line)
        belief /= belief.sum()
        np.testing.assert_allclose(beliefs[t], belief, rtol=1e-5, atol=1e-12)


def test_finds_a_drive_that_single_frames_do_not():
    """Noise hides every second frame; the road does not jump."""
    coordinates = grid(10, 10)
    random = np.random.default_rng(2)
    truth = [row * 10 + row // 2 for row in range(10)]
    # b = 8 is the right sharpness for noise of this size on a step of 0.5.
    similarities = random.normal(0, 0.25, (10, 100))
    similarities[np.arange(10), truth] += 0.5
    beliefs = see_all(Drive(Motion(coordinates, 11.0), 8.0), similarities)
    alone = (similarities.argmax(axis=1) == truth).mean()
    together = (beliefs.argmax(axis=1) == truth).mean()
    assert alone < 0.6
    assert together > alone + 0.2


def test_a_frame_that_cannot_be_read_is_moved_through():
    coordinates = grid(1, 9)
    first = np.where(np.arange(9) == 4, 1.0, 0.0)
    drive = Drive(Motion(coordinates, 5.0), 50.0)
    rows = np.argsort(-first)
    drive.see(1, rows, first[rows])
    # Frames 2 and 3 are missing; the fourth says nothing.
    belief = drive.see(4, np.arange(9), np.zeros(9))
    steps = transition(coordinates, 5.0)
    expected = np.exp(50 * first) @ np.linalg.matrix_power(steps, 3)
    np.testing.assert_allclose(belief, expected / expected.sum(), rtol=1e-6)


def test_places_beyond_the_candidates_are_like_the_last():
    coordinates = grid(3, 3)
    short = Drive(Motion(coordinates, 10.0), 4.0)
    full = Drive(Motion(coordinates, 10.0), 4.0)
    listed = np.array([0.9, 0.5, 0.1])
    rows = np.array([7, 2, 5])
    everywhere = np.full(9, 0.1)
    everywhere[rows] = listed
    order = np.argsort(-everywhere, kind="stable")
    np.testing.assert_allclose(
        short.see(1, rows, listed), full.see(1, order, everywhere[order])
    )


def test_places_without_position_are_never_visited():
    coordinates = grid(2, 2)
    coordinates[1] = np.nan
    drive = Drive(Motion(coordinates, 10.0), 1e4)
    # Far the most similar, so that the others' likelihoods vanish.
    belief = drive.see(1, np.array([1, 0, 2, 3]), np.array([1, 0, -0.5, -1.0]))
    assert belief[1] == 0
    assert belief[0] == pytest.approx(1)
    belief = drive.see(2, np.array([1, 3, 2, 0]), np.array([1, 0, -0.5, -1.0]))
    assert np.isfinite(belief).all()
    assert belief[3] == pytest.approx(1)


def test_it_finds_back_after_a_jump():
    coordinates = grid(1, 200)
    drive = Drive(Motion(coordinates, 10.0), 60.0)
    for number, place in enumerate([0, 1, 150, 151, 152]):
        line = np.where(np.arange(200) == place, 0.8, 0.5)
        rows = np.argsort(-line, kind="stable")
        belief = drive.see(number, rows, line[rows])
    assert belief.argmax() == 152
    assert belief[152] > 0.9


def test_wrong_motions():
    with pytest.raises(UserError, match="--metres_per_frame=0: must be above"):
        Motion(grid(2, 2), 0.0)
    with pytest.raises(UserError, match="no place of the gallery has a pos"):
        Motion(np.full((3, 2), np.nan), 10.0)
    crowd = np.tile(grid(1, 1), (11_000, 1))
    with pytest.raises(UserError, match="11,000 places lie within"):
        Motion(crowd, 10.0)
