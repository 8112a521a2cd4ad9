"""Figures of traced models: errors, collapse, focus, agreement of views."""

import numpy as np
import pytest

from mgtl_tf.analysis.figures import look_figures, warning_of
from mgtl_tf.analysis.traces import ViewTraces

PLACES, T, C = 60, 4, 6


def traces(knowledge, tokens, attention):
    """Views whose knowledge and tokens are functions of (view, step)."""
    found = {}
    for view in ("ground", "satellite"):
        own = ViewTraces(1)
        own.add(
            [
                {
                    "tokens": tokens(view, step),
                    "knowledge": knowledge(view, step),
                    "descriptor": _unit(tokens(view, step)),
                    "attention": attention(view),
                }
                for step in range(3)
            ]
        )
        found[view] = own
    return found


def _unit(tokens):
    flat = tokens.reshape(len(tokens), -1)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def _noise(seed):
    random = np.random.default_rng(seed)
    return random.normal(size=(PLACES, T, C)).astype("float32")


def even(view):
    return np.full((PLACES, 2, T, T), 1 / T, np.float32)


def at_itself(view):
    return np.broadcast_to(np.eye(T, dtype=np.float32), (PLACES, 2, T, T))


def by_image(view):
    looked = np.random.default_rng(5).integers(0, T, PLACES)
    rows = np.eye(T, dtype=np.float32)[looked]
    return np.broadcast_to(rows[:, None, None], (PLACES, 2, T, T))


PLACE = _noise(0)


def tokens_of(view, step):
    """Each view: the place and something of its own."""
    return PLACE + _noise(1 if view == "ground" else 2)


def guess_of(errors):
    """Knowledge whose error falls or rises with the step."""

    def knowledge(view, step):
        other = "satellite" if view == "ground" else "ground"
        return tokens_of(other, step) + errors[step] * _noise(9)

    return knowledge


def figures_of(knowledge, tokens=tokens_of, attention=even, generates=True):
    return look_figures(traces(knowledge, tokens, attention), generates)


def test_errors_of_the_knowledge():
    errors = (1.0, 0.5, 0.1)
    found = figures_of(guess_of(errors))
    # Tokens have a variance of two: errors are half their square.
    for steps in found["knowledge"].values():
        assert [s["normalized_mse"] for s in steps] == pytest.approx(
            [e**2 / 2 for e in errors], rel=0.15
        )
        for step, view in zip(steps, found["views"], strict=True):
            assert step["recall"]["r@1"] > view["recall"]["r@1"]
    assert warning_of(found) == ""


def test_knowledge_of_nothing():
    found = figures_of(lambda view, step: np.zeros_like(PLACE))
    for step in found["knowledge"]["satellite_from_ground"]:
        assert step["normalized_mse"] > 0.98
        assert step["recall"]["r@1"] == 0


def test_collapse_is_named():
    found = figures_of(
        guess_of((1, 1, 1)), tokens=lambda view, step: np.ones_like(PLACE)
    )
    assert "has collapsed" in warning_of(found)
    # NaN, which JSON lacks, is None.
    assert found["knowledge"]["satellite_from_ground"][0]["normalized_mse"] is (
        None
    )
    assert found["recall"]["ground_to_satellite"][-1]["r@1"] == 0


def test_a_model_at_chance_is_named():
    """Views that share nothing: recall is that of chance."""
    found = figures_of(
        guess_of((1, 1, 1)),
        tokens=lambda view, step: _noise(1 if view == "ground" else 2),
    )
    assert "barely trained" in warning_of(found)
    assert "1.67 %" in warning_of(found)


def test_without_cmi_nothing_is_generated():
    assert figures_of(tokens_of, generates=False)["knowledge"] == {}


@pytest.mark.parametrize(
    ("attention", "part", "own"),
    [(even, None, 0.25), (at_itself, "query", 1.0), (by_image, "image", 0.25)],
)
def test_what_determines_attention(attention, part, own):
    found = figures_of(tokens_of, attention=attention)
    for steps in found["attention"].values():
        for step in steps:
            parts = {n: step[n] for n in ("fixed", "query", "image")}
            assert step["own"] == pytest.approx(own, abs=0.08)
            if part is None:
                assert step["focus"] == pytest.approx(0, abs=1e-6)
            else:
                assert max(parts, key=parts.get) == part


def test_views_that_attend_to_the_same_azimuths():
    """Columns drawn at random for each place, the same in both views."""
    together = figures_of(tokens_of, attention=by_image)
    for step in together["view_agreement"]:
        assert step["own"] == pytest.approx(1, abs=1e-5)
        assert abs(step["other"]) < 0.3
    # What all places share is not agreement.
    expected = {"own": 0, "other": 0}
    assert figures_of(tokens_of)["view_agreement"][0] == expected
