"""A function asked in a process of its own that is watched and ended."""

from __future__ import annotations

import multiprocessing
import resource
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mgtl_tf.utils.errors import UserError

_SPARE = 2**33
Said = tuple[str, Any, float, int]
"""What became of it ("answer", "refused", "traceback", "hang", "killed"), the
answer or the words, seconds, and bytes of memory at most."""


class Watched:
    """A process that answers one question after the other.

    Args:
        begin: called once in the process; gives the function that answers.
            Nothing of TensorFlow may have run before in this one.
        seconds: how long an answer may take.
    """

    def __init__(self, begin: Callable[[], Callable[[], Any]], seconds: float):
        self._begin = begin
        self._seconds = seconds
        self._process: Any = None

    def ask(self) -> Said:
        """Asks once; the process is begun anew where the last one ended."""
        if self._process is None:
            self._start()
        begun = time.perf_counter()
        self._pipe.send("go")
        if not self._pipe.poll(self._seconds):
            self.close()
            return "hang", "", time.perf_counter() - begun, 0
        try:
            said = self._pipe.recv()
        except EOFError:
            status = self._process.exitcode
            self.close()
            return "killed", f"exit {status}", time.perf_counter() - begun, 0
        return said

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None

    def _start(self) -> None:
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        # No daemon, since reading a MATLAB file starts a process.
        self._process = context.Process(
            target=_answer, args=(self._begin, theirs)
        )
        self._process.start()
        theirs.close()
        if not self._pipe.poll(300) or self._pipe.recv() != "ready":
            raise RuntimeError("the process did not begin")


def _answer(begin: Callable[[], Callable[[], Any]], pipe: Connection) -> None:
    read = begin()
    pipe.send("ready")
    held = _memory("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (held + _SPARE, held + _SPARE))
    while True:
        pipe.recv()
        Path("/proc/self/clear_refs").write_text("5")  # Forgets the peak.
        before, begun = _memory("VmRSS"), time.perf_counter()
        kind, words = outcome_of(read)
        seconds = time.perf_counter() - begun
        pipe.send((kind, words, seconds, _memory("VmHWM") - before))


def outcome_of(read: Callable[[], Any]) -> tuple[str, Any]:
    """What became of a reading, and the answer or the words."""
    try:
        return "answer", read()
    except UserError as error:
        return "refused", str(error)
    except OSError as error:
        # As `polar.program` tells them.
        if error.filename is None:
            return "traceback", traceback.format_exc()
        return "refused", f"{error.filename}: {error.strerror}"
    except BaseException:
        return "traceback", traceback.format_exc()


def _memory(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    return 0
