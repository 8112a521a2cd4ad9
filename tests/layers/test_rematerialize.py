"""Blocks computed twice give the gradients of blocks computed once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.config import ModelConfig
from mgtl_tf.layers.vgg16 import VGG16Features
from mgtl_tf.utils.errors import UserError


def _gradients(rematerialize, dropout):
    keras.utils.set_random_seed(0)
    layer = VGG16Features(1 / 16, dropout=dropout, rematerialize=rematerialize)
    images = np.random.default_rng(1).uniform(0, 255, (2, 32, 48, 3))
    images = tf.constant(images, tf.float32)
    layer.build(images.shape)
    recomputed = []
    for stage in layer.convolutions:
        _count_calls(stage, recomputed)

    @tf.function(autograph=False)
    def run():
        with tf.GradientTape() as tape:
            # Squares: a plain sum would not depend on what is recomputed.
            loss = tf.reduce_sum(layer(images, training=True) ** 2)
        return tape.gradient(loss, layer.trainable_variables)

    return [g.numpy() for g in run()], len(recomputed)


def _count_calls(stage, calls):
    inner = stage.call

    def call(*arguments, **keywords):
        calls.append(stage.name)
        return inner(*arguments, **keywords)

    stage.call = call


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_gradients_are_the_same(dropout):
    """With dropout too: its blocks are not run twice, its draws are kept."""
    expected, once = _gradients(False, dropout)
    found, twice = _gradients(True, dropout)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6 * abs(b).max())
    assert once == 13
    # Blocks 1 to 3 hold seven convolutions; without dropout all are stateless.
    assert twice == 13 + (7 if dropout else 13)


def test_not_with_batch_statistics():
    with pytest.raises(UserError, match="rematerialize"):
        ModelConfig(rematerialize=True, backbone_normalization="batch")
