"""Trains a model, evaluates it, keeps the best; again: resumes.

python -m experiments.train --preset=procedural
    --data_dir=demo/world --run_dir=demo/run
"""

from __future__ import annotations

from absl import flags, logging

from experiments.config_flags import define_config, run_config
from experiments.flags import run_program
from mgtl_tf.utils.tf_setup import load_tensorflow, share_cores_between_views
from polar.parallel import keep_freed_memory

define_config()
PROGRAM_FLAGS = [
    flags.DEFINE_string(
        "run_dir",
        None,
        "folder for config, checkpoints, metrics and report; an unfinished run"
        " in it is resumed",
        required=True,
    )
]


def main(run_dir: str) -> int:
    """Trains; 0 when finished, 130 when interrupted."""
    config = run_config()
    share_cores_between_views()
    keep_freed_memory()
    load_tensorflow(devices=config.train.strategy != "multi_worker")
    from mgtl_tf.workflows.train import train

    if train(config, run_dir):
        return 0
    logging.warning("stopped early; the same command resumes")
    return 130


if __name__ == "__main__":
    run_program(main, PROGRAM_FLAGS)
