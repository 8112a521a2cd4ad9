"""The machine of a run: versions, hardware, the precision it computes."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from mgtl_tf.utils.json_files import read_json

# Without these a CPU emulates bfloat16: convolution gradients then take
# about fifteen times as long as in float32.
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
# What ONEDNN_MAX_CPU_ISA may be set to that leaves oneDNN without them.
_WITHOUT_BFLOAT16 = {
    "SSE41",
    "AVX",
    "AVX2",
    "AVX2_VNNI",
    "AVX512_CORE",
    "AVX512_CORE_VNNI",
}


def resolve_dtype_policy(name: str) -> str:
    """The policy that "auto" stands for on this hardware; others unchanged.

    Warns of bfloat16 on a processor that would emulate it.

    Returns:
        mixed_bfloat16 on GPUs from compute capability 8.0 on and on
        processors with bfloat16 instructions, mixed_float16 on GPUs from
        7.0 on, else float32.
    """
    if name not in ("auto", "mixed_bfloat16"):
        return name
    gpus = tf.config.list_physical_devices("GPU")
    emulated = not gpus and not _cpu_has_bfloat16()
    if name == "mixed_bfloat16":
        if emulated:
            logging.warning(
                "dtype_policy=mixed_bfloat16: this processor has no bfloat16"
                " instructions; float32 would be several times as fast"
            )
        return name
    if not gpus:
        return "float32" if emulated else "mixed_bfloat16"
    details = [tf.config.experimental.get_device_details(g) for g in gpus]
    weakest = min(d.get("compute_capability", (0, 0)) for d in details)
    if weakest >= (8, 0):
        return "mixed_bfloat16"
    return "mixed_float16" if weakest >= (7, 0) else "float32"


def _cpu_has_bfloat16() -> bool:
    asked = os.environ.get("ONEDNN_MAX_CPU_ISA", "")
    if asked.upper() in _WITHOUT_BFLOAT16:
        return False
    path = Path("/proc/cpuinfo")
    words = set(path.read_text().split()) if path.is_file() else set()
    return bool(words & _BFLOAT16_FLAGS)


def set_determinism(seed: int, deterministic: bool) -> None:
    """Seeds Python, NumPy and TensorFlow, and fixes operations if asked."""
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


@dataclass(frozen=True)
class Environment:
    """What environment.json of a run must hold; it may hold more."""

    tensorflow: str
    keras: str
    processor: str
    cores: int | None
    gpus: list[str]


def read_environment(run_dir: Path | str) -> dict[str, Any]:
    """`describe` as it was when a run was begun.

    Raises:
        UserError: where environment.json is missing or damaged.
    """
    path, remedy = Path(run_dir) / "environment.json", "remove the run"
    read_json(path, Environment, remedy)
    return read_json(path, dict[str, Any], remedy)


def describe() -> dict[str, Any]:
    """Versions and hardware, for the report and the run folder."""
    gpus = tf.config.list_physical_devices("GPU")
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "gpus": [
            tf.config.experimental.get_device_details(g).get("device_name", "?")
            for g in gpus
        ],
        "command": " ".join(sys.orig_argv[1:]),
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
