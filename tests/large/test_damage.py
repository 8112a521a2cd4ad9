"""Damaged images: what `prepare` reports, and what its reader does not see.

    DAMAGED=300 PAIRS=2000 FILES=40 SEED=0 python -m pytest -s --run-large \
        tests/large/test_damage.py

Damage counts where more than 2 % of the pixels differ by more than 16 levels
in what is read. A single bit of a JPEG's entropy-coded data has no checksum:
it may shift brightness, and every code still be a code.
"""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.workflows.prepare import prepare
from mgtl_tf.workflows.world import make_world
from polar.image_files import decode, read_image
from tests.large import damaged_world

DAMAGED = int(os.environ.get("DAMAGED", 300))
PAIRS = int(os.environ.get("PAIRS", 2000))
FILES = int(os.environ.get("FILES", 40))
EACH = 5
SEED = int(os.environ.get("SEED", 0))

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


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damage") / "world"
    settings = WorldSettings(
        train_pairs=PAIRS,
        val_pairs=20,
        aerial_size=128,
        ground_height=64,
        ground_width=320,
    )
    make_world(settings, folder, os.cpu_count() or 1, progress=False)
    return folder


@pytest.mark.large
def test_every_damaged_image_is_reported(world, tmp_path):
    size = (112, 616)
    pairs = damaged_world.copy_world(world, tmp_path / "w")
    damaged = damaged_world.damage(pairs, DAMAGED, random.Random(SEED))
    settings = CacheSettings("procedural", size, (0.0, 1.0))
    done = prepare(tmp_path / "w", tmp_path / "p", settings)
    wrong = damaged_world.wrong_lines(done.report, damaged)
    cache = tmp_path / "p/train"
    wrong += damaged_world.wrong_pixels(cache, pairs, damaged, size)
    print(
        f"\n{len(damaged)} files damaged in {len(damaged_world.kinds())} ways:"
        f" {len(done.problems)} reported, {done.left_out} pairs left"
        f" out of {done.pairs}; {len(wrong)} things wrong"
    )
    assert wrong == []


@pytest.mark.large
def test_damage_that_shows_is_seen(world):
    """But for single bits of a JPEG, and two blocks of other bytes."""
    chance = np.random.default_rng(SEED)
    paths = sorted(world.rglob("streetview/**/*.jpg"))[:FILES]
    images = [read_image(path) for path in paths]
    totals = dict.fromkeys(DAMAGES, 0)
    for name, (kind, options) in FORMATS.items():
        counts = dict.fromkeys(DAMAGES, 0)
        for image in images:
            file = io.BytesIO()
            Image.fromarray(image).save(file, kind, **options)
            data = file.getvalue()
            for way, damage in DAMAGES.items():
                for _ in range(EACH):
                    damaged = damage(data, *body(data), chance)
                    counts[way] += unseen(data, damaged)
        shown = ", ".join(f"{way} {count}" for way, count in counts.items())
        print(f"{name}: unseen of {len(images) * EACH}: {shown}", flush=True)
        for way, count in counts.items():
            totals[way] += count
            assert way != "one bit" or "JPEG" in name or not count
    tries = len(FORMATS) * len(images) * EACH
    assert totals["zeros inside"] == totals["zeros to the end"] == 0
    assert totals["cut, with its end"] + totals["512 other bytes"] < tries / 100
