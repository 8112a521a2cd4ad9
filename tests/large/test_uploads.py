"""Hundreds of bad uploads to a page that keeps answering.

    UPLOADS=500 SEED=0 python -m pytest -s --run-large \
        tests/large/test_uploads.py

The page is a program of its own. Each upload must get a status that its kind
allows, and within 5 s; another client, which asks with a sound panorama all
the while, must be answered, as /health must be; memory must stay within a
bound; and in the end the sound panorama must get its first answer.
"""

from __future__ import annotations

import dataclasses
import os
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.large.served_page import Address, Watch, answers, memory, served
from tests.large.upload_kinds import KINDS, upload
from tests.serving import test_served

folder = test_served.folder

UPLOADS = int(os.environ.get("UPLOADS", 500))
SEED = int(os.environ.get("SEED", 0))

MOST_SECONDS = 5.0
"""That any answer may take."""

MOST_MEMORY_GROWTH = 2.5
"""GiB over what the page takes after its first answer: the largest image
that is let in has 0.2 GB as bytes and 0.8 GB as the model's float32."""

_OTHER = "127.0.0.2"
_ATTACKERS = ("127.0.0.3", "127.0.0.4")


def _attack(
    page: Address, names: list[str], sound: bytes, seed: int
) -> tuple[list[str], tuple[float, str]]:
    """Sends all, six at a time; what was wrong, and the slowest answer."""

    def send(number: int) -> tuple[str | None, tuple[float, str]]:
        source = _ATTACKERS[number % len(_ATTACKERS)]
        own = dataclasses.replace(page, source=source, seconds=[])
        name = names[number]
        said = upload(own, name, random.Random(seed + number), sound)
        return said, (max(own.seconds, default=0.0), name)

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(send, range(len(names))))
    counted = Counter(line for line, _ in found if line)
    lines = [f"{n} x {line}" for line, n in counted.items()]
    return lines, max(slowest for _, slowest in found)


@pytest.mark.large
def test_the_page_survives_bad_uploads(folder):
    sound = (folder / "panorama.jpg").read_bytes()
    names = [list(KINDS)[i % len(KINDS)] for i in range(UPLOADS)]
    random.Random(SEED).shuffle(names)
    arguments = f"--model={folder}/export", f"--gallery={folder}/index"
    with served(*arguments) as (page, pid):
        first, before = answers(page, sound), memory(pid)
        other = dataclasses.replace(page, source=_OTHER, seconds=[])
        watch = Watch(other, pid, sound)
        with watch.watching():
            wrong, slowest = _attack(page, names, sound, SEED)
        peak, after = memory(pid, "VmHWM"), memory(pid)
        last = answers(page, sound)
    print(
        f"\n{len(names)} uploads of {len(KINDS)} kinds: {len(wrong)} things"
        f" wrong; longest answer {slowest[0]:.2f} s ({slowest[1]})"
    )
    print(
        f"another client: {len(watch.waits)} sound panoramas,"
        f" {watch.refused} refused, longest wait {max(watch.waits):.2f} s;"
        f" /health {max(watch.health):.2f} s at most"
    )
    print(
        f"memory: server {before:.2f} GiB before, {peak:.2f} at most,"
        f" {after:.2f} after; with its processes {watch.most:.2f} at most, the"
        f" largest of these {watch.most_of_one:.2f}"
    )
    assert wrong == []
    assert last == first
    assert watch.most - before <= MOST_MEMORY_GROWTH
    assert slowest[0] <= MOST_SECONDS
