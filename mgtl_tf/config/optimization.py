"""The settings of a training's steps: how many, of what, by which rule."""

from __future__ import annotations

from dataclasses import dataclass

from mgtl_tf.config.settings import setting


@dataclass(frozen=True)
class OptimizationConfig:
    """The first of the settings of `TrainConfig`, which checks them."""

    batch_size: int = setting(
        16, "pairs a step, over all devices together (R17)", least=2
    )
    micro_batch: int = setting(
        0,
        "pairs that the network takes at a time, to save memory; negatives"
        " are still those of the whole batch; 0: a device's whole share",
        least=0,
    )
    strategy: str = setting(
        "none",
        "none: one device; mirrored: all GPUs of this machine; multi_worker:"
        " all processes that TF_CONFIG names, one run folder for all",
        ("none", "mirrored", "multi_worker"),
    )
    epochs: int = setting(150, "passes over the training pairs (R17)", above=0)
    max_steps: int = setting(
        0, "stop after so many steps; 0: by epochs", least=0
    )
    optimizer: str = setting(
        "adam",
        "adam (the paper), or adamw: with weight_decay",
        ("adam", "adamw"),
    )
    weight_decay: float = setting(
        0.01,
        "adamw only: share of every matrix and kernel taken away a step,"
        " times the learning rate; biases and normalisation are spared",
        least=0,
    )
    learning_rate: float = setting(1e-5, "the optimizer's (R17)", above=0)
    backbone_learning_rate_factor: float = setting(
        1.0,
        "multiplies the learning rate of both VGG-16; below 1 they change"
        " more slowly than the rest, which is new",
        above=0,
    )
    discriminator_learning_rate_factor: float = setting(
        1.0,
        "multiplies the learning rate of a generator's discriminator, in"
        " systems that have one",
        above=0,
    )
    adam_beta_1: float = setting(
        0.9,
        "decay of the optimizer's mean of past gradients",
        least=0,
        below=1,
    )
    adam_epsilon: float = setting(
        1e-7,
        "what the optimizer adds to the root of the mean square gradient",
        above=0,
    )
    schedule: str = setting(
        "constant",
        "learning rate over the run: constant (the paper) or cosine (after"
        " warm-up, down to zero)",
        ("constant", "cosine"),
    )
    warmup: float = setting(
        0.0,
        "share of the run in which the learning rate rises from zero",
        least=0,
        below=1,
    )
    clip_norm: float = setting(
        0.0, "largest norm of the whole gradient; 0: not clipped", least=0
    )
    sharpness_radius: float = setting(
        0.0,
        "rho of adaptive sharpness-aware minimisation (ASAM): each step's"
        " gradient is that at the worst weights within it, twice the work;"
        " 2.5 in FRGeo and TransGeo; 0: off",
        least=0,
    )
    ema_momentum: float = setting(
        0.0,
        "evaluate, keep as best and export the weights' exponential moving"
        " average of this momentum, such as 0.999;"
        " training goes on with the weights themselves; 0: off",
        least=0,
        below=1,
    )
