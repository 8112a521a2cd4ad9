"""Sends 500 bad uploads to the page and sees whether it keeps answering.

    python -m benchmarks.fuzz_uploads --model=export --gallery=index \
        --panorama=panorama.jpg [--uploads=500]

The page is started as a program of its own. Each upload must get a status
that its kind allows, and within 5 s; another client, which asks with a sound
panorama all the while, must be answered, as /health must be; memory must
stay within a bound; and in the end the sound panorama must get the answer
that it got in the beginning.
"""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from absl import app, flags

from benchmarks.served_page import Address, Watch, answers, memory, served
from benchmarks.upload_kinds import KINDS, upload

MOST_SECONDS = 5.0
"""That any answer may take."""

MOST_MEMORY_GROWTH = 2.5
"""GiB over what the page takes after its first answer: the largest image
that is let in has 0.2 GB as bytes and 0.8 GB as the model's float32."""

_OTHER = "127.0.0.2"
_ATTACKERS = ("127.0.0.3", "127.0.0.4")


def main(argv: list[str]) -> int:
    """Prints what was wrong, times and memory; 1 if anything was wrong."""
    del argv
    given = flags.FLAGS
    sound = Path(given.panorama).read_bytes()
    names = [list(KINDS)[i % len(KINDS)] for i in range(given.uploads)]
    random.Random(given.seed).shuffle(names)
    folders = f"--model={given.model}", f"--gallery={given.gallery}"
    with served(*folders) as (page, pid):
        first, before = answers(page, sound), memory(pid)
        other = dataclasses.replace(page, source=_OTHER, seconds=[])
        watch = Watch(other, pid, sound)
        with watch.watching():
            wrong, slowest = _attack(page, names, sound, given.seed)
        peak, after = memory(pid, "VmHWM"), memory(pid)
        if answers(page, sound) != first:
            wrong.append("the sound panorama gets another answer")
    if watch.most - before > MOST_MEMORY_GROWTH:
        wrong.append(f"memory grew by more than {MOST_MEMORY_GROWTH} GiB")
    if slowest[0] > MOST_SECONDS:
        wrong.append(f"an answer took more than {MOST_SECONDS:g} s")
    print("\n".join(wrong))
    print(
        f"{len(names)} uploads of {len(KINDS)} kinds: {len(wrong)} things"
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
    return int(bool(wrong))


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


if __name__ == "__main__":
    # Here, as tests import several benchmarks whose flags share names.
    flags.DEFINE_string("model", "", "of experiments.export")
    flags.DEFINE_string("gallery", "", "of experiments.index")
    flags.DEFINE_string("panorama", "", "a sound image")
    flags.DEFINE_integer("uploads", 500, "how many", 1)
    flags.DEFINE_integer("seed", 0, "decides what is sent")
    app.run(main)
