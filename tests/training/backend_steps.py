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


def stepper(model, optimizer, data):
    """A function: the rows of a batch -> the loss, having taken a step; and
    one without arguments: the optimizer's variables, the trained weights."""
    if keras.backend.backend() == "jax":
        from benchmarks.jax_training import JaxTraining

        training = JaxTraining(model, optimizer, CONFIG)

        def compiled(rows):
            rows = rows[None]  # one step: one program for all of them
            return training.run(data, rows, np.zeros_like(rows))[0]

        return compiled, lambda: (training.state[2], training.state[0])
    from mgtl_tf.training.step import TrainStep

    step = TrainStep(model, optimizer, CONFIG.train)
    rate, apart = float(optimizer.learning_rate), ~np.eye(BATCH, dtype=bool)

    def traced(rows):
        batch = {view: data[view][rows] for view in ("ground", "satellite")}
        return float(step(batch | {"negatives": apart}, rate)["loss"])

    return traced, lambda: (optimizer.variables, model.trainable_variables)


def main(path):
    data, order = drawn_pairs()
    model = mgtl_tf.build_model(CONFIG.model, dtype="float32")
    draw_weights(model)
    adam = keras.optimizers.Adam(1e-4, epsilon=CONFIG.train.adam_epsilon)
    take_step, values = stepper(model, adam, data)
    losses, found = [take_step(order[0])], {}
    # The first moment is then 1 - beta_1 of the first gradient.
    moments, _ = values()
    for variable, value in zip(adam.variables, moments, strict=True):
        if variable.path.endswith("_momentum"):
            gradient = np.array(value) / (1 - adam.beta_1)
            found[f"gradient{len(found)}"] = gradient
    losses += [take_step(rows) for rows in order[1:]]
    _, trained = values()
    for number, value in enumerate(trained):
        found[f"trained{number}"] = np.array(value)
    np.savez(path, loss=losses[:1], losses=losses, **found)


if __name__ == "__main__":
    main(sys.argv[1])
