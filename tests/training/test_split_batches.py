"""A batch over replicas or in pieces: the loss and gradients of the whole."""

import json

import pytest

from tests import programs
from tests.training.split_batches import CLIP

SPLITS = ("pieces of 4", "two replicas", "pieces of two replicas")


@pytest.fixture(
    scope="module",
    params=["small", pytest.param("deep", marks=pytest.mark.large)],
)
def found(request):
    if request.param == "deep" and not request.config.getoption("--run-large"):
        pytest.skip("large")
    name = "tests.training.split_batches"
    result = programs.run(name, request.param, timeout=400)
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize("split", SPLITS)
def test_gradients_and_figures_are_those_of_the_whole_batch(found, split):
    assert found["replicas"] == 2
    of_any_element, of_any_variable = found[split]
    assert of_any_element < 1e-5
    assert of_any_variable < 1e-4
    figures = found["figures"]
    assert figures[split] == pytest.approx(figures["whole"], rel=1e-5)


def test_replicas_drop_other_units_and_keep_one_random_state(found):
    alike, states = found["dropout of replicas"]
    assert not alike
    assert states
    assert all(first == second for first, second in states)


def test_dropout_advances_once_a_piece_though_it_runs_twice(found):
    whole, pieces = found["dropout states"]
    assert whole == [2 * 2]  # both views of two steps
    assert pieces == [2 * 2 * 2]


def test_two_replicas_clip_where_one_device_does(found):
    assert found["clipped"] == pytest.approx([CLIP, CLIP], rel=1e-4)


def test_two_replicas_average_and_decay_alike(found):
    """Summed gradients are one: the figures of a single device, by hand."""
    weights, copies = found["averages"]
    wanted, average = 1.0, None
    for step, weight in enumerate(weights):
        wanted = wanted * (1 - 0.1 * 0.5) - 0.1
        assert weight == pytest.approx(wanted, rel=1e-4)
        average = wanted if not step else 0.9 * average + 0.1 * wanted
    assert copies == pytest.approx([average] * 2, rel=1e-4)
    assert copies[0] == copies[1]
