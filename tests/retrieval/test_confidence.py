"""Confidence, its fit and reliability, against models known exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from scipy.stats import vonmises_fisher

from mgtl_tf.retrieval.calibration.calibration_set import (
    CalibrationSet,
    QueryResults,
)
from mgtl_tf.retrieval.calibration.confidence import Confidence, LogOdds
from mgtl_tf.retrieval.calibration.fit import (
    fit,
    fit_sequence_model,
    held_out,
)
from mgtl_tf.retrieval.calibration.reliability import reliability
from mgtl_tf.utils.errors import UserError

SIDE = 24
METRES = 25.0


def town(seed, concentration):
    """Queries that are their place's descriptor under von Mises-Fisher noise.

    Then the posterior of the places is the softmax of the similarities times
    the concentration, exactly. Places stand on a grid, 10 m apart, and near
    ones look alike.

    Returns:
        QueryResults of the 50 best, positions [Q, 3], and the exact probability
        that the first answer is right, [Q].
    """
    random = np.random.default_rng(seed)
    grid, look = places(random)
    queries = np.concatenate(
        [
            vonmises_fisher(place, concentration).rvs(1, random_state=random)
            for place in look
        ]
    )
    best, near, close = answers(queries, grid, look)
    right = close[np.arange(len(grid)), np.arange(len(grid))]
    weights = np.exp(concentration * (queries @ look.T - 1))
    exact = (weights * close).sum(axis=1) / weights.sum(axis=1)
    positions = np.concatenate([grid, np.zeros((len(grid), 1))], axis=1)
    return QueryResults(best, near, right), positions, exact


def strangers(seed):
    """QueryResults of queries that are no place's of the town of this seed."""
    random = np.random.default_rng(seed)
    grid, look = places(random)
    queries = random.normal(size=look.shape)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    best, near, _ = answers(queries, grid, look)
    return QueryResults(best, near, np.zeros(len(grid), bool))


def closed(inside):
    """A calibration set without queries from outside."""
    nothing = QueryResults(
        np.full_like(inside.similarities, -np.inf),
        np.zeros_like(inside.near),
        np.zeros_like(inside.right),
    )
    return CalibrationSet(inside, nothing)


def places(random):
    """Positions [N, 2] and descriptors [N, 8]."""
    grid = np.indices((SIDE, SIDE)).reshape(2, -1).T * 10.0
    waves = np.cos(grid @ random.normal(size=(2, 32)) * 0.02)
    count = len(grid)
    look = waves @ random.normal(size=(32, 8)) + random.normal(size=(count, 8))
    return grid, look / np.linalg.norm(look, axis=1, keepdims=True)


def answers(queries, grid, look):
    """Similarities of the 50 best, which are near, and all that are [Q, N]."""
    similarities = queries @ look.T
    rows = np.argsort(-similarities, axis=1)[:, :50]
    firsts = grid[rows[:, 0]]
    close = np.linalg.norm(firsts[:, None] - grid, axis=2) <= METRES
    near = np.take_along_axis(close, rows, axis=1)
    return np.take_along_axis(similarities, rows, axis=1), near, close


def test_log_odds_by_hand():
    similarities = np.array([[0.9, 0.8, 0.5]])
    near = np.array([[True, False, True]])
    # The last candidate stands once more for all that were not listed.
    expected = np.log(np.exp(9) + np.exp(5)) - np.log(np.exp(8) + np.exp(5))
    assert LogOdds(10.0).log_odds(similarities, near) == pytest.approx(
        [expected]
    )
    alone = LogOdds(10.0).log_odds(np.array([[0.9]]), np.array([[True]]))
    assert alone == pytest.approx([0.0])


def test_a_rival_next_door_does_no_harm_one_far_away_does():
    similarities = np.array([[0.9, 0.899, 0.4, 0.3]])
    next_door = np.array([[True, True, False, False]])
    far_away = np.array([[True, False, False, False]])
    confidence = Confidence(40.0)
    assert confidence(similarities, next_door) > 0.99
    assert confidence(similarities, far_away) < 0.55


