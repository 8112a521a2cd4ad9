"""CVACT in the paper's setting (sections 2.3 and 3.1, R1 to R17).

    python -m experiments.train --preset=cvact --data_dir=CVACT
        --run_dir=runs/cvact

Paper: 85.35 / 94.45 / 96.06 / 98.48 % at r@1 / 5 / 10 / 1% on CVACT_val,
150 epochs, batch 16, Adam 1e-5, ImageNet weights. Of a panorama the middle
half of the rows is used. Not yet run here on the whole data set.
"""

from mgtl_tf.config import DataConfig, RunConfig

PRESET = RunConfig(data=DataConfig(dataset="cvact", ground_crop=(0.25, 0.75)))
