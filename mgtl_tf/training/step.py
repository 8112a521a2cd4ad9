"""The traced train step: one batch in, updated weights and scalars out."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import ops

from mgtl_tf import losses
from mgtl_tf.config import TrainConfig
from mgtl_tf.training.retrieval_loss import retrieval_loss


class TrainStep:
    """Loss, gradient and update as one `tf.function` (Eq. 7 to 9).

    Args:
        model: of `build_model`; its variables are updated.
        optimizer: a Keras optimizer, built on the model's variables here.
        config: loss settings.

    Call arguments:
        batch: {"ground", "satellite": [B, H, W, 3] RGB 0..255, "negatives":
            bool [B, B], True where a pair may be a negative (R15)}.
        learning_rate: float scalar tensor; a Python float would retrace.

    Output:
        scalars, float32: "loss", its parts "triplet_loss" (or
        "info_nce_loss") and "generative_loss", and "positive_distance" and
        "negative_distance", the mean squared distances (0..4) of true and of
        wrong pairs.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        config: TrainConfig,
    ):
        self.model = model
        self.optimizer = optimizer
        self.config = config
        optimizer.build(model.trainable_variables)
        self._traced = tf.function(self._step)

    def __call__(
        self, batch: dict[str, tf.Tensor], learning_rate: float
    ) -> dict[str, tf.Tensor]:
        """Updates the weights by one batch; see the class."""
        return self._traced(batch, tf.constant(learning_rate, tf.float32))

    def _step(self, batch, learning_rate):
        self.optimizer.learning_rate.assign(learning_rate)
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            outputs = self.model(batch, training=True)
            parts = self._losses(outputs, batch["negatives"])
        gradients = tape.gradient(parts["loss"], variables)
        self.optimizer.apply(gradients, variables)
        return {**parts, **_distances(outputs, batch["negatives"])}

    def _losses(self, outputs, negatives):
        config = self.config
        name, retrieval = retrieval_loss(
            outputs["ground"], outputs["satellite"], negatives, config
        )
        generative = losses.generative_loss(
            outputs["generated"],
            outputs["targets"],
            stop_gradient_targets=config.stop_gradient_targets,
        )
        return {
            "loss": retrieval + config.generative_weight * generative,  # Eq. 9
            name: retrieval,
            "generative_loss": generative,
        }


def _distances(outputs, negatives):
    """Mean squared distance of true pairs and of allowed wrong pairs."""
    similarity = ops.matmul(
        outputs["ground"], ops.transpose(outputs["satellite"])
    )
    distances = 2.0 - 2.0 * similarity  # [B, B]
    wrong = ops.cast(negatives, "float32")
    return {
        "positive_distance": ops.mean(ops.diagonal(distances)),
        "negative_distance": ops.sum(distances * wrong)
        / ops.maximum(ops.sum(wrong), 1.0),
    }