def test_extreme_similarities_stay_probabilities():
    similarities = np.array([[1.0, -1.0], [1.0, 1.0], [-1.0, -1.0]])
    near = np.array([[True, False], [True, True], [True, False]])
    confidences = Confidence(1e4, least=0.001)(similarities, near)
    assert np.isfinite(confidences).all()
    assert confidences[0] == 0.999


@pytest.mark.parametrize("concentration", [20.0, 60.0])
def test_finds_the_noise_that_was_put_in(concentration):
    found, _, exact = town(0, concentration)
    confidence = fit(closed(found))
    effective = confidence.sharpness * confidence.slope
    assert effective == pytest.approx(concentration, rel=0.35)
    confidences = confidence(found.similarities, found.near)
    assert np.abs(confidences - exact).mean() < 0.06


def test_is_calibrated_on_unseen_places_and_in_another_town():
    found, positions, _ = town(1, 40.0)
    assert 0.3 < found.right.mean() < 0.9
    confidences = held_out(closed(found), positions, METRES)[0]
    assert np.isfinite(confidences).all()
    assert reliability(confidences, found.right).error < 0.05
    other, _, _ = town(2, 40.0)
    confidences = fit(closed(found))(other.similarities, other.near)
    assert reliability(confidences, other.right).error < 0.06
    # A model that ignores the similarities would do worse than this one.
    likelihood = np.where(other.right, confidences, 1 - confidences)
    rate = found.right.mean()
    blind = np.where(other.right, rate, 1 - rate)
    assert np.log(likelihood).mean() > np.log(blind).mean() + 0.1


