"""Work spread over processes, each as fast as one core allows."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent import futures
from itertools import islice
from typing import Any
from typing import TypeVar

import cv2

Job = TypeVar("Job")
Result = TypeVar("Result")

# Jobs handed out ahead for each process: none waits for work, and results
# do not pile up in memory.
_AHEAD = 4

# glibc's names (malloc.h) for when memory goes back to the system; the
# second takes no more than 32 MiB.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES, _KEPT_ARRAY_BYTES = 2**28, 2**25


def in_parallel(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    processes: int | None = None,
) -> Iterator[Result]:
    """Results of every job, as they come.

    Args:
        function: importable by name; gets one job.
        jobs: all of them, each small: it is sent to its process.
        processes: how many work at a time; default one a core. With one,
            the work is done right here.

    Raises:
        concurrent.futures.process.BrokenProcessPool: when a process died.
    """
    count = min(processes or usable_cores(), len(jobs))
    if count <= 1:
        yield from map(function, jobs)
        return
    pool = worker_pool(count)
    try:
        queue = iter(jobs)
        running = {
            pool.submit(function, job) for job in islice(queue, _AHEAD * count)
        }
        while running:
            done, running = futures.wait(
                running, return_when=futures.FIRST_COMPLETED
            )
            for job in islice(queue, len(done)):
                running.add(pool.submit(function, job))
            for task in done:
                yield task.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def worker_pool(processes: int) -> futures.ProcessPoolExecutor:
    """Processes that use one core each and do not outlive this one.

    Ctrl-C reaches only this process, which lets begun tasks finish.
    """
    # Spawned, not forked: TensorFlow's threads do not survive a fork.
    return _Pool(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_worker,
    )


def usable_cores() -> int:
    """The cores this process may use; a container may have few of many."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_freed_memory() -> None:
    """Lets an image take the memory that the one before it gave back.

    By default every large array is fresh from the system, page by page,
    which costs as much as decoding the JPEG that goes into it.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return  # Not glibc: its own defaults stay.
    set_option(_MMAP_THRESHOLD, _KEPT_ARRAY_BYTES)
    set_option(_TRIM_THRESHOLD, _KEPT_BYTES)


class _Pool(futures.ProcessPoolExecutor):
    """Starts its processes deaf to Ctrl-C, from their first instruction."""

    def submit(self, *work: Any, **named: Any) -> futures.Future:
        """As its base's; this may start a process."""
        with _interrupts_held():
            return super().submit(*work, **named)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits; a process that is started now never gets it.

    A process inherits what is blocked. It imports for seconds before its
    own code could ignore the signal, and would end with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows.
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker() -> None:
    """Runs first in each process."""
    cv2.setNumThreads(1)
    keep_freed_memory()
    # Ctrl-C is the parent's to handle: it lets begun jobs finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """Ends this process when its parent is killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
