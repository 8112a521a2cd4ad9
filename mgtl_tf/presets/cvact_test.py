"""CVACT_test, to evaluate on: 92,802 pairs, nothing to train on.

    python -m experiments.evaluate --run_dir=runs/cvact
        --dataset=cvact_test --data_dir=CVACT

The settings are those of CVACT.
"""

from mgtl_tf.config import DataConfig, RunConfig

PRESET = RunConfig(
    data=DataConfig(dataset="cvact_test", ground_crop=(0.25, 0.75))
)