def test_held_out_places_are_not_seen():
    """What happened in one part of the map changes no confidence there."""
    found, positions, _ = town(3, 40.0)
    # Stretched, so that strips of the map lie across its second axis.
    positions = positions * [1.0, 3.0, 1.0]
    confidences = held_out(closed(found), positions, METRES)[0]
    order = np.argsort(positions[:, 1], kind="stable")
    strip = order[: len(order) // 5 - SIDE]
    right = found.right.copy()
    right[strip] = ~right[strip]
    flipped = QueryResults(found.similarities, found.near, right)
    then = held_out(closed(flipped), positions, METRES)[0]
    np.testing.assert_array_equal(then[strip], confidences[strip])
    others = np.setdiff1d(np.arange(len(right)), order[: len(order) // 5])
    assert (then[others] != confidences[others]).mean() > 0.9


@pytest.mark.parametrize("share", [0.0, 0.1])
@pytest.mark.parametrize("side", [1.0, 240.0])
def test_queries_of_which_none_is_left_to_fit_are_one_line(side, share):
    """240 m: all lie within 100 m of the fifth in the middle, not others."""
    found, positions, _ = town(1, 40.0)
    positions = np.zeros_like(positions)
    positions[:, 0] = np.linspace(0, side, len(positions))
    queries = CalibrationSet(found, strangers(1))
    with pytest.raises(UserError, match="all lie within R = 100 m of") as error:
        held_out(queries, positions, 100.0, share)
    assert "\n" not in str(error.value)
    longer = positions * (260 / side)
    assert np.isfinite(held_out(queries, longer, 100.0, share)[0]).all()


def test_few_queries_change_little():
    """All right by luck: no certainty follows."""
    similarities = np.tile([0.9, 0.6, 0.5], (10, 1))
    near = np.tile([True, False, False], (10, 1))
    right = np.arange(10) > 0
    confidence = fit(closed(QueryResults(similarities, near, right)))
    confidences = confidence(similarities, near)
    assert np.all((confidences > 0.75) & (confidences <= 1 - 1 / 12))


def test_expected_calibration_error_by_hand():
    confidence = np.array([0.9, 0.1, 0.9, 0.1])
    right = np.array([True, False, False, False])
    found = reliability(confidence, right, bins=2)
    assert found.confidence == pytest.approx([0.1, 0.9])
    assert found.right == pytest.approx([0.0, 0.5])
    assert found.counts.tolist() == [2, 2]
    assert found.error == pytest.approx((0.1 + 0.4) / 2)
    assert len(reliability(confidence, right).counts) == 4


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_reliability_of_anything(pairs):
    confidence = np.array([c for c, _ in pairs])
    right = np.array([r for _, r in pairs])
    found = reliability(confidence, right)
    assert found.counts.sum() == len(pairs)
    assert found.counts.max() - found.counts.min() <= 1
    assert -1e-9 <= found.error <= 1 + 1e-9
    # The gap of the whole is never more than that of the bins.
    assert abs(confidence.mean() - right.mean()) <= found.error + 1e-9


def test_weights_count_as_copies_do():
    """A query of weight 3 is three of weight 1, where bins do not split it."""
    random = np.random.default_rng(0)
    confidence, right = random.random(12), random.random(12) < 0.5
    weights = np.tile([3, 1, 1, 1], 3)
    order = np.argsort(confidence)
    weights[order] = weights.copy()  # Each half of the sorted weighs 9.
    found = reliability(confidence, right, 2, weights.astype(float))
    copies = np.repeat(np.arange(12), weights)
    expected = reliability(confidence[copies], right[copies], 2)
    for name in ("confidence", "right", "counts"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=1e-12
        )
    assert found.error == pytest.approx(expected.error)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_queries_from_outside_are_expected(share):
    """Of a mix in the shares that were said, confidences are calibrated."""
    inside, outside = town(4, 60.0)[0], strangers(4)
    queries = CalibrationSet(inside, outside)
    confidence, before = fit(queries, share), fit(closed(inside))
    assert confidence.sharpness == before.sharpness
    confidences = [
        np.concatenate([f(e.similarities, e.near) for e in (inside, outside)])
        for f in (confidence, before)
    ]
    right = np.concatenate([inside.right, outside.right])
    weights = np.repeat([1 - share, share], len(inside))
    errors = [reliability(t, right, weights=weights).error for t in confidences]
    assert errors[0] < 0.05 < errors[1]
    stranger = slice(len(inside), None)
    assert (
        confidences[0][stranger].mean() < confidences[1][stranger].mean() - 0.05
    )


def test_a_copy_of_each_query_outside_counts_by_its_share():
    """Half of all wrong, whatever they look like: half the odds remain."""
    similarities = np.tile([0.9, 0.6, 0.5], (400, 1))
    near = np.tile([True, False, False], (400, 1))
    inside = QueryResults(similarities, near, np.arange(400) >= 100)
    outside = QueryResults(similarities, near, np.zeros(400, bool))
    for share in (0.0, 0.2, 0.5):
        confidence = fit(CalibrationSet(inside, outside), share)
        confidences = confidence(similarities[:1], near[:1])
        assert confidences == pytest.approx([0.75 * (1 - share)], abs=0.01)


def test_queries_without_any_answer_outside_are_left_out():
    """As where the gallery has no place but their own."""
    inside, outside = town(4, 60.0)[0], strangers(4)
    outside.similarities[::2] = -np.inf
    queries = CalibrationSet(inside, outside)
    assert len(queries.without_place) == len(inside) // 2
    half = CalibrationSet(inside, outside[np.arange(len(inside)) // 2 * 2 + 1])
    np.testing.assert_allclose(
        list(vars(fit(queries, 0.1)).values()),
        list(vars(fit(half, 0.1)).values()),
        rtol=1e-2,
    )
    part = queries[np.array([3, 1, 2])]
    np.testing.assert_array_equal(
        part.inside.similarities, inside.similarities[[3, 1, 2]]
    )
    assert len(part.without_place) == 2


@pytest.mark.parametrize("length", [1.0, 0.1, 40.0])
def test_the_same_view_is_a_cosine_whatever_the_descriptors_lengths(length):
    random = np.random.default_rng(7)
    views = random.normal(size=(60, 6)) * random.uniform(1, 3, (60, 1))
    alike = 1 - squareform(pdist(views, "cosine"))
    np.fill_diagonal(alike, -1.0)
    expected = np.quantile(alike.max(axis=1), 0.99)
    assert 0.5 < expected < 0.9999
    found = fit_sequence_model(closed(town(5, 40.0)[0]), length * views, 0.0)
    assert found.same_view == pytest.approx(expected, abs=1e-9)
