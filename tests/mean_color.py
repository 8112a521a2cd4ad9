"""Models without a network, in place of a system."""

import keras
import tensorflow as tf

from mgtl_tf.utils.scorers import DOT


class TwoEncoders:
    """A pair's descriptors are those of each view's own encoder."""

    offset_head = None

    def encode_pairs(self, ground, satellite):
        return self.encode_ground(ground), self.encode_satellite(satellite)


class MeanColor(TwoEncoders, keras.Model):
    """A descriptor is the image's mean colour, as a unit vector."""

    scorer = DOT

    def __init__(self):
        super().__init__()
        self.gain = self.add_weight(shape=(), initializer="ones")

    def encode_ground(self, images):
        mean = tf.reduce_mean(images, axis=(1, 2)) * self.gain
        return mean / tf.norm(mean, axis=1, keepdims=True)

    encode_satellite = encode_ground
