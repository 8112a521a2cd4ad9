"""Sentences follow from the figures: approach, moving away, collapse, ..."""

import copy

import numpy as np
import pytest

from mgtl_tf.analysis import reading
from mgtl_tf.analysis.figures import look_figures
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


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ((1.0, 0.5, 0.1), "it approaches"),
        ((0.1, 0.5, 1.0), "it moves away"),
        ((0.5, 0.1, 0.5), "no change"),
    ],
)
def test_trend_of_the_knowledge(errors, said):
    found = figures_of(guess_of(errors))
    # Tokens have a variance of two: errors are half their square.
    steps = found["knowledge"]["satellite_from_ground"]
    assert [s["normalized_mse"] for s in steps] == pytest.approx(
        [e**2 / 2 for e in errors], rel=0.15
    )
    text = reading.approach(found)
    assert text.count(said) == 2 and "constant guess's" in text
    assert "no nearer than guessing" not in text
    assert "at 3 of 3 steps" in reading.knows_place(found)
    assert reading.warning(found) == ""


def test_knowledge_of_nothing_is_said_to_be_none():
    found = figures_of(lambda view, step: np.zeros_like(PLACE))
    text = reading.approach(found)
    assert text.count("no nearer than guessing the same") == 2
    assert "at 0 of 3 steps" in reading.knows_place(found)


def test_collapse_comes_first():
    found = figures_of(
        guess_of((1, 1, 1)), tokens=lambda view, step: np.ones_like(PLACE)
    )
    assert "has collapsed" in reading.warning(found)
    assert "cannot be judged" in reading.approach(found)
    assert found["recall"]["ground_to_satellite"][-1]["r@1"] == 0


def test_a_model_that_guesses_is_called_so():
    """Views that share nothing: recall is that of chance."""
    found = figures_of(
        guess_of((1, 1, 1)),
        tokens=lambda view, step: _noise(1 if view == "ground" else 2),
    )
    text = reading.warning(found)
    assert "has learnt next to nothing" in text and "1.67 %" in text


def test_without_cmi_nothing_is_generated():
    found = figures_of(tokens_of, generates=False)
    assert found["knowledge"] == {}
    assert "generates no knowledge" in reading.approach(found)
    assert "L_S" not in reading.knows_place(found)


@pytest.mark.parametrize(
    ("attention", "said"),
    [
        (even, "an average over the whole circle"),
        (at_itself, "decided by the azimuth|the azimuth that asks decides"),
        (by_image, "what the image shows decides"),
    ],
)
def test_what_decides_attention(attention, said):
    found = figures_of(tokens_of, attention=attention)
    text = reading.attends(found)
    assert sum(text.count(part) for part in said.split("|")) == 2
    own = 100 if attention is at_itself else 25
    share = float(text.split(" % rests on")[0].split()[-1])
    assert share == pytest.approx(own, abs=8)


def test_steps_that_add_nothing():
    found = figures_of(tokens_of)
    text = reading.stopping(found)
    assert "After step 1 nothing is gained" in text
    rising = copy.deepcopy(found)
    for step, value in zip(
        rising["recall"]["ground_to_satellite"], (0.2, 0.3, 0.5), strict=True
    ):
        step["r@1"] = value
    text = reading.stopping(rising)
    assert "20.0, 30.0, 50.0 %" in text and "last step is needed" in text


def test_views_that_look_the_same_way():
    """Columns drawn at random for each place, the same in both views."""
    together = figures_of(tokens_of, attention=by_image)
    for step in together["shared_light"]:
        assert step["own"] == pytest.approx(1, abs=1e-5)
        assert abs(step["other"]) < 0.3
    assert "cosine of 1.00, 1.00, 1.00" in reading.attends(together)
    # Whatever all places share is no agreement.
    assert figures_of(tokens_of)["shared_light"][0] == {"own": 0, "other": 0}
