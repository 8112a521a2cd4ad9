"""Recursive Bayes against every path written out, and dense matrices."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from mgtl_tf.retrieval.sequence.bayes_filter import (
    EDGE,
    SWITCH,
    BayesFilter,
    SequenceModel,
)
from mgtl_tf.retrieval.sequence.motion import ASTRAY, Motion
from mgtl_tf.utils.errors import UserError

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


# Unit vectors: each frame has a view of its own.
DIFFERENT = np.eye(64)


def plain_drive(motion, sharpness):
    """Of a gallery that has all places."""
    return BayesFilter(motion, SequenceModel(sharpness))


def see_all(drive, similarities):
    beliefs = []
    for number, line in enumerate(similarities, start=3):
        rows = np.argsort(-line, kind="stable")
        beliefs.append(
            drive.update(number, DIFFERENT[number], rows, line[rows])
        )
    return np.array(beliefs)


def test_against_every_path():
    coordinates = grid(2, 3)
    random = np.random.default_rng(0)
    similarities = random.uniform(-1, 1, (4, 6))
    drive = plain_drive(Motion(coordinates, 8.0), 3.0)
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
    beliefs = see_all(plain_drive(Motion(coordinates, 12.0), 9.0), similarities)
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
    beliefs = see_all(plain_drive(Motion(coordinates, 11.0), 8.0), similarities)
    alone = (similarities.argmax(axis=1) == truth).mean()
    together = (beliefs.argmax(axis=1) == truth).mean()
    assert alone < 0.6
    assert together > alone + 0.2


def test_a_frame_that_cannot_be_read_is_moved_through():
    coordinates = grid(1, 9)
    first = np.where(np.arange(9) == 4, 1.0, 0.0)
    drive = plain_drive(Motion(coordinates, 5.0), 50.0)
    rows = np.argsort(-first)
    drive.update(1, DIFFERENT[1], rows, first[rows])
    # Frames 2 and 3 are missing; the fourth says nothing.
    belief = drive.update(4, DIFFERENT[4], np.arange(9), np.zeros(9))
    steps = transition(coordinates, 5.0)
    expected = np.exp(50 * first) @ np.linalg.matrix_power(steps, 3)
    np.testing.assert_allclose(belief, expected / expected.sum(), rtol=1e-6)


def test_places_beyond_the_candidates_are_like_the_last():
    coordinates = grid(3, 3)
    short = plain_drive(Motion(coordinates, 10.0), 4.0)
    full = plain_drive(Motion(coordinates, 10.0), 4.0)
    listed = np.array([0.9, 0.5, 0.1])
    rows = np.array([7, 2, 5])
    everywhere = np.full(9, 0.1)
    everywhere[rows] = listed
    order = np.argsort(-everywhere, kind="stable")
    np.testing.assert_allclose(
        short.update(1, DIFFERENT[1], rows, listed),
        full.update(1, DIFFERENT[1], order, everywhere[order]),
    )


def test_places_without_position_are_never_visited():
    coordinates = grid(2, 2)
    coordinates[1] = np.nan
    drive = plain_drive(Motion(coordinates, 10.0), 1e4)
    # Far the most similar, so that the others' likelihoods vanish.
    belief = drive.update(
        1, DIFFERENT[1], np.array([1, 0, 2, 3]), np.array([1, 0, -0.5, -1.0])
    )
    assert belief[1] == 0
    assert belief[0] == pytest.approx(1)
    belief = drive.update(
        2, DIFFERENT[2], np.array([1, 3, 2, 0]), np.array([1, 0, -0.5, -1.0])
    )
    assert np.isfinite(belief).all()
    assert belief[3] == pytest.approx(1)


def test_it_finds_back_after_a_jump():
    coordinates = grid(1, 200)
    drive = plain_drive(Motion(coordinates, 10.0), 60.0)
    for number, place in enumerate([0, 1, 150, 151, 152]):
        line = np.where(np.arange(200) == place, 0.8, 0.5)
        rows = np.argsort(-line, kind="stable")
        belief = drive.update(number, DIFFERENT[number], rows, line[rows])
    assert belief.argmax() == 152
    assert belief[152] > 0.9


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


def outside_oracle(coordinates, metres, frames, model):
    """The same chain written out: N + 1 states, dense, in probabilities."""
    count, share = len(coordinates), model.outside_share
    apart = np.array(
        [
            [WGS84.inv(a[1], a[0], b[1], b[0])[2] for b in coordinates]
            for a in coordinates
        ]
    )
    weights = np.exp(-(apart**2) / (2 * metres**2)) * (apart <= 3 * metres)
    room = weights.sum(axis=1)
    leave = SWITCH * share
    leave = leave + EDGE * np.clip(1 - room / np.median(room), 0, 1)
    enter = leave * (1 - share) / (count * share)
    enter *= min(1, 0.5 / enter.sum())
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


def test_elsewhere_against_the_dense_chain():
    coordinates = grid(4, 6)
    random = np.random.default_rng(4)
    model = SequenceModel(5.0, frame_penalty=0.5, outside_share=0.2)
    frames = [(random.uniform(-1, 1, 24), random.normal()) for _ in range(9)]
    drive = BayesFilter(Motion(coordinates, 9.0), model)
    for number, (line, ratio) in enumerate(frames):
        rows = np.argsort(-line, kind="stable")
        drive.update(number, DIFFERENT[number], rows, line[rows], ratio)
    expected = outside_oracle(coordinates, 9.0, frames, model)
    assert drive.outside == pytest.approx(expected[0])
    np.testing.assert_allclose(drive.belief, expected[1:], rtol=1e-6)


def test_a_standing_car_is_one_frame():
    """Ten pictures of one view, noise and all, are told as the first is."""
    coordinates = grid(3, 5)
    random = np.random.default_rng(5)
    model = SequenceModel(
        30.0, same_view=0.9, outside_share=0.1, frame_penalty=2.0
    )
    view = np.eye(32)[0]
    line = random.uniform(0, 0.8, 15)
    rows = np.argsort(-line, kind="stable")
    drive = BayesFilter(Motion(coordinates, 10.0), model)
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
    other = SequenceModel(30.0, outside_share=0.1, frame_penalty=2.0)
    gap = BayesFilter(Motion(coordinates, 10.0), other)
    for seen, number in ((drive, 12), (gap, 12)):
        if seen is gap:
            gap.update(1, view, rows, line[rows], 1.0)
        seen.update(number, np.eye(32)[1], rows, line[rows], 1.0)
    np.testing.assert_allclose(gap.belief, drive.belief)


def test_frames_that_look_like_elsewhere_end_there_and_come_back():
    coordinates = grid(5, 8)
    model = SequenceModel(20.0, outside_share=0.1, frame_penalty=1.0)
    drive = BayesFilter(Motion(coordinates, 10.0), model)
    rows = np.arange(40)
    inside = np.where(rows == 3, 0.9, 0.4)
    order = np.argsort(-inside, kind="stable")
    told = []
    for number in range(24):
        ratio = -4.0 if 8 <= number < 16 else 3.0
        line = np.full(40, 0.3) if ratio < 0 else inside[order]
        drive.update(number, DIFFERENT[number], order, line, ratio)
        told.append(drive.outside)
    assert told[7] < 0.01
    assert told[15] > 0.99
    assert told[23] < 0.01
    assert drive.belief.sum() + drive.outside == pytest.approx(1)


@given(
    st.lists(
        st.tuples(st.floats(-1, 1, width=32), st.floats(-8, 8)),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([0.0, 0.1, 0.99]),
)
def test_the_belief_stays_one(frames, share):
    model = SequenceModel(1e4, outside_share=share, frame_penalty=5.0)
    drive = BayesFilter(Motion(grid(1, 5), 10.0), model)
    for number, (best, ratio) in enumerate(frames):
        line = np.array([best, 0.2, 0.1, 0.0, -1.0])
        rows = np.argsort(-line, kind="stable")
        belief = drive.update(
            number, DIFFERENT[number], rows, line[rows], ratio
        )
        assert (belief >= 0).all()
        assert belief.sum() + drive.outside == pytest.approx(1)
        assert belief.max() > 0
