"""The traced train step: one batch in, updated weights and scalars out."""

from __future__ import annotations

import functools

import keras
import tensorflow as tf

from mgtl_tf import losses
from mgtl_tf.config import TrainConfig
from mgtl_tf.layers.modality_independent_features import VIEWS
from mgtl_tf.training.distribution import (
    Distribution,
    first_row_of_replica,
    gathered,
    mean_of_replicas,
    replica_rows,
    replica_seeds,
)
from mgtl_tf.training.gradient_caching import cached_gradients
from mgtl_tf.training.group_optimizers import (
    GroupOptimizers,
    assign_learning_rate,
)
from mgtl_tf.training.group_step import update_groups
from mgtl_tf.training.sharpness import sharpness_aware
from mgtl_tf.training.step_losses import StepLosses


class TrainStep:
    """Loss, gradient and update as one `tf.function` (Eq. 7 to 9).

    Args:
        model: of `build_model`; its variables are updated.
        optimizer: a Keras optimizer, built on the model's variables here; or
            those of the model's groups, which are then updated one by one.
        config: loss settings, and `micro_batch`.
        distribution: in whose scope model and optimizer were made; by
            default the one device there is.
        first_block: N: batches hold what the model's first N blocks of
            VGG-16 gave, which are fixed.

    Call arguments:
        batch: {"ground", "satellite": [b, H, W, 3] RGB 0..255 of any dtype
            (or [b, h, w, C], see `first_block`), the rows of this worker
            (all B of them where there is one worker),
            "negatives": bool [B, B], True where a pair may be a negative
            (R15), the same on every worker; of a model with `offset_head`
            also "offsets": float32 [b, 2], d0 and d1 in half sides of these
            rows' aerial images}.
        learning_rate: float scalar tensor; a Python float would retrace.

    Output:
        scalars, float32, of the global batch: "loss", its parts
        "triplet_loss" (or "info_nce_loss", or the model's `loss_name`) and
        "generative_loss", and
        "positive_distance" and "negative_distance", the mean squared
        distances (of unit vectors 0..4) of positive and of negative pairs;
        of a model with groups also their losses, whose sum "loss" then is;
        with an offset head "offset_loss", which is then part of the loss.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer | GroupOptimizers,
        config: TrainConfig,
        distribution: Distribution | None = None,
        first_block: int = 0,
    ):
        self.model = model
        self.optimizer = optimizer
        self.config = config
        self._start = {"first_block": first_block} if first_block else {}
        self._losses = StepLosses(model, config)
        self.distribution = distribution or Distribution()
        self.strategy = self.distribution.strategy
        self._in_groups = isinstance(optimizer, GroupOptimizers)
        if not isinstance(optimizer, GroupOptimizers):
            with self.distribution.scope():
                optimizer.build(model.trainable_variables)
        # Nothing here depends on AutoGraph, which would rewrite Keras' own
        # code line by line: a third of the time until the first step.
        self._traced = tf.function(self._step, autograph=False)
        self._replica = self._replica_step
        if config.jit_compile:
            self._replica = tf.function(
                self._replica_step, autograph=False, jit_compile=True
            )

    def __call__(
        self, batch: dict[str, tf.Tensor], learning_rate: float
    ) -> dict[str, tf.Tensor]:
        """Updates the weights by one batch; see the class."""
        return self._traced(batch, tf.constant(learning_rate, tf.float32))

    def _step(self, batch, learning_rate):
        assign_learning_rate(self.optimizer, learning_rate)
        results = self.strategy.run(self._replica, (batch,))
        # Every replica gives the figures of the whole batch.
        return {
            name: self.strategy.experimental_local_results(value)[0]
            for name, value in results.items()
        }

    def _replica_step(self, batch):
        if self._in_groups:
            return self._group_figures(batch)
        find = functools.partial(self.replica_gradients, batch)
        radius = self.config.sharpness_radius
        gradients, figures = (
            sharpness_aware(self.model, radius, find) if radius else find()
        )
        if self.distribution.replicas > 1 and self._reads_gradients:
            # Keras sums over replicas too, but only after clipping and
            # after looking for overflow, which must see the sum.
            gradients = mean_of_replicas(gradients)
        self.optimizer.apply(gradients, self.model.trainable_variables)
        return figures

    def _group_figures(self, batch):
        """Updates every group; its losses beside the usual figures."""
        views = {v: tf.cast(batch[v], tf.float32) for v in VIEWS}
        descriptors, scalars = update_groups(
            self.model,
            self.optimizer,
            views,
            functools.partial(self._losses.of_descriptors, batch=batch),
        )
        none = tf.zeros(())  # no generated knowledge (Eq. 8)
        return self._losses.figures(descriptors, none, batch) | scalars

    @property
    def _reads_gradients(self) -> bool:
        scaling = keras.optimizers.LossScaleOptimizer
        return bool(self.config.clip_norm) or isinstance(
            self.optimizer, scaling
        )

    def replica_gradients(self, batch):
        """In a replica: its part of the gradients, and the batch's figures.

        Args:
            batch: of its worker, as of the class.

        Returns:
            a list with one tensor for each trainable variable, whose sum
            over replicas is the gradient of the global batch's loss, and
            the class's scalars.
        """
        rows = replica_rows(batch, self.distribution)
        # Batches may be uint8 or float16.
        views = {v: tf.cast(rows[v], tf.float32) for v in VIEWS}
        pairs = views["ground"].shape[0]
        micro = min(self.config.micro_batch or pairs, pairs)
        with replica_seeds(self.model):
            if micro == pairs:
                gradients, generative, descriptors = self._gradients(
                    views, rows, 1
                )
            else:
                gradients, generative, descriptors = cached_gradients(
                    self.model,
                    self._outputs,
                    views,
                    micro,
                    _gathered_views,
                    lambda *part: self._gradients(
                        part[0], rows, pairs // micro, *part[1:]
                    )[:2],
                )
        generative = mean_of_replicas(generative)
        figures = self._losses.figures(descriptors, generative, rows)
        return gradients, figures

    def _gradients(self, views, rows, count, batch=None, first=0):
        """Gradients of Eq. 9 through the descriptors of some pairs.

        Args:
            views: images of one of `count` micro-batches of the replica.
            rows: the replica's part of the batch.
            count: of micro-batches: the generative loss is a mean over pairs,
                of which each adds its part.
            batch: descriptors of the global batch; by default those of the
                pairs on all replicas.
            first: row of the first pair among the replica's.

        Returns:
            the gradients, the generative loss of the pairs, and the global
            batch's descriptors.
        """
        parts = count * self.distribution.replicas
        with tf.GradientTape() as tape:
            outputs = self._outputs(views)
            own = {v: outputs[v] for v in VIEWS}
            batch = batch or _gathered_views(own)
            if parts > 1:
                row = first_row_of_replica(batch["ground"]) + first
                batch = {v: _with_rows(batch[v], own[v], row) for v in VIEWS}
            loss = self._losses.whole(outputs, batch, rows, parts, first)
            # Larger for float16.
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.model.trainable_variables)
        if parts > 1:
            gradients = self._shared_out(gradients, parts)
        generative = losses.generative_loss(
            outputs["generated"], outputs["targets"]
        )
        return gradients, generative, batch

    def _shared_out(self, gradients, parts):
        """Every part has the whole gradient of what the loss alone reads."""
        whole = set(map(id, self.model.loss_weights))
        variables = self.model.trainable_variables
        return [
            g / parts if id(v) in whole else g
            for g, v in zip(gradients, variables, strict=True)
        ]

    def _outputs(self, views):
        return self.model(views, training=True, **self._start)


def _gathered_views(descriptors):
    return {v: gathered(d) for v, d in descriptors.items()}


def _with_rows(batch, own, first):
    """The batch [B, D] with rows from `first` on replaced by `own` [b, D]."""
    after = first + own.shape[0]
    rows = tf.concat([batch[:first], own, batch[after:]], axis=0)
    return tf.ensure_shape(rows, batch.shape)
