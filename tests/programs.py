"""Programs of this project as tests start them: see tests/program_server.py."""

import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Program:
    """A started program, with what tests use of `subprocess.Popen`."""

    def __init__(self, argv, environment, server=0):
        self.args = argv
        self.returncode = None
        self._streams = [tempfile.TemporaryFile("w+") for _ in range(2)]
        self._told, told = os.pipe()
        request = json.dumps({"argv": argv, "environment": environment})
        files = [*(stream.fileno() for stream in self._streams), told]
        socket.send_fds(_server(server), [request.encode()], files)
        os.close(told)
        self.pid = self._number()

    def _number(self):
        return int.from_bytes(os.read(self._told, 4), sys.byteorder)

    def poll(self):
        """The exit status, or None while it runs."""
        if (
            self.returncode is None
            and select.select([self._told], [], [], 0)[0]
        ):
            self.returncode = os.waitstatus_to_exitcode(self._number())
            os.close(self._told)
        return self.returncode

    def communicate(self, timeout=None):
        """What it wrote to stdout and to stderr, once it has ended."""
        if self.returncode is None:
            select.select([self._told], [], [], timeout)
            if self.poll() is None:
                raise subprocess.TimeoutExpired(self.args, timeout)
        for stream in self._streams:
            stream.seek(0)
        said = tuple(stream.read() for stream in self._streams)
        for stream in self._streams:
            stream.close()
        return said

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def start(module, *arguments, server=0, **environment):
    """`python -m MODULE ARGUMENTS` in the project's folder.

    Forks of two servers have sets of another order.
    """
    argv = [module, *map(str, arguments)]
    return Program(argv, {**os.environ, **environment}, server)


def run(module, *arguments, timeout=240, **environment):
    """The same, to its end: a `subprocess.CompletedProcess`."""
    program = start(module, *arguments, **environment)
    try:
        out, err = program.communicate(timeout)
    finally:
        program.kill()
    return subprocess.CompletedProcess(
        program.args, program.returncode, out, err
    )


def fresh(module, *arguments, timeout=240):
    """From nothing, as a user does: for what is said while it loads, too."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@functools.cache
def _server(number):
    """The end of a socket at whose other end forks are made."""
    own, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.program_server", str(its.fileno())],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[its.fileno()],
    )
    its.close()

    def stop():
        own.close()
        process.wait()

    atexit.register(stop)
    return own
