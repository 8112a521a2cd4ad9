"""A train step that is small, and traced once for the tests of a file."""

import dataclasses

import keras
import numpy as np

import mgtl_tf
from mgtl_tf.config import TrainConfig
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.step import TrainStep

SMALL = mgtl_tf.ModelConfig(
    image_size=(16, 40),
    width_multiplier=1 / 16,
    poolings=2,
    channels=12,
    heads=3,
    backbone_dropout=0.0,
    backbone_normalization="batch",
)


def batch(size=4):
    """Pairs whose aerial image is the panorama with some noise."""
    random = np.random.default_rng(0)
    ground = random.uniform(0, 255, (size, 16, 40, 3)).astype("float32")
    noise = random.normal(0, 10, ground.shape).astype("float32")
    return {
        "ground": ground,
        "satellite": ground + noise,
        "negatives": ~np.eye(size, dtype=bool),
    }


class SmallStep:
    """A step on the small model, and its way back to the beginning."""

    def __init__(self, recurrent_steps=2, **fields):
        keras.utils.set_random_seed(1)
        config = TrainConfig(batch_size=4, learning_rate=1e-3, **fields)
        small = dataclasses.replace(SMALL, recurrent_steps=recurrent_steps)
        self.model = mgtl_tf.build_model(small, dtype=config.dtype_policy)
        optimizer = make_optimizer(config, self.model.trainable_variables)
        self.step = TrainStep(self.model, optimizer, config)
        variables = [*self.model.variables, *optimizer.variables]
        self._start = [(v, v.numpy()) for v in variables]

    def begin(self):
        """The step, with every variable as it was at first."""
        for variable, value in self._start:
            variable.assign(value)
        return self.step
