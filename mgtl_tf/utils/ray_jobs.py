"""Jobs that Ray spreads over a cluster, or over this machine's cores."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.reduction import ForkingPickler
from typing import Any, TypeVar

import cv2
import numpy as np

from mgtl_tf.utils.errors import UserError
from polar.parallel import keep_freed_memory

Job = TypeVar("Job")
Result = TypeVar("Result")

_PATIENCE = 10.0  # seconds that a cluster's head may take to answer


def connect_ray(address: str = "") -> None:
    """Joins a Ray cluster, or starts Ray on this machine until it exits.

    Args:
        address: of the cluster, HOST:PORT; "" starts Ray here.

    Raises:
        UserError: where Ray is not installed or does not start, or there is
            no such cluster.
    """
    # Ray would send statistics of its use, and tell of itself on the screen.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise UserError(
            "runner=ray: Ray is not installed; give pip install -e '.[ray]'"
        ) from error
    if ray.is_initialized():
        return
    here: dict[str, Any] = {} if address else {"include_dashboard": False}
    try:
        if address:
            _require_listener(address)
        ray.init(
            address=address or "local",
            logging_level=logging.ERROR,
            log_to_driver=False,
            **here,
        )
    # Ray raises a plain Exception where its processes start too slowly.
    except Exception as error:
        line = (str(error).splitlines() or ["unknown"])[0]
        if not address:
            raise UserError(
                f"runner=ray: Ray does not start on this machine ({line}); give"
                " the command again when less is running, or runner=local"
            ) from error
        raise UserError(
            f"ray_address={address}: no Ray cluster answers there ({line});"
            " start one by ray start --head, or give no ray_address"
        ) from error


def by_ray(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    most: int | None = None,
) -> Iterator[Result]:
    """Results of every job, in their order.

    Each core of the cluster (or each GPU, where it has some) has an actor,
    which calls the function for one job after the other, in this process'
    working folder. Jobs of an actor or a node that died are done again by
    others.

    Args:
        function: picklable; what it opens at its first call stays open.
        jobs: all of them, picklable, each small.
        most: actors at once; None: as many as there are cores or GPUs.

    Raises:
        UserError, OSError: what the function raised.
        UserError: where the cluster is lost.
    """
    import ray
    import ray.data

    if not jobs:
        return
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    found = ray.cluster_resources()
    kind = "GPU" if found.get("GPU", 0) >= 1 else "CPU"
    each: dict[str, Any] = {"num_gpus" if kind == "GPU" else "num_cpus": 1}
    there = int(found.get(kind, 1))
    actors = max(1, min(there, len(jobs), most or there))
    packed = _packed((os.getcwd(), function))
    items = [{"function": packed, "job": _packed(job)} for job in jobs]
    results = (
        ray.data.from_items(items, override_num_blocks=len(items))
        .map_batches(
            _Calls,
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors),
            **each,
        )
        .iter_batches(batch_size=None, prefetch_batches=0)
    )
    try:
        for batch in results:
            for answer in batch["result"]:
                result = ForkingPickler.loads(answer)
                if isinstance(result, Exception):
                    raise result
                yield result
    except ray.exceptions.RayError as error:
        line = (str(error).splitlines() or ["unknown"])[0]
        raise UserError(
            f"Ray gave up ({line}); the same command resumes"
        ) from error


def _require_listener(address: str) -> None:
    """Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), _PATIENCE).close()


class _Calls:
    """Calls of one function, in an actor."""

    def __init__(self):
        # Not as an argument: an actor that is made again may find none.
        self._packed, self._function = b"", None
        # As many actors as cores: each uses one.
        cv2.setNumThreads(1)
        keep_freed_memory()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        (packed,), (job,) = batch["function"], batch["job"]
        if packed != self._packed:
            folder, self._function = ForkingPickler.loads(packed)
            os.chdir(folder)
            self._packed = packed
        try:
            answer = self._function(ForkingPickler.loads(job))
        except (UserError, OSError) as error:
            answer = error
        return {"result": np.array([_packed(answer)], object)}


def _packed(value: Any) -> bytes:
    return bytes(ForkingPickler.dumps(value))
