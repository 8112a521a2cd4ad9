"""Starts programs as forks of a process that has TensorFlow loaded.

Each is a process of its own, of its own arguments, environment and streams,
killed and left as any other; only the seconds of importing TensorFlow, whose
runtime starts after the fork, Keras and the workflows are spent once. What is
decided while Python or TensorFlow is loaded is shared: the order of sets, what
TF_ENABLE_ONEDNN_OPTS says. Tests of that start `python -m` themselves. See
tests/programs.py.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys

import numpy as np
from absl import app

from mgtl_tf.utils.tf_setup import load_tensorflow

WORKFLOWS = ("train", "evaluate", "export", "index", "locate")


def serve(control):
    """Answers requests until the tests have ended; in each fork, its request.

    A request is {"argv", "environment"} with stdout, stderr and a socket,
    which is told the program's process id and, later, its wait status.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, files, *_ = socket.recv_fds(control, 1 << 20, 3)
        if not message:
            return None
        if not os.fork():
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _watched(json.loads(message), *files)
        for file in files:
            os.close(file)


def _watched(request, out, err, told):
    """In the program: its request. The process above it tells its end."""
    program = os.fork()
    if program:
        os.close(out)
        os.close(err)
        os.write(told, program.to_bytes(4, sys.byteorder))
        status = os.waitpid(program, 0)[1]
        os.write(told, status.to_bytes(4, sys.byteorder))
        os._exit(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(out, 1)
    os.dup2(err, 2)
    for file in (out, err, told):
        os.close(file)
    return request


def become(request):
    """Does what `python -m` does with these arguments."""
    os.environ.clear()
    os.environ.update(request["environment"])
    np.random.seed()
    sys.argv = request["argv"]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    load_tensorflow(devices=False)
    for workflow in WORKFLOWS:
        importlib.import_module(f"mgtl_tf.workflows.{workflow}")
    # TensorFlow's own tests look for devices when a program begins.
    app._init_callbacks.clear()
    # No fork looks through what all have, nor copies it for that.
    gc.freeze()
    asked = serve(socket.socket(fileno=int(sys.argv[1])))
    if asked:
        become(asked)
