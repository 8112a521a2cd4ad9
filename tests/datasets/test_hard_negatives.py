"""Hard negatives by model and by position, against brute force."""

import tracemalloc

import numpy as np
import pytest

from mgtl_tf.datasets.hard_negatives import mine_hard_negatives, nearest_places
from mgtl_tf.datasets.negatives import Places
from mgtl_tf.utils import top_k
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import earth_centred


def unit(rng, rows, size):
    x = rng.normal(size=(rows, size))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype("float32")


def distances(positions):
    return np.linalg.norm(positions[:, None] - positions[None], axis=2)


def brute_force(cost, same, k):
    """Row by row, by a stable sort."""
    width, answers = min(k, len(cost) - 1), []
    for row, excluded in zip(cost, same, strict=True):
        order = np.argsort(row, kind="stable")
        found = [j for j in order if not excluded[j]][:width]
        answers.append(found + [-1] * (width - len(found)))
    return answers


def scattered(rng, count, axes):
    """UTM-like northings; a third crowded nearer than the radius."""
    found = rng.uniform(0, 300, (count, axes)) + 6.09e6
    third = count // 3
    found[:third] = found[0] + rng.uniform(0, 10, (third, axes))
    return found


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(top_k, "_QUERY_ROWS", 7)
    monkeypatch.setattr(top_k, "_BLOCK_NUMBERS", 35)


@pytest.mark.parametrize("k", [1, 6, 32, 100])
@pytest.mark.parametrize("axes", [None, 2, 3])
@pytest.mark.parametrize("shared", [False, True])
def test_both_equal_brute_force(small_tiles, k, axes, shared):
    rng = np.random.default_rng(k)
    ground, satellite = unit(rng, 33, 6), unit(rng, 33, 6)
    numbers = rng.integers(0, 12, 33) if shared else np.arange(33)
    same = numbers[:, None] == numbers
    positions = scattered(rng, 33, axes) if axes else None
    if axes:
        positions[5] = np.nan
        apart = distances(positions)
        same |= apart < 25.0
        same[5] |= numbers == numbers[5]
    cost = -(ground.astype("f8") @ satellite.T.astype("f8"))
    places = Places(numbers, positions, 25.0)
    found = mine_hard_negatives(ground, satellite, places, k)
    assert found.tolist() == brute_force(cost, same, k)
    if axes:
        same[5] = same[:, 5] = True
        found = nearest_places(places, k)
        assert found.tolist() == brute_force(apart, same, k)


def test_the_radius_is_exclusive():
    x = unit(np.random.default_rng(0), 3, 4)
    line = np.array([[0.0, 0], [25, 0], [49, 0]])
    places = Places(np.arange(3), line, 25.0)
    for found in (
        mine_hard_negatives(x, x, places, 2),
        nearest_places(places, 2),
    ):
        assert sorted(found[0]) == [1, 2]
        assert found[1:].tolist() == [[0, -1], [0, -1]]
    one = Places(np.arange(3), np.zeros((3, 2)), 5.0)
    assert (mine_hard_negatives(x, x, one, 2) == -1).all()


def test_ties_and_crowds_are_as_similar_as_by_brute_force():
    rng = np.random.default_rng(5)
    ground, satellite = unit(rng, 400, 16), unit(rng, 400, 16)
    satellite[100:200] = satellite[:100]
    satellite[300:] = satellite[300]
    # 120 places in one spot, the most similar ones of one another.
    positions = rng.uniform(0, 3000, (400, 2))
    positions[:120] = positions[0]
    ground[:120] = satellite[:120] = unit(rng, 1, 16)
    places = Places(np.arange(400), positions, 25.0)
    found = mine_hard_negatives(ground, satellite, places, 12)
    apart = distances(positions)
    similar = ground.astype("f8") @ satellite.T.astype("f8")
    wanted = np.array(brute_force(-similar, apart < 25, 12))
    np.testing.assert_allclose(
        np.take_along_axis(similar, found, axis=1),
        np.take_along_axis(similar, wanted, axis=1),
        atol=1e-6,
    )
    assert np.take_along_axis(apart, found, axis=1).min() >= 25
    assert all(len(set(row)) == 12 for row in found)


@pytest.mark.parametrize("shared", [False, True])
def test_memory_stays_far_below_the_full_matrix(shared):
    """Also where thousands share an image, or stand in one spot."""
    count = 12_000
    x = unit(np.random.default_rng(2), count, 4)
    images = np.zeros(count, int) if shared else np.arange(count)
    positions = np.zeros((count, 2))
    positions[6000 if shared else 0 :, 0] = np.arange(6000 * (2 - shared)) * 30
    tracemalloc.start()
    mine_hard_negatives(x, x, Places(images, positions, 25.0), 8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400e6  # [N, N] would be 576 MB


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k=0"),
        ({"satellite": np.eye(4, 5)}, r"satellite \(4, 5\)"),
        ({"places": Places(np.arange(3))}, "3 places N = 4"),
        ({"ground": np.diag([1, 1, np.nan, 1])}, "not finite"),
        ({"satellite": np.diag([1, np.inf, 1, 1])}, "not finite"),
    ],
)
def test_arguments_that_do_not_fit(change, message):
    good = {"ground": np.eye(4), "satellite": np.eye(4), "k": 2}
    arguments = {**good, "places": Places(np.arange(4)), **change}
    with pytest.raises(ValueError, match=message):
        mine_hard_negatives(**arguments)


@pytest.mark.parametrize("positions", [None, [[0.0, 0], [np.nan, 0]]])
def test_mining_by_position_needs_two_positions(positions):
    positions = None if positions is None else np.array(positions)
    with pytest.raises(UserError, match="mining_by_position_until"):
        nearest_places(Places(np.arange(2), positions, 25.0), 1)


def test_many_near_panoramas_of_one_image_do_not_hide_the_others():
    line = np.stack([np.arange(40.0), np.zeros(40)], axis=1)
    images = np.array([0] * 30 + list(range(1, 11)))
    found = nearest_places(Places(images, line, 2.0), 3)
    assert found[0].tolist() == [30, 31, 32]
    assert found[29].tolist() == [31, 32, 33]


def test_near_on_the_map_is_near_by_haversine_of_radians():
    """Degrees in its place, as in public code, would order them otherwise."""
    rng = np.random.default_rng(4)
    degrees = rng.uniform([59.0, 10.0], [59.02, 10.02], (40, 2))
    metres = earth_centred(*degrees.T)
    found = nearest_places(Places(np.arange(40), metres), 8)

    apart = _haversine(np.radians(degrees))

    def farther(rows):
        """By how much more than the nearest ones; an ellipsoid gives 0.4 %."""
        nearest = np.sort(apart, axis=1)[:, 1:9]
        return np.take_along_axis(apart, rows, axis=1) / nearest - 1

    assert np.abs(farther(found)).max() < 0.01
    in_degrees = _haversine(degrees).argsort(axis=1)[:, 1:9]
    assert (np.abs(farther(in_degrees)) > 0.01).mean() > 0.1


def _haversine(angles):
    """Great-circle angles [N, N] of (latitude, longitude), radians."""
    latitude, longitude = angles.T
    apart = [np.sin((x[:, None] - x) / 2) ** 2 for x in (latitude, longitude)]
    cosines = np.cos(latitude)[:, None] * np.cos(latitude)
    return 2 * np.arcsin(np.sqrt(apart[0] + cosines * apart[1]).clip(0, 1))
