"""Training and embedding our models by Keras' JAX backend, on one device.

Many steps are one compiled program: the pairs stay in the device's memory and
a scan walks over the rows of each batch. Importing this needs
KERAS_BACKEND=jax.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from mgtl_tf import losses
from mgtl_tf.config import RunConfig


def make_optimizer(config: RunConfig, steps: int) -> keras.optimizers.Optimizer:
    """Adam (R17) with a cosine schedule after its warm-up, or constant."""
    train = config.train
    rate: Any = train.learning_rate
    if train.schedule == "cosine":
        warmup = max(1, round(train.warmup * steps))
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, steps - warmup, warmup_target=rate, warmup_steps=warmup
        )
    return keras.optimizers.Adam(
        rate,
        epsilon=train.adam_epsilon,
        global_clipnorm=train.clip_norm or None,
    )


class JaxTraining:
    """A model's state on the device, and compiled programs that change it.

    Args:
        model: of `build_model`, built.
        optimizer: of `make_optimizer`.
        config: its losses and `same_place_metres` are used.
    """

    def __init__(self, model, optimizer, config: RunConfig):
        self.model = model
        self.optimizer = optimizer
        self.config = config
        optimizer.build(model.trainable_variables)
        self.state = [
            [variable.value for variable in variables]
            for variables in (
                model.trainable_variables,
                model.non_trainable_variables,
                optimizer.variables,
            )
        ]
        self._run: Any = jax.jit(self._steps, donate_argnums=0)
        self._embed = jax.jit(self._descriptors)

    def compile(self, data: dict, steps: int, batch: int) -> None:
        """Compiles `run` for `steps` steps of `batch` pairs."""
        order = jax.ShapeDtypeStruct((steps, batch), jnp.int32)
        self._run = self._run.lower(self.state, data, order, order).compile()

    def share_programs(self, other: JaxTraining) -> None:
        """Takes the compiled programs of a training of the same config."""
        self._run, self._embed = other._run, other._embed

    def run(self, data: dict, order: np.ndarray, shifts: np.ndarray):
        """Trains for as many steps as `order` has rows.

        Args:
            data: "ground" and "satellite", uint8 [N, H, W, 3], "positions",
                float32 [N, 3], metres.
            order: int32 [steps, B], rows of each batch.
            shifts: int32 [steps, B], columns by which both views are rolled.

        Returns:
            the losses, float32 [steps].
        """
        self.state, values = self._run(
            self.state, data, jnp.asarray(order), jnp.asarray(shifts)
        )
        return np.asarray(values)

    def embed(self, data: dict, batch: int = 64) -> tuple[np.ndarray, ...]:
        """Descriptors of all pairs, ground and satellite, float32 [N, D]."""
        count = len(data["ground"])
        found: tuple[list, list] = ([], [])
        for first in range(0, count, batch):
            # The last batch is as long as the others: one compiled program.
            rows = np.minimum(np.arange(first, first + batch), count - 1)
            pair = self._embed(self.state, data, jnp.asarray(rows))
            for view, values in zip(found, pair, strict=True):
                view.append(np.asarray(values)[: count - first])
        return tuple(np.concatenate(view) for view in found)

    def _steps(self, state, data, orders, shifts):
        def step(state, now):
            rows, shift = now
            batch = {
                view: _rolled(data[view][rows], shift)
                for view in ("ground", "satellite")
            }
            negatives = self._negatives(data["positions"][rows])
            return self._step(state, batch, negatives)

        return jax.lax.scan(step, state, (orders, shifts))

    def _step(self, state, batch, negatives):
        trainable, others, optimizer = state

        def objective(trainable):
            outputs, changed = self.model.stateless_call(
                trainable, others, batch, training=True
            )
            return self._loss(outputs, negatives), changed

        gradient = jax.value_and_grad(objective, has_aux=True)
        (loss, others), gradients = gradient(trainable)
        trainable, optimizer = self.optimizer.stateless_apply(
            optimizer, gradients, trainable
        )
        return [trainable, others, optimizer], loss

    def _loss(self, outputs, negatives):
        train = self.config.train
        return losses.total_loss(
            outputs,
            negatives,
            train.generative_weight,
            train.stop_gradient_targets,
            self.model.retrieval_loss,
            gamma=train.gamma,
        )

    def _negatives(self, positions):
        apart = positions[:, None] - positions[None]
        radius = self.config.data.same_place_metres
        return jnp.sum(apart**2, axis=-1) > radius**2

    def _descriptors(self, state, data, rows):
        batch = {v: data[v][rows] for v in ("ground", "satellite")}
        outputs, _ = self.model.stateless_call(
            state[0], state[1], batch, training=False
        )
        return outputs["ground"], outputs["satellite"]


def _rolled(images, shifts):
    """Images [B, H, W, 3], each rolled by its own number of columns."""
    return jax.vmap(lambda image, shift: jnp.roll(image, shift, axis=1))(
        images, shifts
    )


def epochs(
    pairs: int, steps: int, batch: int, width: int, seed: int
) -> Iterator[np.ndarray]:
    """The order of `steps` batches of shuffled pairs, and random rolls.

    Yields:
        order, then shifts, both int32 [steps, batch].
    """
    rng = np.random.default_rng(seed)
    needed = -(-steps * batch // (pairs // batch * batch))
    rows = [
        rng.permutation(pairs)[: pairs // batch * batch] for _ in range(needed)
    ]
    order = np.concatenate(rows)[: steps * batch].reshape(steps, batch)
    yield order.astype(np.int32)
    yield rng.integers(0, width, (steps, batch)).astype(np.int32)
