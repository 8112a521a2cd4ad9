"""How many images are encoded together when nobody says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Of VGG-16's first block, the widest: its maps and the workspace of its
# convolutions that are alive at the same time.
_MAPS = 6
_FIRST_CHANNELS = 64
_SHARE = 8
_MOST = 128


def automatic_batch_size(details: Mapping[str, Any]) -> int:
    """A power of two of images that take an eighth of the memory at most.

    The same on every call on a machine, so that an index that is gone on
    with has the batches that it would have had.

    Args:
        details: model.json of the model.

    Returns:
        1 to 128.
    """
    height, width = details.get("image_size", (112, 616))
    model = details.get("config", {}).get("model", {})
    channels = _FIRST_CHANNELS * model.get("width_multiplier", 1.0)
    image_bytes = 4 * height * width * max(channels, 3) * _MAPS
    fitting = memory_bytes() / _SHARE / image_bytes
    size = 1
    while size < _MOST and 2 * size <= fitting:
        size *= 2
    return size


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
