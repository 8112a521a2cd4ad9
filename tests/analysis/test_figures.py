"""Figures of traced models: errors, collapse, focus, agreement of views."""

import numpy as np
import pytest

from mgtl_tf.analysis.figures import look_figures, warning_of

PLACES, T, C = 60, 4, 6
GENERATED = ("L_S, F_S", "L_G, F_G")


def _noise(seed):
    random = np.random.default_rng(seed)
    return random.normal(size=(PLACES, T, C)).astype("float32")


def _unit(tokens):
    flat = tokens.reshape(len(tokens), -1)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def uniform(view):
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


def figures_of(knowledge, tokens=tokens_of, attention=uniform, generates=True):
    """Of views whose knowledge and tokens are functions of (view, step)."""
    traces = {}
    for view in ("ground", "satellite"):
        steps = [
            {
                "tokens": tokens(view, step),
                "knowledge": knowledge(view, step),
                "descriptor": _unit(tokens(view, step)),
                "attention": attention(view),
            }
            for step in range(3)
        ]
        traces[view] = {
            name: np.stack([s[name] for s in steps]) for name in steps[0]
        }
    return look_figures(traces, generates)


def compared(figures, name):
    return [s for s in figures["similarity"] if s["compared"] == name]


def test_errors_of_the_knowledge():
    errors = (1.0, 0.5, 0.1)
    found = figures_of(guess_of(errors))
    views = compared(found, "F_G, F_S")
    # Tokens have a variance of two: errors are half their square.
    for name in GENERATED:
        steps = compared(found, name)
        assert [s["step"] for s in steps] == [1, 2, 3]
        assert [s["normalized_mse"] for s in steps] == pytest.approx(
            [e**2 / 2 for e in errors], rel=0.15
        )
        for step, view in zip(steps, views, strict=True):
            assert step["r@1"] > view["r@1"]
    assert warning_of(found) == ""


def test_knowledge_of_nothing_and_none():
    found = figures_of(lambda view, step: np.zeros_like(PLACE))
    for step in compared(found, "L_S, F_S"):
        assert step["normalized_mse"] > 0.98
        assert step["r@1"] == 0
    # Without CMI nothing is generated.
    found = figures_of(tokens_of, generates=False)["similarity"]
    assert [s["compared"] for s in found] == 3 * ["F_G, F_S"]


def test_collapse_is_named():
    found = figures_of(
        guess_of((1, 1, 1)), tokens=lambda view, step: np.ones_like(PLACE)
    )
    assert "has collapsed" in warning_of(found)
    # NaN, which JSON lacks, is None.
    assert compared(found, "L_S, F_S")[0]["normalized_mse"] is None
    assert [r["r@1"] for r in found["recall"]] == 6 * [0]


def test_a_model_at_chance_is_named():
    """Views that share nothing: recall is that of chance."""
    found = figures_of(
        guess_of((1, 1, 1)),
        tokens=lambda view, step: _noise(1 if view == "ground" else 2),
    )
    assert "barely trained" in warning_of(found)
    assert "1.67 %" in warning_of(found)


@pytest.mark.parametrize(
    ("attention", "part", "own"),
    [
        (uniform, None, 0.25),
        (at_itself, "query", 1.0),
        (by_image, "image", 0.25),
    ],
)
def test_what_determines_attention(attention, part, own):
    found = figures_of(tokens_of, attention=attention)["attention"]
    assert len(found) == 6
    for step in found:
        parts = {n: step[n] for n in ("fixed", "query", "image")}
        assert step["own"] == pytest.approx(own, abs=0.08)
        if part is None:
            assert step["focus"] == pytest.approx(0, abs=1e-6)
        else:
            assert max(parts, key=parts.get) == part


def test_views_that_attend_to_the_same_azimuths():
    """Columns drawn at random for each place, the same in both views."""
    for step in figures_of(tokens_of, attention=by_image)["agreement"]:
        assert step["own"] == pytest.approx(1, abs=1e-5)
        assert abs(step["other"]) < 0.3
    # What all places share is not agreement.
    expected = {"step": 1, "own": 0, "other": 0}
    assert figures_of(tokens_of)["agreement"][0] == expected
