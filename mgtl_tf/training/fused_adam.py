"""Adam and AdamW whose update of a variable is one operation of TensorFlow.

Keras' update is the same formula in two dozen operations a variable: a third
of the time until a train step is traced, and more passes over the memory of
each step.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
import tensorflow as tf


class _FusedUpdate(keras.optimizers.Optimizer):
    """What both put before Keras' optimizer; see the file."""

    _update: Any = None

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        step = tf.cast(self.iterations.value, tf.float32) + 1.0
        beta_1, beta_2 = tf.constant(self.beta_1), tf.constant(self.beta_2)
        # What the updates of all variables read. Not a dict, which would
        # become part of checkpoints.
        self._update = functools.partial(
            tf.raw_ops.ResourceApplyAdam,
            beta1=beta_1,
            beta2=beta_2,
            beta1_power=beta_1**step,
            beta2_power=beta_2**step,
            epsilon=tf.constant(self.epsilon),
        )
        super()._backend_update_step(grads, trainable_variables, learning_rate)

    def update_step(self, gradient, variable, learning_rate):
        """m += (1 - b1) (g - m), v += (1 - b2) (g^2 - v), then
        w -= rate sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon)."""
        place = self._get_variable_index(variable)
        self._update(
            var=variable.handle,
            m=self._momentums[place].value.handle,
            v=self._velocities[place].value.handle,
            lr=learning_rate,
            grad=tf.cast(tf.convert_to_tensor(gradient), tf.float32),
        )


class FusedAdam(_FusedUpdate, keras.optimizers.Adam):
    """Adam of variables in float32, without AMSGrad."""


class FusedAdamW(_FusedUpdate, keras.optimizers.AdamW):
    """AdamW of variables in float32, without AMSGrad."""
