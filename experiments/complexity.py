"""What a model costs: parameters, multiply-adds, time, memory.

python -m experiments.complexity --preset=cvusa
python -m experiments.complexity --preset=cvusa --system=l2ltr
python -m experiments.complexity --preset=procedural --format=json
"""

from __future__ import annotations

import dataclasses
import json

from absl import flags

from experiments.config_flags import define_config, run_config
from experiments.flags import run_program
from mgtl_tf.config import ModelConfig
from mgtl_tf.utils.tf_setup import load_tensorflow

define_config(ModelConfig)
PROGRAM_FLAGS = [
    flags.DEFINE_integer(
        "batch", 16, "panoramas of the timed batch", lower_bound=1
    ),
    flags.DEFINE_integer(
        "repeats", 5, "of each timing; the median counts", lower_bound=1
    ),
    flags.DEFINE_enum("format", "text", ["text", "json"], "of the answer"),
]


def main(batch: int, repeats: int, format: str) -> None:
    """Counts and times a model; prints the figures."""
    config = run_config().model
    load_tensorflow()
    from mgtl_tf.evaluation.complexity import complexity_of

    cost = complexity_of(config, batch, repeats)
    as_json = json.dumps(dataclasses.asdict(cost), indent=1)
    print(as_json if format == "json" else cost.text())


if __name__ == "__main__":
    run_program(main, PROGRAM_FLAGS)
