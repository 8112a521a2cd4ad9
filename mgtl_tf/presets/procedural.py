"""A small MGTL from random weights on the procedural world: `make demo`.

    python -m experiments.make_world --output_dir=demo/world
    python -m experiments.train --preset=procedural
        --data_dir=demo/world --run_dir=demo/run

It differs from the paper where random weights, two cores and eight minutes
ask for it: a narrow VGG-16 with batch normalisation and three poolings on
images of 32 x 160, three steps, residual branches that start at zero (R19),
a smaller lambda, hard negatives from the fourth epoch on (R18), and a
learning rate of 1.5e-3 that falls to zero.
"""

from mgtl_tf.config import DataConfig, ModelConfig, RunConfig, TrainConfig

PRESET = RunConfig(
    model=ModelConfig(
        image_size=(32, 160),
        recurrent_steps=3,
        channels=96,
        width_multiplier=0.125,
        poolings=3,
        backbone_normalization="batch",
        backbone_dropout=0.0,
        residual_init="zeros",
    ),
    data=DataConfig(
        dataset="procedural",
        same_place_metres=5.0,
        roll_and_mirror=True,
    ),
    train=TrainConfig(
        batch_size=32,
        epochs=8,
        max_steps=1350,
        learning_rate=1.5e-3,
        schedule="cosine",
        warmup=0.05,
        clip_norm=1.0,
        generative_weight=0.01,
        mining_start=3,
        mining_every=3,
        evaluate_every=2,
        backbone_weights="none",
        dtype_policy="auto",
        evaluation_batch_size=50,
    ),
)
