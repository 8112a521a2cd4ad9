"""One run over several devices or machines, by tf.distribute.

Every replica takes its share of each batch; descriptors are gathered, so
that the in-batch negatives are those of the global batch, and gradients are
summed. One worker, the chief, writes, evaluates and mines.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import QUOTED, first_line

_LOST_WORKER = (
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
            self.workers, self.worker = _place_of_worker()
            self.strategy = tf.distribute.MultiWorkerMirroredStrategy()
        elif name == "mirrored":
            self.strategy = tf.distribute.MirroredStrategy(_devices())
        else:
            self.strategy = tf.distribute.get_strategy()
        self.replicas = self.strategy.num_replicas_in_sync
        self._sum = tf.function(
            self._sum_of_replicas, autograph=False, reduce_retracing=True
        )

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
                f"batch_size={batch_size}: must be a multiple of the"
                f" {self.replicas} replicas of strategy={self.name}"
            )
        own = batch_size // self.replicas
        if micro_batch and own % micro_batch:
            raise UserError(
                f"micro_batch={micro_batch}: must divide the {own} pairs"
                f" that each of {self.replicas} replica(s) takes of"
                f" batch_size={batch_size}"
            )

    def from_chief(self, value: np.ndarray) -> np.ndarray:
        """The chief's integers on every worker; the others' give the shape.

        Workers wait here for each other.
        """
        if self.workers == 1:
            return value
        own = value if self.is_chief else np.zeros_like(value)
        total = self._sum(tf.constant(own)).numpy()
        return total // (self.replicas // self.workers)

    def wait(self) -> None:
        """Returns once every worker has called it."""
        self.from_chief(np.zeros(1, np.int64))

    def any_worker(self, flag: bool) -> bool:
        """Whether the flag is set on any worker; all must ask."""
        if self.workers == 1:
            return flag
        return bool(self._sum(tf.constant(float(flag))) > 0)

    def _sum_of_replicas(self, value):
        def add(value):
            context = tf.distribute.get_replica_context()
            # The identity is on the replica's device; an argument is on
            # none, which TensorFlow refuses to sum.
            own = tf.identity(value)
            return context.all_reduce(tf.distribute.ReduceOp.SUM, own)

        results = self.strategy.run(add, (value,))
        return self.strategy.experimental_local_results(results)[0]

    @contextmanager
    def naming_lost_workers(self) -> Iterator[None]:
        """A context in which the loss of another worker is a UserError."""
        try:
            yield
        except _LOST_WORKER as error:
            if self.workers == 1:
                raise
            raise UserError(
                f"worker {self.worker} of {self.workers}: another worker"
                " stopped or cannot be reached; look at its output, then"
                " start all of them again: they resume from the last"
                " checkpoint"
            ) from error


def replica_rows(
    batch: dict[str, Any], distribution: Distribution
) -> dict[str, Any]:
    """In a replica: its share of its worker's rows, of offsets too."""
    local = distribution.replicas // distribution.workers
    if local == 1:
        return batch
    context = tf.distribute.get_replica_context()
    index = context.replica_id_in_sync_group % local
    size = batch["ground"].shape[0] // local
    rows = slice(index * size, (index + 1) * size)
    own = ("ground", "satellite", "offsets")
    return {k: v[rows] if k in own else v for k, v in batch.items()}


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


def first_row_of_replica(batch: tf.Tensor) -> Any:
    """In a replica: where its own rows begin in what `gathered` gave."""
    context = tf.distribute.get_replica_context()
    own = batch.shape[0] // context.num_replicas_in_sync
    return context.replica_id_in_sync_group * own


def mean_of_replicas(values: Any) -> Any:
    """In a replica: the mean over replicas of each tensor."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return values
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, values)


def _devices() -> list[str]:
    """All GPUs; without any, the logical CPUs."""
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    return [d.name for d in tf.config.list_logical_devices(kind)]


def _place_of_worker() -> tuple[int, int]:
    """How many workers TF_CONFIG names, and which of them this is."""
    text = os.environ.get("TF_CONFIG", "")
    try:
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        cluster = resolver.cluster_spec().as_dict()
        count, index = len(cluster.get("worker", [])), resolver.task_id
        only_workers = {resolver.task_type, *cluster} == {"worker"}
        if only_workers and 0 <= index < count:
            return count, index
        reason = "not a worker of its cluster" if text else "not set"
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = first_line(error)
    raise UserError(
        f"strategy=multi_worker: TF_CONFIG={text[:QUOTED]}: {reason}; give"
        ' every worker {"cluster": {"worker": ["host:port", ...]}, "task":'
        ' {"type": "worker", "index": 0, 1, ...}}'
    )
