"""The losses of a generator and its discriminator (Goodfellow et al. 2014)."""

from __future__ import annotations

from keras import ops

_REAL = 0.9


def discriminator_loss(real, generated):
    """How badly real images are told from generated ones.

    Formula: the mean of both halves' binary cross-entropies, of real images
    with the label 0.9 (Salimans et al. 2016), of generated ones with 0.

    Args:
        real, generated: logits of any shape; above 0 where an image, or a
            patch of it, is held to be real.

    Returns:
        float32 scalar.
    """
    return 0.5 * (_cross_entropy(real, _REAL) + _cross_entropy(generated, 0.0))


def deception_loss(generated):
    """How little generated images are held to be real.

    Formula: the mean binary cross-entropy with the label 0.9.

    Args:
        generated: logits, as of `discriminator_loss`.

    Returns:
        float32 scalar.
    """
    return _cross_entropy(generated, _REAL)


def absolute_difference(found, wanted):
    """The mean of |found - wanted| (L1), of tensors of one shape; float32."""
    found, wanted = (ops.cast(x, "float32") for x in (found, wanted))
    return ops.mean(ops.abs(found - wanted))


def _cross_entropy(logits, label):
    """The mean over logits x of softplus(x) - label x."""
    logits = ops.cast(logits, "float32")
    return ops.mean(ops.softplus(logits) - label * logits)
