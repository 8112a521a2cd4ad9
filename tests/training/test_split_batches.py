"""A batch over replicas or in pieces: the loss and gradients of the whole."""

import json

import pytest

from tests import programs

SPLITS = ("pieces of 4", "two replicas")


@pytest.fixture(scope="module")
def said():
    result = programs.run("tests.training.split_batches", timeout=400)
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


def test_there_are_two_replicas(said):
    assert said["replicas"] == 2


@pytest.mark.parametrize("split", SPLITS)
def test_gradients_are_those_of_the_whole_batch(said, split):
    of_any_element, of_any_variable = said[split]
    assert of_any_element < 1e-5
    assert of_any_variable < 1e-4


@pytest.mark.parametrize("split", SPLITS)
def test_every_replica_tells_the_figures_of_the_whole_batch(said, split):
    figures = said["figures"]
    assert figures[split] == pytest.approx(figures["whole"], rel=1e-5)


def test_replicas_drop_other_units_and_keep_one_random_state(said):
    alike, states = said["dropout of replicas"]
    assert not alike
    assert states
    assert all(first == second for first, second in states)


def test_dropout_moves_on_once_a_piece_though_it_runs_twice(said):
    whole, pieces = said["dropout states"]
    # Two steps, of one piece and of two.
    assert set(whole) == {2}
    assert set(pieces) == {4}
