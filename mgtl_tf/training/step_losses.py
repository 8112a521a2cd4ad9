"""The losses of a train step: what is minimised and logged (Eq. 7 to 9)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from mgtl_tf import losses
from mgtl_tf.config import TrainConfig
from mgtl_tf.config.settings import refused
from mgtl_tf.layers.modality_independent_features import VIEWS
from mgtl_tf.training.distribution import gathered
from mgtl_tf.utils.scorers import DOT, Scorer

LOSS_NAMES = {"triplet": "triplet_loss", "info_nce": "info_nce_loss"}
"""A config's `loss` to the name that it is logged under."""


def retrieval_loss(
    config: TrainConfig, scorer: Scorer = DOT, learns_temperature: bool = False
) -> Callable[..., Any]:
    """The config's loss of descriptors in `losses`, with its settings.

    Raises:
        UserError: where a temperature is learnt that the loss has not.
    """
    if learns_temperature and config.loss != "info_nce":
        raise refused(config, "loss", "info_nce with learned_temperature")
    if config.loss == "info_nce":
        return functools.partial(
            losses.info_nce_loss,
            temperature=config.temperature,
            label_smoothing=config.label_smoothing,
            scorer=scorer,
        )
    return functools.partial(
        losses.soft_margin_triplet_loss,
        gamma=config.gamma,
        hard_negatives_per_query=config.hard_negatives_per_query or None,
        distance=config.distance,
        scorer=scorer,
    )


class StepLosses:
    """Eq. 9 of a model's outputs, by a config, and a batch's figures.

    Args:
        model: of `build_model`; it may have a retrieval loss of its own.
        config: loss settings.
    """

    def __init__(self, model: keras.Model, config: TrainConfig):
        self.model = model
        self.config = config
        learns = bool(model.loss_weights)
        self.retrieval = functools.partial(
            model.retrieval_loss,
            default=retrieval_loss(config, model.scorer, learns),
        )
        self.name = model.loss_name or LOSS_NAMES[config.loss]

    def whole(self, outputs, descriptors, rows, parts=1, first=0):
        """Eq. 9 of some pairs, whose sum over the parts is the batch's.

        Args:
            outputs: of the model, for the pairs.
            descriptors: of the global batch, [B, D] a view.
            rows: the replica's part of the batch.
            parts: of how many the generative and the offset loss, means over
                pairs, are shares.
            first: row of the first pair among the replica's.
        """
        loss = losses.total_loss(
            {**outputs, **descriptors},
            rows["negatives"],
            self.config.generative_weight / parts,
            self.config.stop_gradient_targets,
            self.retrieval,
        )
        return loss + self.offset(outputs, rows, first) / parts

    def of_descriptors(self, ground, satellite, batch):
        """The retrieval and the offset loss of a batch, without Eq. 8."""
        views = {"ground": ground, "satellite": satellite}
        retrieval = self.retrieval(
            ground, satellite, negatives=batch["negatives"]
        )
        return retrieval + self.offset(views, batch)

    def offset(self, descriptors, batch, first=0):
        """The offset head's weighted loss; 0 without one.

        Args:
            descriptors: of some pairs, [n, D] a view.
            batch: whose "offsets" hold theirs from row `first` on.
            first: see `batch`.
        """
        if self.model.offset_head is None:
            return 0.0
        found = self.model.predict_offsets(*(descriptors[v] for v in VIEWS))
        offsets = batch["offsets"][first : first + found.shape[0]]
        offsets = tf.ensure_shape(offsets, found.shape)
        return self.config.offset_weight * losses.offset_loss(found, offsets)

    def figures(self, descriptors, generative, rows):
        """The scalars of TrainStep's output, but for those of groups.

        Args:
            descriptors: of the global batch, [B, D] a view.
            generative: its generative loss.
            rows: the replica's part of the batch.
        """
        ground, satellite = (descriptors[v] for v in VIEWS)
        negatives, found = rows["negatives"], {}
        if self.model.offset_head is not None:
            points = self.model.predict_offsets(ground, satellite)
            offsets = gathered(rows["offsets"])
            found["offset_loss"] = losses.offset_loss(points, offsets)
        weighted = self.config.offset_weight * found.get("offset_loss", 0.0)
        retrieval = self.retrieval(ground, satellite, negatives=negatives)
        scorer = self.model.scorer
        scores = scorer.of_batch(ground, satellite)
        distances = scorer.squared_distances(scores)  # [B, B]
        negative = ops.cast(negatives, "float32")
        return {
            "loss": retrieval
            + self.config.generative_weight * generative
            + weighted,
            self.name: retrieval,
            "positive_distance": ops.mean(ops.diagonal(distances)),
            "negative_distance": ops.sum(distances * negative)
            / ops.maximum(ops.sum(negative), 1.0),
            "generative_loss": generative,
            **found,
        }
