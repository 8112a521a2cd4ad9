"""The outer loop, with everything around it replaced by what it calls."""

import dataclasses
import itertools

import numpy as np
import pytest

from mgtl_tf.config import TrainConfig
from mgtl_tf.errors import UserError
from mgtl_tf.training.checkpoint import Progress
from mgtl_tf.training.loop import TrainingLoop


class Saved:
    """Checkpoints that only remember the steps at which they were written."""

    def __init__(self):
        self.last, self.best = [], []

    def save_last(self, progress):
        self.last.append((progress.step, progress.epoch, progress.epoch_step))

    def save_best(self, progress):
        self.best.append(progress.step)


class Log(list):
    def write(self, kind, step, values):
        self.append((kind, step, values))

    def steps(self, kind):
        return [step for k, step, _ in self if k == kind]


def loop(steps_per_epoch, loss=lambda step: 1.0, evaluate=None, **config):
    """A loop whose step takes no time and whose epochs hold numbers."""
    taken = itertools.count(1)

    def step(batch, learning_rate):
        names = ("loss", "triplet_loss", "generative_loss")
        distances = {"positive_distance": 1.0, "negative_distance": 1.0}
        return {**dict.fromkeys(names, loss(next(taken))), **distances}

    return TrainingLoop(
        TrainConfig(**config),
        steps_per_epoch,
        step,
        lambda progress: range(progress.epoch_step, steps_per_epoch),
        evaluate,
        Saved(),
        Log(),
    )


def recalls(*values):
    values = iter(values)
    return lambda: {
        "ground_to_satellite": {"r@1": next(values)},
        "gallery_size": 1,
    }


def test_steps_between_log_lines_are_counted_at_evaluations():
    trained = loop(3, evaluate=recalls(0.5, 0.5), epochs=2, log_every=2)
    progress = Progress()
    assert trained.run(progress)
    assert trained.log.steps("train") == [2, 3, 4, 6]
    epochs = [v["epoch"] for kind, _, v in trained.log if kind == "train"]
    assert epochs == [0, 0, 1, 1]
    assert trained.log.steps("evaluation") == [3, 6]
    assert trained.checkpoints.last == [(3, 1, 0), (6, 2, 0)]
    assert progress.seconds > 0


def test_best_is_the_latest_of_the_highest():
    trained = loop(1, evaluate=recalls(0.5, 0.2, 0.5, 0.4), epochs=4)
    progress = Progress()
    trained.run(progress)
    assert trained.checkpoints.best == [1, 3]
    assert progress.best == 0.5


@pytest.mark.parametrize("minutes", [1e-9, 10.0])
def test_a_loss_that_is_not_finite_is_never_saved(minutes):
    trained = loop(
        8,
        loss=lambda step: np.nan if step >= 5 else 1.0,
        epochs=1,
        log_every=100,
        checkpoint_minutes=minutes,
    )
    with pytest.raises(UserError, match="the loss is not finite"):
        trained.run(Progress())
    assert all(step < 5 for step, _, _ in trained.checkpoints.last)


def test_a_stop_saves_and_begins_no_epoch():
    asked = iter([False, False, False, True])
    trained = loop(2, epochs=3, log_every=10)
    trained.stop_requested = lambda: next(asked)
    begun = []
    batches = trained.batches
    trained.batches = lambda p: begun.append(p.epoch) or batches(p)
    progress = Progress()
    assert not trained.run(progress)
    assert begun == [0]
    assert trained.checkpoints.last[-1] == (2, 1, 0)
    trained.stop_requested = lambda: False
    assert trained.run(progress)
    assert (progress.step, begun) == (6, [0, 1, 2])


def test_checkpoints_come_by_steps_too():
    trained = loop(4, epochs=2, evaluate_every=0, checkpoint_steps=3)
    assert trained.run(Progress())
    assert [step for step, _, _ in trained.checkpoints.last] == [3, 6, 8]


def test_a_checkpoint_asked_for_is_written_and_training_goes_on():
    asked = iter([False, True, False, False, False])
    trained = loop(3, epochs=2, evaluate_every=0)
    trained.save_requested = lambda: next(asked)
    assert trained.run(Progress())
    assert trained.checkpoints.last == [(2, 0, 2), (6, 2, 0)]


def test_an_evaluation_is_known_to_the_checkpoint_after_it():
    trained = loop(2, evaluate=recalls(0.5, 0.5), epochs=4, evaluate_every=2)
    trained.config = dataclasses.replace(trained.config, checkpoint_steps=1)
    seen = []
    trained.checkpoints.save_last = lambda p: seen.append((p.step, p.evaluated))
    trained.run(Progress())
    # Step 4 is saved before its evaluation, and again after it.
    assert seen[3:6] == [(4, 0), (4, 4), (5, 4)]


def test_max_steps_cuts_an_epoch():
    trained = loop(4, evaluate=recalls(1.0), epochs=9, max_steps=3)
    assert trained.run(Progress())
    assert trained.checkpoints.last == [(3, 0, 3)]
    assert trained.log.steps("evaluation") == [3]
