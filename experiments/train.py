"""Trains a model, evaluates it, keeps the best; again: goes on.

python -m experiments.train --preset=procedural
    --data_dir=demo/world --run_dir=demo/run
"""

from __future__ import annotations

from absl import flags, logging

from experiments import flags as config_flags
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.tf_setup import load_tensorflow, share_cores_between_views
from polar.parallel import keep_freed_memory
from polar.program import run

config_flags.define_config()
_RUN_DIR = flags.DEFINE_string(
    "run_dir",
    None,
    "folder for config, checkpoints, metrics and report; one that holds an"
    " unfinished run goes on with it",
    required=True,
)


def main(argv: list[str]) -> int:
    """Reads the flags and trains; 0 when finished, 130 when interrupted."""
    if len(argv) > 1:
        raise flags.Error(f"{argv[1]}: unexpected; all inputs are flags")
    config = config_flags.run_config()
    share_cores_between_views()
    keep_freed_memory()
    load_tensorflow(devices=config.train.strategy != "multi_worker")
    from mgtl_tf.workflows.train import train

    if train(config, _RUN_DIR.value):
        return 0
    logging.warning("stopped early; the same command goes on from here")
    return 130


if __name__ == "__main__":
    run(main, errors=(UserError,))
