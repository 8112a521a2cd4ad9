"""What tests need of a processor, and of the instructions left to it."""

import os
from pathlib import Path

import pytest

_LOWER = {"SSE41", "AVX", "AVX2", "AVX2_VNNI"}


def _bfloat16_fails():
    """TensorFlow asks the processor whether oneDNN may compute in bfloat16.

    With AVX-512 it may, but not once ONEDNN_MAX_CPU_ISA has taken that away:
    then convolutions abort and products of matrices end the process. No real
    processor is like that: one without AVX-512 does without oneDNN there.
    """
    path = Path("/proc/cpuinfo")
    words = set(path.read_text().split()) if path.is_file() else set()
    asked = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    return "avx512f" in words and asked in _LOWER


needs_bfloat16 = pytest.mark.skipif(
    _bfloat16_fails(),
    reason="ONEDNN_MAX_CPU_ISA takes bfloat16 from oneDNN but not from"
    " TensorFlow on this processor; real ones without AVX-512 run this test",
)
