"""What all layers share: the constructor's arguments are the config."""

from __future__ import annotations

import inspect

import keras


class ConfiguredLayer(keras.layers.Layer):
    """A layer that keeps its constructor's arguments as attributes."""

    def get_config(self):
        """The constructor's arguments."""
        names = inspect.signature(type(self).__init__).parameters
        own = [name for name in names if name not in ("self", "kwargs")]
        return {**super().get_config(), **{n: getattr(self, n) for n in own}}

    def compute_output_shape(self, input_shape):
        """That of the (first) input, unless a layer says otherwise."""
        return input_shape


def has_state(layer):
    """Whether running a layer once more while training would change it."""
    kinds = keras.layers.BatchNormalization, keras.layers.Dropout
    return isinstance(layer, kinds)


def run_chain(layers, features, training=None):
    """What layers that follow one another make of features.

    `training` is for those of `has_state`; the others take no such argument.
    """
    for layer in layers:
        if has_state(layer):
            features = layer(features, training=training)
        else:
            features = layer(features)
    return features


def spaced(features, stride):
    """All that a 1 x 1 convolution of a stride reads of [B, h, w, C].

    To be convolved without a stride: the gradient that TensorFlow 2.21 has of
    one, on processors, writes beyond its memory.
    """
    return features[:, ::stride, ::stride]


def build_chain(layers, input_shape):
    """Builds layers that follow one another; the last one's output shape."""
    shape = tuple(input_shape)
    for layer in layers:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
    return shape


def weights_besides(weights, spared):
    """The weights that are not among `spared`, in their order."""
    others = set(map(id, spared))
    return [weight for weight in weights if id(weight) not in others]
