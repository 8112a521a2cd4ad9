"""Damaged images: what `prepare` reports, and what its reader does not see.

    DAMAGED=300 PAIRS=2000 FILES=40 SEED=0 python -m pytest -s --run-large \
        tests/large/test_damage.py

Damage counts where more than 2 % of the pixels differ by more than 16 levels
in what is read. A single bit of a JPEG's entropy-coded data has no checksum:
it may shift brightness, and every code still be a code.
"""

from __future__ import annotations

import os
import random
from collections import Counter

import numpy as np
import pytest

from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.workflows.prepare import prepare
from mgtl_tf.workflows.world import make_world
from polar.image_files import decode, read_image
from tests.large import damaged_world
from tests.polar.sound_images import DAMAGES, JPEGS, OTHERS, flipped

DAMAGED = int(os.environ.get("DAMAGED", 300))
PAIRS = int(os.environ.get("PAIRS", 2000))
FILES = int(os.environ.get("FILES", 40))
EACH = 5
SEED = int(os.environ.get("SEED", 0))

FORMATS = {
    name: {**JPEGS, **OTHERS}[name]
    for name in (
        *("baseline", "progressive", "restarts", "optimized"),
        *("PNG", "TIFF LZW", "TIFF Deflate", "TIFF PackBits"),
    )
}


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
    totals = Counter()
    for name, write in FORMATS.items():
        counts = Counter()
        for data in map(write, images):
            for damage in (*DAMAGES, flipped):
                for _ in range(EACH):
                    hidden = unseen(data, damage(data, chance))
                    counts[damage.__name__] += hidden
        print(f"{name}: unseen of {len(images) * EACH}: {dict(counts)}")
        assert name in JPEGS or not counts["flipped"]
        totals += counts
    tries = len(FORMATS) * len(images) * EACH
    assert totals["zeros_inside"] == totals["zeros_to_the_end"] == 0
    assert totals["cut_with_its_end"] + totals["another_block"] < tries / 100
