"""How often damage that is seen in a picture is not seen by its reader.

    python -m benchmarks.unseen_damage --images=FOLDER [--files=40]

Files of a folder are written anew in each format, damaged in five ways, and
read. Damage counts where more than 2 % of the pixels differ by more than 16
levels in what is read. A single bit of a JPEG's entropy-coded data has no
checksum: it may shift brightness, and every code still be a code.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from absl import app, flags
from PIL import Image

from polar.image_files import decode, read_image

Damage = Callable[[bytes, int, int, np.random.Generator], bytes]

FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("JPEG", {"quality": 90}),
    "JPEG, progressive": ("JPEG", {"progressive": True}),
    "JPEG, restarts": ("JPEG", {"restart_marker_blocks": 10}),
    "JPEG, optimized": ("JPEG", {"optimize": True}),
    "PNG": ("PNG", {}),
    "TIFF, LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "TIFF, Deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "TIFF, PackBits": ("TIFF", {"compression": "packbits"}),
}


def _zeros(
    data: bytes, first: int, last: int, chance: np.random.Generator
) -> bytes:
    start = chance.integers(first, (first + last) // 2)
    count = chance.integers((last - first) // 50, (last - first) // 2)
    return data[:start] + bytes(count) + data[start + count :]


def _zeros_to_end(
    data: bytes, first: int, last: int, chance: np.random.Generator
) -> bytes:
    start = chance.integers(first, last)
    return data[:start] + bytes(last - start) + data[last:]


def _cut(
    data: bytes, first: int, last: int, chance: np.random.Generator
) -> bytes:
    return data[: chance.integers(first, last)] + data[last:]


def _block(
    data: bytes, first: int, last: int, chance: np.random.Generator
) -> bytes:
    start = chance.integers(first, max(last - 512, first + 1))
    return data[:start] + chance.bytes(512) + data[start + 512 :]


def _bit(
    data: bytes, first: int, last: int, chance: np.random.Generator
) -> bytes:
    changed = bytearray(data)
    changed[chance.integers(first, last)] ^= 1 << int(chance.integers(8))
    return bytes(changed)


DAMAGES: dict[str, Damage] = {
    "zeros inside": _zeros,
    "zeros to the end": _zeros_to_end,
    "cut, with its end": _cut,
    "512 other bytes": _block,
    "one bit": _bit,
}


def body(data: bytes) -> tuple[int, int]:
    """First and last byte of what the pixels are made of, about."""
    if data.startswith(b"\xff\xd8"):
        return data.find(b"\xff\xda") + 14, len(data) - 2
    return (60, len(data) - 20) if data[1:4] == b"PNG" else (8, len(data) - 600)


def unseen(data: bytes, damaged: bytes) -> bool:
    """Whether damage is taken for sound, and shows."""
    try:
        found = decode(damaged).astype(int)
    except ValueError:
        return False
    sound = decode(data)
    if found.shape != sound.shape:
        return True
    return bool((np.abs(found - sound).max(axis=-1) > 16).mean() > 0.02)


def main(argv: list[str]) -> None:
    """Prints a line a format: how many of each damage went unseen."""
    del argv
    chance = np.random.default_rng(flags.FLAGS.seed)
    paths = sorted(Path(flags.FLAGS.images).rglob("*.jpg"))
    images = [read_image(path) for path in paths[: flags.FLAGS.files]]
    for name, (kind, options) in FORMATS.items():
        counts = dict.fromkeys(DAMAGES, 0)
        for image in images:
            file = io.BytesIO()
            Image.fromarray(image).save(file, kind, **options)
            data = file.getvalue()
            for way, damage in DAMAGES.items():
                for _ in range(flags.FLAGS.each):
                    damaged = damage(data, *body(data), chance)
                    counts[way] += unseen(data, damaged)
        told = ", ".join(f"{way} {count}" for way, count in counts.items())
        total = len(images) * flags.FLAGS.each
        print(f"{name}: unseen of {total}: {told}", flush=True)


if __name__ == "__main__":
    # Here, as tests import several benchmarks whose flags share names.
    flags.DEFINE_string("images", None, "folder of JPEG files", required=True)
    flags.DEFINE_integer("files", 40, "of the folder", 1)
    flags.DEFINE_integer("each", 5, "tries a file and damage", 1)
    flags.DEFINE_integer("seed", 0, "decides where files are damaged")
    app.run(main)
