"""The layers' formulas in float64 NumPy, with the weights of Keras' layers."""

import numpy as np
import scipy.special


def norm(x, layer=None):
    """Layer normalisation; of scale 1 and shift 0 without a layer."""
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    x = (x - mean) / np.sqrt(variance + 1e-6)
    if layer is None:
        return x
    return x * np.asarray(layer.gamma, "f8") + np.asarray(layer.beta, "f8")


def dense(x, layer):
    """A Dense or EinsumDense layer's map of the last axis."""
    kernel = np.asarray(layer.kernel, "f8").reshape(x.shape[-1], -1)
    return x @ kernel + np.asarray(layer.bias, "f8").ravel()


def perceptron(x, layer):
    """C -> ratio * C -> GELU -> C."""
    hidden = dense(x, layer.widen)
    hidden = hidden * 0.5 * (1 + scipy.special.erf(hidden / np.sqrt(2)))
    return dense(hidden, layer.narrow)


def attend(layer, query, value, key=None):
    """Multi-head attention, one head after the other.

    Returns:
        its output, and softmax weights [B, heads, T, T'].
    """
    query = dense(query, layer.query_dense)
    key = dense(value if key is None else key, layer.key_dense)
    value = dense(value, layer.value_dense)
    size, joined, weights = layer.key_dim, np.zeros_like(query), []
    for head in range(layer.num_heads):
        own = slice(head * size, (head + 1) * size)
        logits = query[..., own] @ key[..., own].swapaxes(1, 2) / np.sqrt(size)
        weights.append(scipy.special.softmax(logits, -1))
        joined[..., own] = weights[-1] @ value[..., own]
    return dense(joined, layer.output_dense), np.stack(weights, axis=1)


def randomise(layer, seed=0):
    """Distinct weights everywhere, of a size that keeps figures moderate."""
    random = np.random.default_rng(seed)
    for variable in layer.trainable_variables:
        fan = int(np.prod(variable.shape[:-1])) if variable.ndim > 1 else 1
        offset = 1.0 if variable.path.endswith("gamma") else 0.0
        scale = fan**-0.5 if fan > 1 else 0.3
        variable.assign(offset + scale * random.normal(size=variable.shape))
