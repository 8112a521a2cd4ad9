"""How many images are encoded together by default."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Measured by benchmarks/batch_memory.py: maps of VGG-16's first block, the
# widest, that are alive at the same time, and images in float32 before it.
_MAPS = 3
_PICTURES = 4
_FIRST_CHANNELS = 64
_FLOAT32 = 4
_SHARE = 8
_MOST = 128


def automatic_batch_size(details: Mapping[str, Any]) -> int:
    """A power of two of images that take an eighth of the memory at most.

    The same on every call on a machine: a resumed index has the batches of an
    uninterrupted one.

    Args:
        details: model.json of the model.

    Returns:
        1 to 128.
    """
    fitting = memory_bytes() / _SHARE / image_bytes(details)
    size = 1
    while size < _MOST and 2 * size <= fitting:
        size *= 2
    return size


def image_bytes(details: Mapping[str, Any]) -> float:
    """Bytes that each image of a batch takes while it is encoded."""
    sizes = (details.get(name) for name in ("image_size", "satellite_size"))
    pixels = max(map(math.prod, filter(None, sizes)), default=112 * 616)
    model = details.get("config", {}).get("model", {})
    channels = _FIRST_CHANNELS * model.get("width_multiplier", 1.0)
    return _FLOAT32 * pixels * (_MAPS * channels + 3 * _PICTURES)


def memory_bytes() -> int:
    """The memory this process may use: the machine's, or its container's."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            text = (Path("/sys/fs/cgroup") / name).read_text().strip()
        except OSError:
            continue
        if text.isdecimal():
            total = min(total, int(text))
    return total
