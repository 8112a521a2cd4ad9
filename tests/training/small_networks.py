"""A network of one layer a view, MGTL in small, and a train step of either."""

import dataclasses

import keras
import numpy as np
from keras import layers, ops

import mgtl_tf
from mgtl_tf.config import TrainConfig
from mgtl_tf.layers.modality_independent_features import VIEWS
from mgtl_tf.layers.offset_head import OffsetHead
from mgtl_tf.training.distribution import Distribution
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.step import TrainStep
from mgtl_tf.utils.scorers import DOT
from tests.tiny_runs import ONE_STEP

SMALL = dataclasses.replace(
    ONE_STEP,
    image_size=(16, 40),
    width_multiplier=1 / 16,
    poolings=2,
    channels=12,
    heads=3,
    backbone_dropout=0.0,
    backbone_normalization="batch",
)


class OneLayer(keras.Model):
    """All that a train step asks of a network, traced in a tenth of a second.

    Convolution, dropout, statistics of batches, generated knowledge.
    """

    loss_name = ""
    loss_weights = ()
    scorer = DOT

    def __init__(self, dropout=0.0, normalized=False, offsets=False):
        super().__init__(name="one_layer")
        self.convolutions = [layers.Conv2D(8, 3, 2, "same") for _ in VIEWS]
        self.normalization = layers.BatchNormalization()
        self.normalized = normalized
        self.dropout = layers.Dropout(dropout)
        self.generate = layers.Dense(8)
        self.offset_head = OffsetHead(6) if offsets else None

    def build(self, _=None):
        """Its weights."""
        for convolution in self.convolutions:
            convolution.build((None, None, None, 3))
        if self.normalized:
            self.normalization.build((None, None, None, 8))
        self.generate.build((None, None, 8))
        if self.offset_head is not None:
            self.offset_head.build((None, 160))
            start = np.random.default_rng(2).normal(0, 0.1, (6, 2))
            self.offset_head.point.kernel.assign(start)  # else zeros

    def predict_offsets(self, ground, satellite):
        """Of its head."""
        return self.offset_head(ground, satellite)

    def retrieval_loss(self, ground, satellite, negatives, default):
        """The config's."""
        return default(ground, satellite, negatives=negatives)

    def call(self, views, training=False):
        outputs, tokens = {}, {}
        for view, convolution in zip(VIEWS, self.convolutions, strict=True):
            features = convolution(views[view] / 255.0)
            if self.normalized:
                features = self.normalization(features, training=training)
            features = self.dropout(ops.gelu(features), training=training)
            tokens[view] = ops.mean(features, axis=1)  # [B, w, C]
            flat = ops.reshape(tokens[view], (tokens[view].shape[0], -1))
            outputs[view] = ops.normalize(flat, axis=-1)
        ground, satellite = (tokens[view] for view in VIEWS)
        generated = [self.generate(ground), self.generate(satellite)]
        targets = [satellite, ground]
        return {**outputs, "generated": generated, "targets": targets}


def batch(size=4):
    """Pairs whose aerial image is the panorama with some noise."""
    random = np.random.default_rng(0)
    ground = random.uniform(0, 255, (size, 16, 40, 3)).astype("float32")
    noise = random.normal(0, 10, ground.shape).astype("float32")
    return {
        "ground": ground,
        "satellite": ground + noise,
        "negatives": ~np.eye(size, dtype=bool),
        "offsets": random.uniform(-0.5, 0.5, (size, 2)).astype("float32"),
    }


def make_step(build, distribution=None, batch_size=4, **fields):
    """A step whose weights only the seed decides."""
    keras.utils.set_random_seed(1)
    distribution = distribution or Distribution()
    config = TrainConfig(batch_size=batch_size, learning_rate=1e-3, **fields)
    with distribution.scope():
        model = build()
        optimizer = make_optimizer(
            config, model.trainable_variables, replicas=distribution.replicas
        )
    return TrainStep(model, optimizer, config, distribution)


def one_layer(kind=OneLayer, **options):
    """Builds a `OneLayer`."""
    model = kind(**options)
    model.build()
    return model


class Restarted:
    """A step, and its way back to the beginning."""

    def __init__(self, step):
        self.step = step
        variables = [*step.model.variables, *step.optimizer.variables]
        self._start = [(v, v.numpy()) for v in variables]

    def begin(self):
        """The step, with every variable as it was at first."""
        for variable, value in self._start:
            variable.assign(value)
        return self.step


def small(policy="float32"):
    """Builds MGTL in small."""
    return mgtl_tf.build_model(SMALL, policy)
