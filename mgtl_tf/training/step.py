"""The traced train step: one batch in, updated weights and scalars out."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import ops

from mgtl_tf import losses
from mgtl_tf.config import TrainConfig
from mgtl_tf.layers.modality_independent_features import VIEWS
from mgtl_tf.training.distribution import (
    Distribution,
    gathered,
    mean_of_replicas,
    own_randomness,
    own_rows,
    share_of,
)
from mgtl_tf.training.gradients import gradients_at_once, gradients_in_pieces
from mgtl_tf.training.retrieval_loss import LOSS_NAMES, retrieval_loss


class TrainStep:
    """Loss, gradient and update as one `tf.function` (Eq. 7 to 9).

    Args:
        model: of `build_model`; its variables are updated.
        optimizer: a Keras optimizer, built on the model's variables here.
        config: loss settings, and `micro_batch`.
        distribution: in whose scope model and optimizer were made; by
            default the one device there is.

    Call arguments:
        batch: {"ground", "satellite": [b, H, W, 3] RGB 0..255 of any dtype,
            the rows of this worker (all B of them where there is one worker),
            "negatives": bool [B, B], True where a pair may be a negative
            (R15), the same on every worker}.
        learning_rate: float scalar tensor; a Python float would retrace.

    Output:
        scalars, float32, of the global batch: "loss", its parts
        "triplet_loss" (or "info_nce_loss") and "generative_loss", and
        "positive_distance" and "negative_distance", the mean squared
        distances (0..4) of true and of wrong pairs.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        config: TrainConfig,
        distribution: Distribution | None = None,
    ):
        self.model = model
        self.optimizer = optimizer
        self.config = config
        self.distribution = distribution or Distribution()
        self.strategy = self.distribution.strategy
        with self.distribution.scope():
            optimizer.build(model.trainable_variables)
        # Nothing here depends on AutoGraph, which would rewrite Keras' own
        # code line by line: a third of the time until the first step.
        self._traced = tf.function(self._step, autograph=False)

    def __call__(
        self, batch: dict[str, tf.Tensor], learning_rate: float
    ) -> dict[str, tf.Tensor]:
        """Updates the weights by one batch; see the class."""
        return self._traced(batch, tf.constant(learning_rate, tf.float32))

    def _step(self, batch, learning_rate):
        self.optimizer.learning_rate.assign(learning_rate)
        results = self.strategy.run(self._replica_step, (batch,))
        # Every replica gives the figures of the whole batch.
        return {
            name: self.strategy.experimental_local_results(value)[0]
            for name, value in results.items()
        }

    def _replica_step(self, batch):
        gradients, figures = self.replica_gradients(batch)
        self._apply(gradients)
        return figures

    def replica_gradients(self, batch):
        """In a replica: its part of the gradients, and the batch's figures.

        Args:
            batch: of its worker, as of the class.

        Returns:
            a list with one tensor for each trainable variable, whose sum
            over replicas is the gradient of the global batch's loss, and
            the class's scalars.
        """
        views = own_rows(batch, self.distribution)
        # Batches may be uint8, which no system need know how to reckon in.
        views = {v: tf.cast(views[v], tf.float32) for v in VIEWS}
        figures = {}

        def slopes(ground, satellite):
            slopes, values = self._contrast(
                ground, satellite, batch["negatives"]
            )
            figures.update(values)
            return slopes

        # A mean over pairs: each replica adds its part of it (Eq. 9).
        weight = self._scaled(self.config.generative_weight)
        weight /= self.distribution.replicas
        arguments = self.model, views, slopes, self._generative, weight
        piece = self.config.micro_batch
        with own_randomness(self.model):
            if piece and piece < views["ground"].shape[0]:
                gradients, generative = gradients_in_pieces(*arguments, piece)
            else:
                gradients, generative = gradients_at_once(*arguments)
        generative = mean_of_replicas(generative)
        loss = (
            figures[LOSS_NAMES[self.config.loss]]
            + self.config.generative_weight * generative
        )
        return gradients, {
            "loss": loss,
            **figures,
            "generative_loss": generative,
        }

    def _contrast(self, ground, satellite, negatives):
        """Slopes of the global loss at this replica's descriptors."""
        ground = gathered(ground)
        satellite = gathered(satellite)
        with tf.GradientTape() as tape:
            tape.watch([ground, satellite])
            name, loss = retrieval_loss(
                ground, satellite, negatives, self.config
            )
            scaled = self._scaled(loss)
        slopes = tape.gradient(scaled, [ground, satellite])
        figures = {name: loss, **_distances(ground, satellite, negatives)}
        return [share_of(s) for s in slopes], figures

    def _generative(self, outputs):
        return losses.generative_loss(
            outputs["generated"],
            outputs["targets"],
            stop_gradient_targets=self.config.stop_gradient_targets,
        )

    def _scaled(self, loss):
        """The loss as gradients are taken of it: larger for float16."""
        return self.optimizer.scale_loss(ops.convert_to_tensor(loss, "float32"))

    def _apply(self, gradients):
        """One update by the gradients' sum over replicas."""
        replicas = self.distribution.replicas
        if replicas > 1 and self._looks_at_gradients:
            # Keras sums over replicas too, but only after clipping and
            # after looking for overflow, which must see the sum.
            gradients = mean_of_replicas(gradients)
        self.optimizer.apply(gradients, self.model.trainable_variables)

    @property
    def _looks_at_gradients(self) -> bool:
        scaling = keras.optimizers.LossScaleOptimizer
        return bool(self.config.clip_norm) or isinstance(
            self.optimizer, scaling
        )


def _distances(ground, satellite, negatives):
    """Mean squared distance of true pairs and of allowed wrong pairs."""
    similarity = ops.matmul(ground, ops.transpose(satellite))
    distances = 2.0 - 2.0 * similarity  # [B, B]
    wrong = ops.cast(negatives, "float32")
    return {
        "positive_distance": ops.mean(ops.diagonal(distances)),
        "negative_distance": ops.sum(distances * wrong)
        / ops.maximum(ops.sum(wrong), 1.0),
    }
