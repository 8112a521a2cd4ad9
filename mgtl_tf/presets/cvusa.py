"""CVUSA in the paper's setting (sections 2.3 and 3.1, R1 to R17).

    python -m experiments.train --preset=cvusa --data_dir=CVUSA
        --run_dir=runs/cvusa

Paper: 94.11 / 98.30 / 99.03 / 99.74 % at r@1 / 5 / 10 / 1%, 150 epochs,
batch 16, Adam 1e-5, ImageNet weights, one GTX Titan X. Not yet run here on
the whole data set.
"""

from mgtl_tf.config import DataConfig, RunConfig

PRESET = RunConfig(data=DataConfig(dataset="cvusa"))
