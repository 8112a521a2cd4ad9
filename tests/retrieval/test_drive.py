"""The Bayes filter against dense matrices written out by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from mgtl_tf.retrieval.calibration.confidence import SequenceModel
from mgtl_tf.retrieval.sequence.bayes_filter import (
    EDGE,
    SWITCH,
    BayesFilter,
)
from mgtl_tf.retrieval.sequence.motion import ASTRAY, Motion
from mgtl_tf.utils.errors import UserError

WGS84 = Geod(ellps="WGS84")
# Unit vectors: each frame has a view of its own.
DIFFERENT = np.eye(64)


def grid(rows, columns, metres=10.0):
    """Degrees of a grid near Berne, [rows * columns, 2]."""
    places = []
    for i in range(rows):
        longitude, latitude, _ = WGS84.fwd(7.44, 46.95, 0, i * metres)
        for j in range(columns):
            where = WGS84.fwd(longitude, latitude, 90, j * metres)
            places.append((where[1], where[0]))
    return np.array(places)


def weights_of(coordinates, metres):
    """Of a step from each place to each, by its definition."""
    count = len(coordinates)
    matrix = np.zeros((count, count))
    for i, j in itertools.product(range(count), repeat=2):
        here, there = coordinates[i], coordinates[j]
        apart = WGS84.inv(here[1], here[0], there[1], there[0])[2]
        if apart <= 3 * metres:
            matrix[i, j] = np.exp(-(apart**2) / (2 * metres**2))
    return matrix


def transition(coordinates, metres):
    matrix = weights_of(coordinates, metres)
    matrix /= matrix.sum(axis=1, keepdims=True)
    return (1 - ASTRAY) * matrix + ASTRAY / len(coordinates)


def a_filter(coordinates, metres, *model, **parameters):
    return BayesFilter(
        Motion(coordinates, metres), SequenceModel(*model, **parameters)
    )


def update(drive, number, line, ratio=0.0):
    rows = np.argsort(-line, kind="stable")
    return drive.update(number, DIFFERENT[number], rows, line[rows], ratio)


def dense_chain(coordinates, metres, frames, model):
    """The filter written out: N + 1 states, in probabilities."""
    count, share = len(coordinates), model.outside_share
    room = weights_of(coordinates, metres).sum(axis=1)
    openness = np.clip(1 - room / np.median(room), 0, 1)
    leave = (SWITCH * share + EDGE * openness) * (share > 0)
    enter = leave * (1 - share) / (count * max(share, 1e-9))
    enter *= min(1, 0.5 / max(enter.sum(), 1e-9))
    chain = np.zeros((count + 1, count + 1))
    chain[1:, 1:] = (1 - leave)[:, None] * transition(coordinates, metres)
    chain[1:, 0] = leave
    chain[0, 1:] = enter
    chain[0, 0] = 1 - enter.sum()
    belief = np.r_[share, np.full(count, (1 - share) / count)]
    for t, (similarities, ratio) in enumerate(frames):
        peak = np.exp(model.sharpness * similarities)
        gain = np.exp(ratio) * count * peak / peak.sum()
        gain *= np.exp(-model.frame_penalty) if t else 1
        belief = (belief @ chain if t else belief) * np.r_[1, gain]
        belief /= belief.sum()
    return belief


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_against_the_dense_chain(share):
    coordinates = grid(4, 6)
    random = np.random.default_rng(4)
    model = SequenceModel(5.0, frame_penalty=0.5, outside_share=share)
    frames = [(random.uniform(-1, 1, 24), random.normal()) for _ in range(9)]
    drive = BayesFilter(Motion(coordinates, 9.0), model)
    for number, (line, ratio) in enumerate(frames, start=3):
        update(drive, number, line, ratio)
    expected = dense_chain(coordinates, 9.0, frames, model)
    assert drive.outside == pytest.approx(expected[0])
    np.testing.assert_allclose(drive.belief, expected[1:], rtol=1e-6)


def test_finds_a_drive_that_single_frames_do_not():
    """Noise hides every second frame; the road does not jump."""
    random = np.random.default_rng(2)
    truth = [row * 10 + row // 2 for row in range(10)]
    # b = 8 is the right sharpness for noise of this size on a step of 0.5.
    similarities = random.normal(0, 0.25, (10, 100))
    similarities[np.arange(10), truth] += 0.5
    drive = a_filter(grid(10, 10), 11.0, 8.0)
    beliefs = [update(drive, *frame) for frame in enumerate(similarities)]
    alone = (similarities.argmax(axis=1) == truth).mean()
    together = (np.argmax(beliefs, axis=1) == truth).mean()
    assert alone < 0.6
    assert together > alone + 0.2


def test_the_motion_of_missing_frames_is_applied():
    coordinates = grid(1, 9)
    first = np.where(np.arange(9) == 4, 1.0, 0.0)
    drive = a_filter(coordinates, 5.0, 50.0)
    update(drive, 1, first)
    # Frames 2 and 3 are missing; the fourth is as similar to all places.
    belief = update(drive, 4, np.zeros(9))
    steps = np.linalg.matrix_power(transition(coordinates, 5.0), 3)
    expected = np.exp(50 * first) @ steps
    np.testing.assert_allclose(belief, expected / expected.sum(), rtol=1e-6)


def test_places_beyond_the_candidates_are_like_the_last():
    listed, rows = np.array([0.9, 0.5, 0.1]), np.array([7, 2, 5])
    everywhere = np.full(9, 0.1)
    everywhere[rows] = listed
    short = a_filter(grid(3, 3), 10.0, 4.0)
    np.testing.assert_allclose(
        short.update(1, DIFFERENT[1], rows, listed),
        update(a_filter(grid(3, 3), 10.0, 4.0), 1, everywhere),
    )


def test_places_without_position_are_never_visited():
    coordinates = grid(2, 2)
    coordinates[1] = np.nan
    drive = a_filter(coordinates, 10.0, 1e4)
    # Far the most similar, so that the others' likelihoods vanish.
    for number, (best, line) in enumerate(
        [(0, [0, 1, -0.5, -1.0]), (3, [-1.0, 1, -0.5, 0])]
    ):
        belief = update(drive, number, np.array(line))
        assert belief[1] == 0
        assert belief[best] == pytest.approx(1)


def test_wrong_motions():
    for metres in (0.0, -1.0, 1e300, 1e-300, np.inf, np.nan):
        with pytest.raises(UserError, match="metres_per_frame=") as error:
            Motion(grid(2, 2), metres)
        assert f"{metres:g}: must be metres from 0.01 to" in str(error.value)
    with pytest.raises(UserError, match="no place of the gallery has a pos"):
        Motion(np.full((3, 2), np.nan), 10.0)
    crowd = np.tile(grid(1, 1), (11_000, 1))
    with pytest.raises(UserError, match="11,000 places lie within"):
        Motion(crowd, 10.0)


def test_a_standing_car_is_one_frame():
    """Ten pictures of one view, noise and all, leave the belief as it is."""
    random = np.random.default_rng(5)
    parameters = {"outside_share": 0.1, "frame_penalty": 2.0}
    view = np.eye(32)[0]
    line = random.uniform(0, 0.8, 15)
    rows = np.argsort(-line, kind="stable")
    drive = a_filter(grid(3, 5), 10.0, 30.0, same_view=0.9, **parameters)
    first = drive.update(1, view, rows, line[rows], 1.0).copy()
    outside = drive.outside
    for number in range(2, 12):
        noisy = view + random.normal(0, 0.05, 32)
        noisy /= np.linalg.norm(noisy)
        drive.update(number, noisy, rows, line[rows], 1.0)
    assert drive.views == 1
    np.testing.assert_array_equal(drive.belief, first)
    assert drive.outside == outside
    # It stood for 11 frames; it may have moved as far when it looks different.
    gap = a_filter(grid(3, 5), 10.0, 30.0, **parameters)
    gap.update(1, view, rows, line[rows], 1.0)
    for moved in (drive, gap):
        moved.update(12, np.eye(32)[1], rows, line[rows], 1.0)
    np.testing.assert_allclose(gap.belief, drive.belief)


@pytest.mark.parametrize("length", [0.2, 30.0])
def test_views_are_the_same_by_their_direction_alone(length):
    """Of systems whose descriptors are no unit vectors: 60 and 18 degrees."""
    drive = a_filter(grid(3, 5), 10.0, 30.0, same_view=0.9)
    line = np.linspace(0, 1, 15)
    for number, degrees in enumerate((0, 60, 78, 0), start=1):
        angle = np.radians(degrees)
        view = length * number * np.array([np.cos(angle), np.sin(angle)])
        drive.update(number, view, np.arange(15), line)
    assert drive.views == 2
    # A descriptor of zeros has no direction, and is no other's view.
    drive.update(5, np.zeros(2), np.arange(15), line)
    assert drive.views == 3


def test_a_drive_leaves_the_gallery_and_comes_back():
    drive = a_filter(grid(5, 8), 10.0, 20.0, outside_share=0.1, frame_penalty=1)
    inside = np.where(np.arange(40) == 3, 0.9, 0.4)
    outside = []
    for number in range(24):
        away = 8 <= number < 16
        line = np.full(40, 0.3) if away else inside
        update(drive, number, line, -4.0 if away else 3.0)
        outside.append(drive.outside)
    assert outside[7] < 0.01
    assert outside[15] > 0.99
    assert outside[23] < 0.01


@given(
    st.lists(
        st.tuples(st.floats(-1, 1, width=32), st.floats(-8, 8)),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([0.0, 0.1, 0.99]),
)
def test_probabilities_sum_to_one(frames, share):
    drive = a_filter(
        grid(1, 5), 10.0, 1e4, outside_share=share, frame_penalty=5.0
    )
    for number, (best, ratio) in enumerate(frames):
        belief = update(
            drive, number, np.array([best, 0.2, 0.1, 0.0, -1.0]), ratio
        )
        assert (belief >= 0).all()
        assert belief.sum() + drive.outside == pytest.approx(1)
        assert belief.max() > 0
