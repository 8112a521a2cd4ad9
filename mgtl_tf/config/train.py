"""The training's settings."""

from __future__ import annotations

from dataclasses import dataclass

from mgtl_tf.config.optimization import OptimizationConfig
from mgtl_tf.config.settings import check_fields, refused, setting

DTYPE_POLICIES = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


@dataclass(frozen=True)
class TrainConfig(OptimizationConfig):
    """How to learn (R13 to R18); the defaults are the paper's.

    Raises:
        UserError: naming the field, its value and the remedy.
    """

    loss: str = setting(
        "triplet",
        "triplet (the paper, Eq. 7), or info_nce: symmetric InfoNCE",
        ("triplet", "info_nce"),
    )
    temperature: float = setting(
        0.07,
        "info_nce only: what cosines are divided by; fixed, but for"
        " learned_temperature",
        above=0,
    )
    label_smoothing: float = setting(
        0.1,
        "info_nce only: share of the target spread over all candidates",
        least=0,
        below=1,
    )
    gamma: float = setting(
        10.0, "factor in the triplet loss (Eq. 7, R14)", above=0
    )
    distance: str = setting(
        "squared",
        "distance of unit vectors: squared (2 - 2 cos) or euclidean (R13)",
        ("squared", "euclidean"),
    )
    hard_negatives_per_query: int = setting(
        0, "keep only the k nearest negatives of a batch; 0: all (R14)", least=0
    )
    generative_weight: float = setting(
        0.05, "lambda, weight of the generative loss (Eq. 9, R16)", least=0
    )
    offset_weight: float = setting(
        1.0,
        "offset_head only: weight of its loss, the squared distance of the"
        " predicted point in half sides of the aerial image (VIGOR: 0.01)",
        least=0,
    )
    stop_gradient_targets: bool = setting(
        True, "keep the generative loss from moving its targets (R16)"
    )
    mining_start: int = setting(
        -1,
        "epoch (from 0) from which on batches hold each other's hard"
        " negatives; below 0: never (R18)",
    )
    mining_every: int = setting(
        4, "epochs between recomputations of the hard negatives", above=0
    )
    mining_by_position_until: int = setting(
        0,
        "epoch (from 0) before which batches hold places that lie nearest on"
        " the map, where their positions are known; 0: never",
        least=0,
    )
    mining_neighbours: int = setting(
        32, "how many hard negatives of each place batches draw from", above=0
    )
    mining_kept: int = setting(
        0,
        "of the mining_neighbours the nearest so many and, drawn anew in every"
        " epoch, as many of the others; 0: all",
        least=0,
    )
    backbone_weights: str = setting(
        "imagenet",
        "start of both VGG-16 branches: imagenet (downloaded by Keras), none"
        " (random), or a file of VGG-16: Keras' HDF5, .weights.h5, .keras, .npz"
        " or .onnx; l2ltr: none, or the .npz of R50+ViT-B/16; frgeo,"
        " sample4geo: the same of ConvNeXt, .h5 or .weights.h5",
    )
    freeze_blocks: int = setting(
        0,
        "the first N of VGG-16's five blocks, in both views, are not trained"
        " and compute as in evaluation (no dropout, batch normalisation with"
        " the statistics that they start with); 0: all are trained",
        least=0,
        below=6,
    )
    init_from: str = setting(
        "",
        "run folder of another run, of the same network, whose best weights"
        " this one starts from in place of backbone_weights; empty: none",
    )
    init_backbone: str = setting(
        "",
        "run folder of a run of any system with VGG-16, of whose best weights"
        " both VGG-16 start in place of backbone_weights; regmi, transgeo: of"
        " the stage before, whose networks this stage takes over; empty: none",
    )
    dtype_policy: str = setting(
        "float32",
        "float32, mixed_bfloat16, mixed_float16 (with loss scaling), or auto:"
        " mixed_bfloat16 where the machine computes it faster than float32,"
        " mixed_float16 on GPUs that only have that",
        DTYPE_POLICIES,
    )
    jit_compile: bool = setting(
        False,
        "compile the train step by XLA: for one GPU, where it is measured"
        " faster (processors are slower by it); its compilation takes minutes",
    )
    seed: int = setting(
        0,
        "decides data order, initial weights and augmentation",
        least=0,
        below=2**32,
    )
    deterministic: bool = setting(
        False, "deterministic operations: slower, equal to the bit"
    )
    evaluate_every: int = setting(
        1,
        "epochs between evaluations on the validation split; 0: at the end",
        least=0,
    )
    checkpoint_minutes: float = setting(
        10.0,
        "minutes between checkpoints; evaluations write one as well",
        above=0,
    )
    checkpoint_steps: int = setting(
        0,
        "steps between checkpoints, beside checkpoint_minutes; 0: by time",
        least=0,
    )
    keep_checkpoints: int = setting(
        2,
        "how many of the newest checkpoints stay; the best always does",
        above=0,
    )
    evaluation_batch_size: int = setting(
        64, "images a step at evaluation", above=0
    )
    log_every: int = setting(
        10, "steps between lines of metrics.jsonl", above=0
    )
    retrieval_pictures: int = setting(
        4,
        "validation queries that TensorBoard shows over their five best"
        " satellite images at every evaluation; 0: none",
        least=0,
    )
    profile_steps: int = setting(
        0,
        "write a TensorBoard profile of so many steps, a few after the"
        " start; 0: none",
        least=0,
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.loss == "info_nce" and self.hard_negatives_per_query:
            raise refused(
                self, "hard_negatives_per_query", "0 with loss=info_nce"
            )
        if 2 * self.mining_kept > self.mining_neighbours:
            raise refused(
                self,
                "mining_kept",
                f"half of mining_neighbours={self.mining_neighbours} or less",
            )
        if self.sharpness_radius and self.strategy != "none":
            raise refused(self, "sharpness_radius", "0 but for strategy=none")
        if self.jit_compile and self.strategy != "none":
            raise refused(self, "jit_compile", "false but for strategy=none")
        if self.init_from and self.init_backbone:
            raise refused(self, "init_backbone", "empty with init_from")
