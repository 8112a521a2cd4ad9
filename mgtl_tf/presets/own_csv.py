"""Own data, listed in CSV files, in the paper's setting.

    python -m experiments.train --preset=csv --data_dir=FOLDER
        --run_dir=runs/own

FOLDER holds train.csv and validation.csv with the columns id, ground,
aerial, latitude, longitude. A panorama whose kept rows are not of the network
input's shape is refused: --ground_crop says which rows are kept.
"""

from mgtl_tf.config import DataConfig, RunConfig

PRESET = RunConfig(data=DataConfig(dataset="csv"))
