"""A small model's loss, gradient and ten steps, by this process' backend.

KERAS_BACKEND=jax python -m tests.training.backend_steps FILE.npz

Weights and pairs are drawn by NumPy. TensorFlow steps as training does
(`TrainStep`), JAX as benchmarks.gpu_keras does (`JaxTraining`).
"""

import sys

import keras
import numpy as np

import mgtl_tf
from benchmarks.reference_descriptors import draw_weights
from mgtl_tf.config import RunConfig

PAIRS, BATCH, STEPS = 6, 3, 10
CONFIG = RunConfig().replace(
    image_size=(32, 160),
    width_multiplier=0.125,
    poolings=3,
    channels=24,
    heads=2,
    recurrent_steps=2,
    backbone_dropout=0.0,  # backends draw other numbers
)
# A step of so large a rate is the gradient; a power of two rounds nothing.
GRADIENT_RATE = 2.0**20


def drawn_pairs():
    """Images of PAIRS places that are far apart, and rows of STEPS batches."""
    rng = np.random.default_rng(3)
    shape = (PAIRS, *CONFIG.model.image_size, 3)
    data = {
        view: rng.integers(0, 256, shape, np.uint8)
        for view in ("ground", "satellite")
    }
    places = np.arange(3.0 * PAIRS, dtype=np.float32).reshape(PAIRS, 3)
    data["positions"] = places * 1000
    order = [rng.permutation(PAIRS)[:BATCH] for _ in range(STEPS)]
    return data, np.array(order, np.int32)


def losses_and_weights(optimizer, data, order):
    """The loss of every step, and the trainable weights after the last."""
    model = mgtl_tf.build_model(CONFIG.model, dtype="float32")
    draw_weights(model)
    if keras.backend.backend() == "jax":
        from benchmarks.jax_training import JaxTraining

        training = JaxTraining(model, optimizer, CONFIG)
        losses = training.run(data, order, np.zeros_like(order))
        return losses, [np.asarray(value) for value in training.state[0]]
    from mgtl_tf.training.step import TrainStep

    step, rate = (
        TrainStep(model, optimizer, CONFIG.train),
        optimizer.learning_rate,
    )
    losses, apart = [], ~np.eye(BATCH, dtype=bool)
    for rows in order:
        batch = {view: data[view][rows] for view in ("ground", "satellite")}
        figures = step(batch | {"negatives": apart}, float(rate))
        losses.append(float(figures["loss"]))
    return np.array(losses), [w.numpy() for w in model.trainable_variables]


def main(path):
    data, order = drawn_pairs()
    descent = keras.optimizers.SGD(GRADIENT_RATE)
    first, after = losses_and_weights(descent, data, order[:1])
    model = mgtl_tf.build_model(CONFIG.model, dtype="float32")
    draw_weights(model)
    before = [keras.ops.convert_to_numpy(w) for w in model.trainable_variables]
    train = CONFIG.train
    adam = keras.optimizers.Adam(1e-4, epsilon=train.adam_epsilon)
    losses, trained = losses_and_weights(adam, data, order)
    found = {"loss": first, "losses": losses}
    for n, (old, new, end) in enumerate(
        zip(before, after, trained, strict=True)
    ):
        found[f"gradient{n}"] = (old - new) / GRADIENT_RATE
        found[f"trained{n}"] = end
    np.savez(path, **found)


if __name__ == "__main__":
    main(sys.argv[1])
