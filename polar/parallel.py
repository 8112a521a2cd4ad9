"""Work spread over processes, each as fast as one core allows."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import multiprocessing.connection
import os
import pkgutil
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, TypeVar

import cv2

Job = TypeVar("Job")
Result = TypeVar("Result")

# Jobs handed out ahead for each process: results do not pile up in memory.
_AHEAD = 4

# glibc's names (malloc.h) for when memory goes back to the system; the
# second takes no more than 32 MiB.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES, _KEPT_ARRAY_BYTES = 2**28, 2**25

_START = threading.Lock()


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
        WorkerDiedError: when a process died, with what it died of.
        ValueError: for a function of the program's main file.
    """
    count = min(processes or usable_cores(), len(jobs))
    if count <= 1:
        yield from map(function, jobs)
        return
    with worker_pool(count) as pool:
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


class WorkerDiedError(RuntimeError):
    """A process ended before its work was done; the message says why."""


@contextlib.contextmanager
def worker_pool(processes: int) -> Iterator[futures.Executor]:
    """Processes that use one core each and do not outlive this one.

    Ctrl-C reaches only this process, which lets begun tasks finish.

    Yields:
        An executor of functions that can be imported by name.

    Raises:
        WorkerDiedError: when one died, with what it died of.
    """
    context = MainlessContext()
    pool = _Pool(processes, mp_context=context, initializer=_begin_worker)
    try:
        yield pool
    except BrokenProcessPool as error:
        pool.shutdown(wait=True, cancel_futures=True)
        raise WorkerDiedError(_cause(context.started)) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _cause(workers: Sequence[SpawnProcess]) -> str:
    """What the first to die died of; the others were then ended (SIGTERM)."""
    codes = [worker.exitcode or 0 for worker in workers]
    others = (0, -signal.SIGTERM)
    code = next((c for c in codes if c not in others), min(codes, default=0))
    if code == -signal.SIGKILL:
        return (
            "a worker process was killed (SIGKILL), as systems do when memory"
            " runs out; stop other programs, or use fewer processes"
        )
    if code < 0:
        name = signal.Signals(-code).name
        return f"a worker process was ended by the signal {name}"
    return (
        f"a worker process ended by itself with exit status {code}; its own"
        " message stands above"
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


class MainlessContext(SpawnContext):
    """Makes processes that do not import the program's main file again.

    A script needs no `if __name__ == "__main__"` around what starts them.
    They are spawned: TensorFlow's threads do not survive a fork.

    Attributes:
        started: the processes so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.started: list[SpawnProcess] = []

    def Process(self, *given: Any, **named: Any) -> SpawnProcess:  # type: ignore[override]
        """A process, not started yet."""
        self.started.append(_MainlessProcess(*given, **named))
        return self.started[-1]


class _MainlessProcess(SpawnProcess):
    def start(self) -> None:
        with _START:
            main = sys.modules["__main__"]
            sys.modules["__main__"] = types.ModuleType("__main__")
            try:
                with _interrupted_later():
                    super().start()
            finally:
                sys.modules["__main__"] = main


@contextlib.contextmanager
def _interrupted_later() -> Iterator[None]:
    """Ctrl-C takes effect at the end of the context.

    A process that is started in it inherits that the signal is blocked: it
    imports for seconds before its own code could ignore it. And it is sent all
    that it needs to start, without which it would end with a traceback: that
    this thread blocks the signal is not enough, since another may receive it.
    """
    came: list[int] = []
    handler = None
    if threading.current_thread() is threading.main_thread():
        handler = signal.signal(signal.SIGINT, lambda n, _: came.append(n))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if handler is not None:
            signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


class _Pool(futures.ProcessPoolExecutor):
    def submit(
        self, function: Callable, /, *given: Any, **named: Any
    ) -> futures.Future:
        defined = getattr(function, "func", function)
        if getattr(defined, "__module__", None) == "__main__":
            raise ValueError(
                f"{function}: is defined in the program's main file, which"
                " workers do not import; move it to a module"
            )
        # Unpickled by the job itself: a failing import is then its exception,
        # and does not end the process.
        packed = bytes(ForkingPickler.dumps((function, given, named)))
        # It may start a process, and knows of it only at its end.
        with _interrupted_later():
            return super().submit(_unpacked, packed)


def _unpacked(packed: bytes) -> Any:
    function, given, named = ForkingPickler.loads(packed)
    return function(*given, **named)


def call_by_name(name: str, *given: Any) -> Any:
    """Calls the function of a name such as "polar.parallel:usable_cores".

    As a process's target: what `multiprocessing.parent_process()` decides
    while a module is imported is decided rightly only once the process runs.
    """
    return pkgutil.resolve_name(name)(*given)


def _begin_worker() -> None:
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
