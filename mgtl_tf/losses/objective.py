"""The training objective (Eq. 9), and the losses beside retrieval's."""

from __future__ import annotations

from keras import ops

from mgtl_tf.losses.retrieval import soft_margin_triplet_loss


def generative_loss(generated, targets, stop_gradient_targets=True):
    """How far generated knowledge is from what it should equal (Eq. 8, R16).

    Formula: the sum over steps l and over both views of
    MSE(generated_l, target_l); MSE is the mean over B, T and C.

    Args:
        generated: list of knowledge tensors [B, T, C], of every step and
            both directions, in any order.
        targets: list of the same length: the normalised tokens [B, T, C]
            of the other view and the same step.
        stop_gradient_targets: whether the targets count as constants; when
            they do not, collapsing the tokens lowers this loss (R16).

    Returns:
        float32 scalar; zero for empty lists (a system without CMI).

    Raises:
        ValueError: where the lists or a pair's shapes differ.
    """
    if len(generated) != len(targets):
        raise ValueError(
            f"generated holds {len(generated)} tensors and targets"
            f" {len(targets)}; each needs its partner"
        )
    total = ops.zeros((), "float32")
    for i, (value, target) in enumerate(zip(generated, targets, strict=True)):
        if tuple(value.shape) != tuple(target.shape):
            raise ValueError(
                f"generated[{i}] has shape {tuple(value.shape)} and"
                f" targets[{i}] {tuple(target.shape)}; they must be equal"
            )
        target = ops.cast(target, "float32")
        if stop_gradient_targets:
            target = ops.stop_gradient(target)
        total += ops.mean(ops.square(ops.cast(value, "float32") - target))
    return total


def offset_loss(predicted, offsets):
    """How far predicted points are from where panoramas stand (VIGOR).

    Formula: the mean over B of |predicted - offsets|^2.

    Args:
        predicted, offsets: d0, d1 in half sides of the aerial image, [B, 2].

    Returns:
        float32 scalar.

    Raises:
        ValueError: for shapes that do not fit.
    """
    shapes = tuple(predicted.shape), tuple(offsets.shape)
    if shapes[0] != shapes[1] or shapes[0][1:] != (2,):
        raise ValueError(
            f"predicted {shapes[0]} and offsets {shapes[1]} must both be [B, 2]"
        )
    apart = ops.cast(predicted, "float32") - ops.cast(offsets, "float32")
    return ops.mean(ops.sum(ops.square(apart), axis=-1))


def total_loss(
    outputs,
    negatives=None,
    generative_weight=0.05,
    stop_gradient_targets=True,
    retrieval_loss=None,
    **options,
):
    """The training objective: retrieval loss and generative loss (Eq. 9).

    Formula: L = L_retrieval + lambda L_generative; the paper's retrieval loss
    is the weighted soft-margin triplet loss (Eq. 7).

    Args:
        outputs: of a model's call: "ground" and "satellite", unit descriptors
            [B, D]; "generated" and "targets", lists as of `generative_loss`.
        negatives: as of `soft_margin_triplet_loss`.
        generative_weight: lambda.
        stop_gradient_targets: as of `generative_loss` (R16).
        retrieval_loss: called with (ground, satellite, negatives=negatives,
            **options); `soft_margin_triplet_loss` by default, or
            `info_nce_loss`.
        **options: further arguments of `retrieval_loss`, such as `gamma`.

    Returns:
        float32 scalar.

    Raises:
        ValueError: as of both losses.
    """
    retrieval = retrieval_loss or soft_margin_triplet_loss
    descriptors = outputs["ground"], outputs["satellite"]
    return retrieval(
        *descriptors, negatives=negatives, **options
    ) + generative_weight * generative_loss(
        outputs["generated"], outputs["targets"], stop_gradient_targets
    )
