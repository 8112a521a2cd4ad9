"""Importing Keras and TensorFlow without their start-up lines.

TensorFlow's libraries write to the process's stderr while they start,
before any setting can reach them. A program whose failure is one line on
stderr loads TensorFlow through here.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from polar.parallel import usable_cores

FEW_CORES = 4


def share_cores_between_views() -> None:
    """Lets the two views' branches run side by side where cores are few.

    Must come before TensorFlow looks for its devices; settings in the
    environment stay as they are.
    """
    cores = usable_cores()
    if 2 <= cores <= FEW_CORES:
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(cores // 2))


def load_keras() -> None:
    """Imports Keras and its backend silently; no device is looked for.

    TF_CPP_MIN_LOG_LEVEL=0 in the environment shows everything. oneDNN's
    kernels are switched on (without AVX-512 TensorFlow leaves them off, at
    two thirds of the speed) unless TF_ENABLE_ONEDNN_OPTS=0 is set.
    """
    _import_silently("keras")


def load_tensorflow(devices: bool = True) -> None:
    """Imports TensorFlow as `load_keras` imports Keras, which stays out.

    Args:
        devices: whether devices are looked for; they must not be where
            several workers compute together, as their servers start first.
    """
    _import_silently("tensorflow")
    if devices:
        with _stderr_held_back():
            sys.modules["tensorflow"].config.list_logical_devices()


def _import_silently(name: str) -> None:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _stderr_held_back():
        importlib.import_module(name)


@contextmanager
def _stderr_held_back() -> Iterator[None]:
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        yield
        return
    # The descriptor itself, not sys.stderr: the lines come from C++.
    try:
        own = sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):
        yield
        return
    sys.stderr.flush()
    kept = os.dup(own)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), own)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, own)
            os.close(kept)
