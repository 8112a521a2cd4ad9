"""The losses of generator and discriminator against NumPy."""

import numpy as np
import pytest

from mgtl_tf.adversarial_losses import (
    absolute_difference,
    deception_loss,
    discriminator_loss,
)

RANDOM = np.random.default_rng(0)
REAL, MADE = RANDOM.normal(0, 3, (2, 2, 3, 4, 1))


def entropy(logits, label):
    """Of the probabilities that the logits stand for."""
    held = 1 / (1 + np.exp(-logits))
    parts = label * np.log(held) + (1 - label) * np.log(1 - held)
    return -np.mean(parts)


def test_both_are_mean_cross_entropies_with_the_label_nine_tenths():
    wanted = 0.5 * (entropy(REAL, 0.9) + entropy(MADE, 0.0))
    assert float(discriminator_loss(REAL, MADE)) == pytest.approx(wanted)
    assert float(deception_loss(MADE)) == pytest.approx(entropy(MADE, 0.9))


def test_they_are_finite_for_any_logit_and_least_at_the_label():
    far = np.array([-1e4, 1e4])
    assert np.isfinite(float(discriminator_loss(far, far)))
    best = np.log(0.9 / 0.1)
    losses = [float(deception_loss(best + d)) for d in (-0.1, 0.0, 0.1)]
    assert losses[1] == min(losses)


def test_absolute_difference_is_l1():
    wanted = np.abs(REAL - MADE).mean()
    assert float(absolute_difference(REAL, MADE)) == pytest.approx(wanted)
