"""The outer loop, with everything around it replaced by what it calls."""

import contextlib
import dataclasses
import itertools

import numpy as np
import pytest

from mgtl_tf.config import TrainConfig
from mgtl_tf.training.checkpoint import Progress
from mgtl_tf.training.loop import Callbacks, Evaluation, TrainingLoop
from mgtl_tf.utils.errors import UserError


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
        Saved(),
        Callbacks(Log()),
        Evaluation(evaluate),
    )


def with_callbacks(trained, **callbacks):
    callbacks = dataclasses.replace(trained.callbacks, **callbacks)
    return dataclasses.replace(trained, callbacks=callbacks)


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
    assert trained.callbacks.log.steps("train") == [2, 3, 4, 6]
    epochs = [
        v["epoch"] for kind, _, v in trained.callbacks.log if kind == "train"
    ]
    assert epochs == [0, 0, 1, 1]
    assert trained.callbacks.log.steps("evaluation") == [3, 6]
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
    begun = []
    batches = trained.batches
    trained = dataclasses.replace(
        with_callbacks(trained, stop_requested=lambda: next(asked)),
        batches=lambda p: begun.append(p.epoch) or batches(p),
    )
    progress = Progress()
    assert not trained.run(progress)
    assert begun == [0]
    assert trained.checkpoints.last[-1] == (2, 1, 0)
    trained = with_callbacks(trained, stop_requested=lambda: False)
    assert trained.run(progress)
    assert (progress.step, begun) == (6, [0, 1, 2])


def test_checkpoints_come_by_steps_too():
    trained = loop(4, epochs=2, evaluate_every=0, checkpoint_steps=3)
    assert trained.run(Progress())
    assert [step for step, _, _ in trained.checkpoints.last] == [3, 6, 8]


def test_a_checkpoint_asked_for_is_written_and_training_goes_on():
    asked = iter([False, True, False, False, False])
    trained = loop(3, epochs=2, evaluate_every=0)
    trained = with_callbacks(trained, save_requested=lambda: next(asked))
    assert trained.run(Progress())
    assert trained.checkpoints.last == [(2, 0, 2), (6, 2, 0)]


def test_an_evaluation_is_known_to_the_checkpoint_after_it():
    trained = loop(
        2,
        evaluate=recalls(0.5, 0.5),
        epochs=4,
        evaluate_every=2,
        checkpoint_steps=1,
    )
    seen = []
    trained.checkpoints.save_last = lambda p: seen.append((p.step, p.evaluated))
    trained.run(Progress())
    # Step 4 is saved before its evaluation, and again after it.
    assert seen[3:6] == [(4, 0), (4, 4), (5, 4)]


def test_max_steps_cuts_an_epoch():
    trained = loop(4, evaluate=recalls(1.0), epochs=9, max_steps=3)
    assert trained.run(Progress())
    assert trained.checkpoints.last == [(3, 0, 3)]
    assert trained.callbacks.log.steps("evaluation") == [3]


def test_every_evaluation_gets_a_line(capsys, monkeypatch):
    """Steps of 2 s, five an epoch, and evaluations of 30 s: 80 s for two."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def later(seconds, value):
        now[0] += seconds
        return value

    found = recalls(0.5, 0.25, 0.75)
    trained = loop(5, evaluate=lambda: later(30, found()), epochs=3)
    step = trained.step
    trained = dataclasses.replace(
        trained, step=lambda *args: later(2, step(*args))
    )
    assert trained.run(Progress())
    lines = [x for x in capsys.readouterr().out.splitlines() if "r@1" in x]
    assert [x.strip() for x in lines] == [
        "step 5: r@1 50.00 % of 1, best 50.00 %, trained 10 s,"
        " about 80 s left, input wait 0.0 %",
        "step 10: r@1 25.00 % of 1, best 50.00 %, trained 20 s,"
        " about 40 s left, input wait 0.0 %",
        "step 15: r@1 75.00 % of 1, best 75.00 %, trained 30 s,"
        " finished, input wait 0.0 %",
    ]
    best = [
        v["best"]
        for kind, _, v in trained.callbacks.log
        if kind == "evaluation"
    ]
    assert best == [0.5, 0.5, 0.75]


def averaging(trained, events, ready=True):
    @contextlib.contextmanager
    def averaged():
        events.append("in")
        yield ready
        events.append("out")

    evaluation = dataclasses.replace(trained.evaluation, averaged=averaged)
    for name in ("best", "last"):
        save = getattr(trained.checkpoints, f"save_{name}")
        setattr(
            trained.checkpoints,
            f"save_{name}",
            lambda progress, save=save, name=name: (
                events.append(name) or save(progress)
            ),
        )
    return dataclasses.replace(trained, evaluation=evaluation)


def test_averages_are_evaluated_and_kept_and_the_weights_trained():
    events = []
    found = recalls(0.5, 0.2)
    trained = loop(
        1, evaluate=lambda: events.append("evaluate") or found(), epochs=2
    )
    trained = averaging(trained, events)
    assert trained.run(Progress())
    first = ["in", "evaluate", "best", "out", "last"]
    assert events == [*first, *(e for e in first if e != "best")]


@pytest.mark.parametrize("ready", [True, False])
def test_averages_are_kept_where_nothing_is_evaluated(ready):
    events = []
    trained = loop(2, epochs=1)
    trained = averaging(trained, events, ready)
    assert trained.run(Progress())
    kept = ["best"] if ready else []
    assert events == ["in", *kept, "out", "last"]
