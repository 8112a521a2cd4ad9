"""How long a training step takes, measured without any data.

python -m mgtl_tf.reproduction.step_time CONFIG.json SECONDS
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mgtl_tf.config import RunConfig
from mgtl_tf.reproduction.runs import Run
from mgtl_tf.utils.fresh_process import answer_of

_WARM_UP, _TIMED = 2, 5


def seconds_a_step(run: Run, environment: Mapping[str, str]) -> float:
    """The median of a few steps on images of noise, in a fresh process.

    Args:
        run: whose config is timed.
        environment: of the device that it would run on.

    Raises:
        UserError: where the step failed, with its last line.
    """
    subject = f"{run.name}: the time of its step"
    text = run.config.to_json()
    return float(answer_of(__name__, text, subject, environment))


def _measure(config: RunConfig) -> float:
    from mgtl_tf.models import build_model
    from mgtl_tf.training.environment import resolve_dtype_policy
    from mgtl_tf.training.optimizers import make_optimizer
    from mgtl_tf.training.step import TrainStep

    policy = resolve_dtype_policy(config.train.dtype_policy)
    model = build_model(config.model, policy)
    config = config.replace(dtype_policy=policy)
    step = TrainStep(model, make_optimizer(config.train), config.train)
    size = config.train.batch_size
    random = np.random.default_rng(0)
    shape = (size, *config.model.image_size, 3)
    batch = {
        "ground": random.integers(0, 256, shape, np.uint8),
        "satellite": random.integers(0, 256, shape, np.uint8),
        "negatives": ~np.eye(size, dtype=bool),
    }
    seconds = []
    for _ in range(_WARM_UP + _TIMED):
        began = time.perf_counter()
        float(step(batch, config.train.learning_rate)["loss"])
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds[_WARM_UP:]))


def _main(asked: str, made: str) -> None:
    config = RunConfig.from_json(Path(asked).read_text(), asked)
    Path(made).write_text(f"{_measure(config)}\n")


if __name__ == "__main__":
    _main(*sys.argv[1:])
