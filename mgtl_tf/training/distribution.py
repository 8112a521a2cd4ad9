"""One run over several devices or machines, by tf.distribute.

Every replica takes its share of each batch; descriptors are gathered, so
that the in-batch negatives are those of the global batch, and gradients are
summed. One worker, the chief, writes, evaluates and mines.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import parse_json
from mgtl_tf.utils.plain_files import QUOTED, UnfitFileError

_LOST_PEER = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


class Distribution:
    """A tf.distribute strategy by name, and this process's place in it.

    For "multi_worker" it must come before anything else that TensorFlow
    computes in the process: its servers start here.

    Args:
        name: "none", "mirrored" (all GPUs of this machine) or
            "multi_worker" (all processes that TF_CONFIG names, each with
            its machine's GPUs).

    Attributes:
        strategy: the tf.distribute.Strategy.
        replicas: devices that share a batch, all workers together.
        workers: processes, and `worker` this one's number among them.

    Raises:
        UserError: for a TF_CONFIG that does not fit "multi_worker".
    """

    def __init__(self, name: str = "none"):
        self.name = name
        self.workers, self.worker = 1, 0
        if name == "multi_worker":
            self.workers, self.worker = _parse_tf_config(
                os.environ.get("TF_CONFIG")
            )
            self.strategy = tf.distribute.MultiWorkerMirroredStrategy()
        elif name == "mirrored":
            self.strategy = tf.distribute.MirroredStrategy(_devices())
        else:
            self.strategy = tf.distribute.get_strategy()
        self.replicas = self.strategy.num_replicas_in_sync
        self._first_replicas = self._on_replicas(_first_replicas)
        self._sum_of_replicas = self._on_replicas(_sum_of_replicas)

    @property
    def is_chief(self) -> bool:
        """Whether this process writes files, evaluates and mines."""
        return self.worker == 0

    def scope(self) -> AbstractContextManager:
        """Where model and optimizer must be made."""
        return self.strategy.scope()

    def check_batch(self, batch_size: int, micro_batch: int) -> None:
        """Raises UserError unless replicas and micro-batches divide it."""
        if batch_size % self.replicas:
            raise UserError(
                f"--batch_size={batch_size}: must be a multiple of the"
                f" {self.replicas} replicas of --strategy={self.name}"
            )
        own = batch_size // self.replicas
        if micro_batch and own % micro_batch:
            raise UserError(
                f"--micro_batch={micro_batch}: must divide the {own} pairs"
                f" that each of {self.replicas} replica(s) takes of"
                f" --batch_size={batch_size}"
            )

    def from_chief(self, value: np.ndarray) -> np.ndarray:
        """The chief's array on every worker; the others' only give its form.

        Workers wait here for each other.
        """
        if self.workers == 1:
            return value
        return self._first_replicas(tf.constant(value)).numpy()

    def wait(self) -> None:
        """Returns once every worker has come here."""
        self.from_chief(np.zeros(1, np.int64))

    def _on_replicas(self, function):
        """A function of a tensor, run on all replicas; any one's result."""

        def run(value):
            results = self.strategy.run(function, (value,))
            return self.strategy.experimental_local_results(results)[0]

        return tf.function(run, autograph=False, reduce_retracing=True)

    def any_worker(self, flag: bool) -> bool:
        """Whether the flag is up on any worker; all must ask."""
        if self.workers == 1:
            return flag
        return bool(self._sum_of_replicas(tf.constant(float(flag))) > 0)

    @contextmanager
    def naming_lost_workers(self):
        """A context in which the loss of another worker is a UserError."""
        try:
            yield
        except _LOST_PEER as error:
            if self.workers == 1:
                raise
            raise UserError(
                f"worker {self.worker} of {self.workers}: another worker"
                " stopped or cannot be reached; look at its output, then"
                " start all of them again: they go on from the last"
                " checkpoint"
            ) from error


def replica_rows(
    batch: dict[str, Any], distribution: Distribution
) -> dict[str, Any]:
    """In a replica: its share of its worker's rows of every view."""
    local = distribution.replicas // distribution.workers
    if local == 1:
        return batch
    context = tf.distribute.get_replica_context()
    index = context.replica_id_in_sync_group % local
    size = batch["ground"].shape[0] // local
    rows = slice(index * size, (index + 1) * size)
    return {**batch, **{v: batch[v][rows] for v in ("ground", "satellite")}}


@contextmanager
def replica_seeds(model: keras.Model) -> Iterator[None]:
    """In a replica: a context with random seeds of its own for dropout.

    Replicas hold copies of the same random states; without this each would
    drop the same units of its part of the batch.
    """
    context = tf.distribute.get_replica_context()
    states = [
        v
        for v in model.non_trainable_variables
        if v.path.endswith("seed_generator_state")
    ]
    if context.num_replicas_in_sync == 1:
        states = []
    for state in states:
        state.assign(state + _apart(context, state))
    yield
    for state in states:
        state.assign(state - _apart(context, state))


def _apart(context, state):
    """[number of the replica, 0] to add to a [seed, counter]."""
    number = tf.cast(context.replica_id_in_sync_group, state.value.dtype)
    return tf.stack([number, tf.zeros_like(number)])


def gathered(values: tf.Tensor) -> tf.Tensor:
    """In a replica: the rows [b, D] of all replicas in order, [B, D].

    No gradient passes: each replica backpropagates from its own rows.
    """
    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync
    if replicas == 1:
        return values
    rows = context.all_gather(tf.stop_gradient(values), axis=0)
    return tf.ensure_shape(rows, (replicas * values.shape[0], values.shape[1]))


def replica_slice(values: tf.Tensor) -> tf.Tensor:
    """In a replica: its own rows of what `gathered` gave."""
    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync
    if replicas == 1:
        return values
    size = values.shape[0] // replicas
    index = context.replica_id_in_sync_group
    return values[index * size : (index + 1) * size]


def mean_of_replicas(values: Any) -> Any:
    """In a replica: the mean over replicas of each tensor."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return values
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, values)


def _sum_of_replicas(value):
    context = tf.distribute.get_replica_context()
    # The identity lies on the replica's device; an argument lies on none,
    # which TensorFlow refuses to sum.
    own = tf.identity(value)
    return context.all_reduce(tf.distribute.ReduceOp.SUM, own)


def _first_replicas(value):
    context = tf.distribute.get_replica_context()
    first = tf.equal(context.replica_id_in_sync_group, 0)
    return _sum_of_replicas(tf.where(first, value, tf.zeros_like(value)))


def _devices() -> list[str]:
    """All GPUs; without any, the logical CPUs."""
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    return [d.name for d in tf.config.list_logical_devices(kind)]


@dataclass(frozen=True)
class _Task:
    """Which of the workers a process is."""

    type: str
    index: int


@dataclass(frozen=True)
class _TfConfig:
    """What TF_CONFIG holds."""

    cluster: dict[str, list[str]]
    task: _Task


def _parse_tf_config(text: str | None) -> tuple[int, int]:
    """How many workers TF_CONFIG names, and which of them this is."""
    remedy = (
        'give every worker {"cluster": {"worker": ["host:port", ...]},'
        ' "task": {"type": "worker", "index": 0, 1, ...}}'
    )
    if not text:
        raise UserError(
            f"--strategy=multi_worker: TF_CONFIG is not set; {remedy}"
        )
    try:
        config = parse_json(text, _TfConfig)
    except UnfitFileError as error:
        raise UserError(
            f"TF_CONFIG={text[:QUOTED]}: {error}; {remedy}"
        ) from error
    workers, task = config.cluster.get("worker", []), config.task
    fits = task.type == "worker" and 0 <= task.index < len(workers)
    if not fits or set(config.cluster) != {"worker"}:
        raise UserError(
            f"TF_CONFIG={text[:QUOTED]}: not a worker's place; {remedy}"
        )
    return len(workers), task.index
