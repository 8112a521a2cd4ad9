"""What a model costs: parameters, multiply-adds, time, memory.

python -m experiments.complexity --preset=cvusa
python -m experiments.complexity --preset=cvusa --system=l2ltr
python -m experiments.complexity --preset=procedural --format=json
"""

from __future__ import annotations

import dataclasses
import json

from absl import flags

from experiments import flags as config_flags
from mgtl_tf.config import ModelConfig
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.tf_setup import load_tensorflow
from polar.program import run

config_flags.define_config(ModelConfig)
_BATCH = flags.DEFINE_integer(
    "batch", 16, "panoramas of the timed batch", lower_bound=1
)
_REPEATS = flags.DEFINE_integer(
    "repeats", 5, "of each timing; the median counts", lower_bound=1
)
_FORMAT = flags.DEFINE_enum("format", "text", ["text", "json"], "of the answer")


def main(argv: list[str]) -> int:
    """Reads the flags, counts, times, prints."""
    if len(argv) > 1:
        raise flags.Error(f"{argv[1]}: unexpected; all inputs are flags")
    config = config_flags.run_config().model
    load_tensorflow()
    from mgtl_tf.evaluation.complexity.cost import complexity_of

    cost = complexity_of(config, _BATCH.value, _REPEATS.value)
    as_json = json.dumps(dataclasses.asdict(cost), indent=1)
    print(as_json if _FORMAT.value == "json" else cost.text())
    return 0


if __name__ == "__main__":
    run(main, errors=(UserError,))
