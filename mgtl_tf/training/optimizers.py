"""The optimizer of a run: Adam (R17) or AdamW, and the weights' average.

A run with `ema_momentum` keeps, beside every trainable weight, its
exponential moving average (Keras' `use_ema`). Training continues with the
weights themselves; evaluation, the best checkpoint and what is made of it
(export, report) use the averages. They are variables of the optimizer, so a
`last` checkpoint holds both. Statistics of batch normalisation are moving
averages already and not averaged again.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence

import keras

from mgtl_tf.config import TrainConfig
from mgtl_tf.training.group_optimizers import GroupOptimizers
from mgtl_tf.training.scaled_rates import ScaledAdam, ScaledAdamW
from mgtl_tf.utils.errors import UserError


def make_optimizer(
    config: TrainConfig,
    weights: Sequence[keras.Variable],
    backbone: Sequence[keras.Variable] = (),
    replicas: int = 1,
) -> keras.optimizers.Optimizer:
    """The config's optimizer, built; by default Adam (R17) and nothing else.

    AdamW's decay (Loshchilov, Hutter, ICLR 2019) is apart from the gradient
    and spares biases, the scales and offsets of normalisation, layer scales.
    Under mixed_float16, whose smallest gradients would be rounded to zero,
    the loss is scaled by a factor that Keras adapts, and a step whose
    gradients overflow is left out.

    Args:
        config: of the run.
        weights: the model's trainable variables.
        backbone: those whose rate `backbone_learning_rate_factor` scales.
        replicas: that the optimizer is given the mean gradient of.
    """
    settings = {
        "learning_rate": config.learning_rate,
        "beta_1": config.adam_beta_1,
        "epsilon": config.adam_epsilon,
        # Keras sums over replicas what each of them has clipped.
        "global_clipnorm": config.clip_norm / replicas or None,
        "use_ema": config.ema_momentum > 0,
        "ema_momentum": config.ema_momentum,
    }
    factor = config.backbone_learning_rate_factor
    if config.optimizer == "adamw":
        decay = config.weight_decay
        kind = keras.optimizers.AdamW if factor == 1 else ScaledAdamW
        optimizer = kind(weight_decay=decay, **settings)
        spared = [w for w in weights if len(w.shape) < 2 or "bias" in w.name]
        optimizer.exclude_from_weight_decay(var_list=spared)
    else:
        kind = keras.optimizers.Adam if factor == 1 else ScaledAdam
        optimizer = kind(**settings)
    if factor != 1:
        optimizer.scale_rates(backbone, factor)
    if config.dtype_policy == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(weights)
    return optimizer


def optimizer_of(
    model: keras.Model, config: TrainConfig, replicas: int = 1
) -> keras.optimizers.Optimizer | GroupOptimizers:
    """What trains a model: one optimizer, or one for each of its groups.

    Args:
        model: of `build_model`.
        config, replicas: as of `make_optimizer`.

    Raises:
        UserError: for a `backbone_learning_rate_factor` of weights that the
            model lacks or that are fixed.
    """
    trunk = [w for b in model.backbones for w in b.trainable_variables]
    _require_effect(config.backbone_learning_rate_factor, model, trunk)
    if groups := model.groups:
        return GroupOptimizers(
            groups,
            [
                make_optimizer(config, group.variables, replicas=replicas)
                for group in groups
            ],
            config.discriminator_learning_rate_factor,
        )
    return make_optimizer(config, model.trainable_variables, trunk, replicas)


def _require_effect(
    factor: float, model: keras.Model, trunk: list[keras.Variable]
) -> None:
    """Refuses a factor that would be taken and change nothing."""
    if factor == 1:
        return
    why = ""
    if not model.backbones:
        why = f"{model.config.system} has no VGG-16"
    elif not trunk:
        why = "all blocks of VGG-16 are fixed"
    elif model.groups:
        why = f"parts of {model.config.system} train in turns"
    if why:
        raise UserError(
            f"backbone_learning_rate_factor={factor:g}: {why}; give"
            " backbone_learning_rate_factor=1"
        )


@contextlib.contextmanager
def averaged_weights(
    optimizer: keras.optimizers.Optimizer | GroupOptimizers,
    weights: Sequence[keras.Variable],
) -> Iterator[bool]:
    """A context in which the model holds the averages of its weights.

    Afterwards the weights are what they were, to the bit. Without averages,
    or before the first step, nothing changes.

    Args:
        optimizer, weights: of `optimizer_of`, `make_optimizer`.

    Yields:
        whether the averages are in place.
    """
    if isinstance(optimizer, GroupOptimizers):
        with contextlib.ExitStack() as stack:
            of_groups = zip(optimizer.optimizers, optimizer.groups, strict=True)
            in_place = [
                stack.enter_context(averaged_weights(one, group.variables))
                for one, group in of_groups
            ]
            yield all(in_place)
        return
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    ready = optimizer.use_ema and int(optimizer.iterations.numpy()) > 0
    if not ready:
        yield False
        return
    before = [weight.numpy() for weight in weights]
    try:
        optimizer.finalize_variable_values(weights)
        yield True
    finally:
        for weight, value in zip(weights, before, strict=True):
            weight.assign(value)


def learning_rate(
    step: int, total_steps: int, peak: float, schedule: str, warmup: float
) -> float:
    """The learning rate of a step.

    Args:
        step: from 0.
        total_steps: of the whole run.
        peak: the largest learning rate.
        schedule: "constant" (the paper, R17), or "cosine": half a cosine
            from `peak` down to zero at the end of the run.
        warmup: share of the run in which the rate rises from zero.

    Raises:
        ValueError: for an unknown schedule.
    """
    if schedule not in ("constant", "cosine"):
        raise ValueError(f"schedule={schedule!r}: must be constant or cosine")
    rising = warmup * total_steps
    if step < rising:
        return peak * (step + 1) / (rising + 1)
    if schedule == "constant":
        return peak
    share = (step - rising) / max(total_steps - rising, 1)
    return peak * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
