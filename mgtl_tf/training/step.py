"""The traced train step: one batch in, updated weights and scalars out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    replica_rows,
    replica_seeds,
    replica_slice,
)
from mgtl_tf.training.gradient_caching import cached_gradients

LOSS_NAMES = {"triplet": "triplet_loss", "info_nce": "info_nce_loss"}
"""A config's `loss` to the name that it is logged under."""


def retrieval_loss(
    config: TrainConfig,
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The config's loss of descriptors in `losses`, and its settings."""
    if config.loss == "info_nce":
        return losses.info_nce_loss, {
            "temperature": config.temperature,
            "label_smoothing": config.label_smoothing,
        }
    return losses.soft_margin_triplet_loss, {
        "gamma": config.gamma,
        "hard_negatives_per_query": config.hard_negatives_per_query or None,
        "distance": config.distance,
    }


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
        distances (0..4) of positive and of negative pairs.
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
        self._retrieval_loss, self._retrieval_options = retrieval_loss(config)
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
        views = replica_rows(batch, self.distribution)
        # Batches may be uint8.
        views = {v: tf.cast(views[v], tf.float32) for v in VIEWS}
        micro = self.config.micro_batch
        whole = not micro or micro >= views["ground"].shape[0]
        if whole and self.distribution.replicas == 1:
            return self._plain_gradients(views, batch["negatives"])
        with replica_seeds(self.model):
            return self._cached_gradients(views, batch["negatives"], micro)

    def _plain_gradients(self, views, negatives):
        """Of the whole batch on one device: a tape over Eq. 9."""
        with tf.GradientTape() as tape:
            outputs = self.model(views, training=True)
            loss = losses.total_loss(
                outputs,
                negatives,
                self.config.generative_weight,
                self.config.stop_gradient_targets,
                self._retrieval_loss,
                **self._retrieval_options,
            )
            scaled = self._scaled(loss)
        gradients = tape.gradient(scaled, self.model.trainable_variables)
        descriptors = outputs["ground"], outputs["satellite"]
        retrieval = self._retrieval(*descriptors, negatives)
        figures = self._figures(
            retrieval, self._generative(outputs), *descriptors, negatives
        )
        return gradients, figures

    def _cached_gradients(self, views, negatives, micro):
        """Of micro-batches, or of one replica's rows of the global batch."""
        found = {}

        def descriptor_gradients(ground, satellite):
            ground, satellite = gathered(ground), gathered(satellite)
            found["descriptors"] = ground, satellite
            with tf.GradientTape() as tape:
                tape.watch([ground, satellite])
                found["loss"] = self._retrieval(ground, satellite, negatives)
                scaled = self._scaled(found["loss"])
            gradients = tape.gradient(scaled, [ground, satellite])
            return [replica_slice(g) for g in gradients]

        # A mean over pairs: each replica adds its part of it (Eq. 9).
        weight = self._scaled(self.config.generative_weight)
        weight /= self.distribution.replicas
        gradients, generative = cached_gradients(
            self.model,
            views,
            descriptor_gradients,
            self._generative,
            weight,
            micro or views["ground"].shape[0],
        )
        figures = self._figures(
            found["loss"],
            mean_of_replicas(generative),
            *found["descriptors"],
            negatives,
        )
        return gradients, figures

    def _figures(self, retrieval, generative, ground, satellite, negatives):
        loss = retrieval + self.config.generative_weight * generative
        return {
            "loss": loss,
            LOSS_NAMES[self.config.loss]: retrieval,
            **_distances(ground, satellite, negatives),
            "generative_loss": generative,
        }

    def _retrieval(self, ground, satellite, negatives):
        return self._retrieval_loss(
            ground, satellite, negatives=negatives, **self._retrieval_options
        )

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
    """Mean squared distance of positive and of negative pairs."""
    similarity = ops.matmul(ground, ops.transpose(satellite))
    distances = 2.0 - 2.0 * similarity  # [B, B]
    negative = ops.cast(negatives, "float32")
    return {
        "positive_distance": ops.mean(ops.diagonal(distances)),
        "negative_distance": ops.sum(distances * negative)
        / ops.maximum(ops.sum(negative), 1.0),
    }
