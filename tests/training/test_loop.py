"""The outer loop, with everything around it replaced by what it calls."""

import contextlib
import itertools

import numpy as np
import pytest

from mgtl_tf.config import TrainConfig
from mgtl_tf.training.loop import Callbacks, TrainingLoop
from mgtl_tf.training.progress import Progress
from mgtl_tf.utils.errors import UserError


class Saved:
    """Checkpoints that only remember the steps at which they were written."""

    def __init__(self):
        self.last, self.best, self.evaluated = [], [], []

    def save_last(self, progress):
        self.last.append((progress.step, progress.epoch, progress.epoch_step))
        self.evaluated.append((progress.step, progress.evaluated))

    def save_best(self, progress):
        self.best.append(progress.step)


class Log(list):
    def write(self, kind, step, values):
        self.append((kind, step, values))

    def of(self, kind, name=None):
        return [v[name] if name else s for k, s, v in self if k == kind]


def loop(steps_per_epoch, loss=lambda step: 1.0, callbacks=(), **config):
    """A loop whose step takes no time and whose epochs hold numbers."""
    taken = itertools.count(1)

    def step(batch, learning_rate):
        names = ("loss", "triplet_loss", "generative_loss")
        distances = {"positive_distance": 1.0, "negative_distance": 1.0}
        return {**dict.fromkeys(names, loss(next(taken))), **distances}

    def batches(progress):
        return range(progress.epoch_step, steps_per_epoch)

    return TrainingLoop(
        TrainConfig(**config),
        steps_per_epoch,
        step,
        batches,
        Saved(),
        Callbacks(Log(), **dict(callbacks)),
    )


def recalls(*values):
    values = iter(values)
    return lambda: {
        "ground_to_satellite": {"r@1": next(values)},
        "gallery_size": 1,
    }


def test_steps_between_log_lines_are_counted_at_evaluations():
    evaluate = {"evaluate": recalls(0.5, 0.5)}
    trained = loop(3, callbacks=evaluate, epochs=2, log_every=2)
    progress = Progress()
    assert trained.run(progress)
    log = trained.callbacks.log
    assert log.of("train") == [2, 3, 4, 6]
    assert log.of("train", "epoch") == [0, 0, 1, 1]
    assert log.of("evaluation") == [3, 6]
    assert trained.checkpoints.last == [(3, 1, 0), (6, 2, 0)]
    assert progress.seconds > 0


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
    asked = itertools.chain([False, False, False, True], itertools.repeat(0))
    stop = {"stop_requested": lambda: next(asked)}
    trained = loop(2, callbacks=stop, epochs=3, log_every=10)
    begun, batches = [], trained.batches
    trained.batches = lambda p: begun.append(p.epoch) or batches(p)
    progress = Progress()
    assert not trained.run(progress)
    assert begun == [0]
    assert trained.checkpoints.last[-1] == (2, 1, 0)
    assert trained.run(progress)
    assert (progress.step, begun) == (6, [0, 1, 2])


def test_checkpoints_come_by_steps_and_by_request():
    trained = loop(4, epochs=2, evaluate_every=0, checkpoint_steps=3)
    assert trained.run(Progress())
    assert [step for step, _, _ in trained.checkpoints.last] == [3, 6, 8]
    asked = iter([False, True, False, False, False])
    save = {"save_requested": lambda: next(asked)}
    trained = loop(3, callbacks=save, epochs=2, evaluate_every=0)
    assert trained.run(Progress())
    assert trained.checkpoints.last == [(2, 0, 2), (6, 2, 0)]


def test_an_evaluation_is_known_to_the_checkpoint_after_it():
    trained = loop(
        2,
        callbacks={"evaluate": recalls(0.5, 0.5)},
        epochs=4,
        evaluate_every=2,
        checkpoint_steps=1,
    )
    trained.run(Progress())
    # Step 4 is saved before its evaluation, and again after it.
    assert trained.checkpoints.evaluated[3:6] == [(4, 0), (4, 4), (5, 4)]


def test_max_steps_cuts_an_epoch():
    evaluate = {"evaluate": recalls(1.0)}
    trained = loop(4, callbacks=evaluate, epochs=9, max_steps=3)
    assert trained.run(Progress())
    assert trained.checkpoints.last == [(3, 0, 3)]
    assert trained.callbacks.log.of("evaluation") == [3]


def test_every_evaluation_gets_a_line(capsys, monkeypatch):
    """Steps of 2 s, five an epoch, and evaluations of 30 s: 80 s for two."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def later(seconds, value):
        now[0] += seconds
        return value

    found = recalls(0.5, 0.25, 0.5, 0.4)
    evaluate = {"evaluate": lambda: later(30, found())}
    trained = loop(5, callbacks=evaluate, epochs=4)
    step = trained.step
    trained.step = lambda *arguments: later(2, step(*arguments))
    assert trained.run(Progress())
    lines = [x for x in capsys.readouterr().out.splitlines() if "r@1" in x]
    assert [x.strip() for x in lines] == [
        "step 5: r@1 50.00 % of 1, best 50.00 %, trained 10 s,"
        " about 2 min left, input wait 0.0 %",
        "step 10: r@1 25.00 % of 1, best 50.00 %, trained 20 s,"
        " about 80 s left, input wait 0.0 %",
        "step 15: r@1 50.00 % of 1, best 50.00 %, trained 30 s,"
        " about 40 s left, input wait 0.0 %",
        "step 20: r@1 40.00 % of 1, best 50.00 %, trained 40 s,"
        " finished, input wait 0.0 %",
    ]
    assert trained.callbacks.log.of("evaluation", "best") == [0.5] * 4
    # The latest of the highest.
    assert trained.checkpoints.best == [5, 15]


@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize("evaluated", [True, False])
def test_averages_are_evaluated_and_kept_and_the_weights_trained(
    ready, evaluated
):
    """And kept where nothing is evaluated, for export needs them."""
    events = []

    @contextlib.contextmanager
    def averaged():
        events.append("in")
        yield ready
        events.append("out")

    callbacks, found = {"averaged": averaged}, recalls(0.5, 0.2)
    if evaluated:
        callbacks["evaluate"] = lambda: events.append("evaluate") or found()
    trained = loop(1, callbacks=callbacks, epochs=2)
    trained.checkpoints.save_best = lambda _: events.append("best")
    trained.checkpoints.save_last = lambda _: events.append("last")
    assert trained.run(Progress())
    if evaluated:
        first = ["in", "evaluate", "best", "out", "last"]
        assert events == [*first, "in", "evaluate", "out", "last"]
    else:
        assert events == ["in", *["best"] * ready, "out", "last"] * 2
