"""A cluster of two nodes, of which workers, programs and nodes are killed.

Indexing CROPS images and preparing PAIRS pairs, one file of them damaged.

KILLS=10 python -m pytest -s --run-large tests/large/test_ray_nodes.py
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.decoded_cache.files import BLOCK_ROWS
from mgtl_tf.export.saved_model import export_model
from tests.large import kills
from tests.tiny_runs import ONE_STEP, write_run

pytest.importorskip("ray")
pytestmark = pytest.mark.large

KILLS = int(os.environ.get("KILLS", 10))
CROPS = int(os.environ.get("CROPS", 2000))
PAIRS = int(os.environ.get("PAIRS", 2000))
PORT = int(os.environ.get("PORT", 6399))
ADDRESS = f"127.0.0.1:{PORT}"
ACTOR = "^ray::MapWorker"
RAY = str(Path(sys.executable).with_name("ray"))


class Nodes:
    """A head and another node, each of one core and a group of processes."""

    def __init__(self):
        self.groups = {}

    def start(self, name):
        where = ["--head", f"--port={PORT}", "--include-dashboard=false"]
        where = where if name == "head" else [f"--address={ADDRESS}"]
        self.groups[name] = subprocess.Popen(
            [RAY, "start", "--block", "--num-cpus=1", *where],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill(self, name):
        with suppress(ProcessLookupError):  # without a head, nodes end
            os.killpg(self.groups[name].pid, signal.SIGKILL)
        self.groups[name].wait()

    def actors(self):
        """How many work on each node; what a node starts has its session."""
        found = {}
        for name, group in self.groups.items():
            asked = ["pgrep", "-c", "-s", str(group.pid), "-f", ACTOR]
            done = subprocess.run(asked, capture_output=True)
            found[name] = int(done.stdout)
        return found

    def kill_actor(self):
        """The oldest one."""
        sessions = ",".join(str(group.pid) for group in self.groups.values())
        subprocess.run(["pkill", "-9", "-o", "-s", sessions, "-f", ACTOR])

    def start_all(self):
        self.start("head")
        for _ in range(120):
            time.sleep(1)
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", PORT), 1).close()
                break
        self.start("other")
        time.sleep(8)


@pytest.fixture
def nodes(monkeypatch):
    # Nodes and programs of one cluster share a token, 64 digits.
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "5" * 64)
    found = Nodes()
    found.start_all()
    yield found
    for name in ("other", "head"):
        found.kill(name)


@dataclass
class Work:
    """A job of which one file is damaged, which is a line of stderr.

    Attributes:
        job: killed again and again.
        damaged: the file's name.
        lines: of its journals, at its end.
    """

    job: kills.Job
    damaged: str
    lines: int

    def finish(self, folder):
        """To the end: 1, for the damaged file alone."""
        process = self.job.start(folder, fresh=True)
        _, errors = process.communicate()
        assert process.returncode == 1, errors
        assert errors.count(self.damaged) == 1, errors


@pytest.fixture(params=["index", "prepare"])
def work(request, tmp_path):
    return {"index": _indexing, "prepare": _preparing}[request.param](tmp_path)


def _indexing(folder):
    config = RunConfig(model=ONE_STEP)
    export_model(write_run(folder / "run", config), config, folder / "model")
    images, damaged = folder / "images", "000007.png"
    images.mkdir()
    noise = np.random.default_rng(0)
    for number in range(CROPS):
        pixels = noise.integers(0, 256, (96, 96, 3), "uint8")
        cv2.imwrite(str(images / f"{number:06}.png"), pixels)
    (images / damaged).write_bytes(b"no image")
    batch = f"--batch_size={BLOCK_ROWS}"
    job = kills.indexing(folder / "model", images, batch)
    return Work(job, damaged, CROPS // BLOCK_ROWS)


def _preparing(folder):
    world = kills.small_world(
        folder / "world", PAIRS - PAIRS // 10, PAIRS // 10
    )
    damaged = sorted(world.glob("streetview/**/*.jpg"))[7]
    damaged.write_bytes(b"no image")
    job = kills.preparing(world, "--image_size=112,616")
    return Work(job, damaged.name, PAIRS // BLOCK_ROWS)


def test_what_is_killed_changes_no_byte(nodes, work, tmp_path):
    job, whole = work.job, tmp_path / "whole"
    work.finish(whole)
    expected = job.result(whole)
    job.flags += ["--runner=ray", f"--ray_address={ADDRESS}"]
    chance, kinds = random.Random(0), ("worker", "program", "other", "head")
    began = time.monotonic()
    work.finish(tmp_path / "first")
    span = time.monotonic() - began
    print(f"\nuninterrupted, two nodes: {span:.1f} s")
    assert job.differing(tmp_path / "first", expected) == []
    spread = False
    for number in range(KILLS):
        kind, folder = kinds[number % len(kinds)], tmp_path / f"kill{number}"
        process = job.start(folder, fresh=True)
        wanted = chance.randint(2, work.lines // 2)
        while process.poll() is None and kills.blocks(folder) < wanted:
            time.sleep(0.01)
        lines, actors = kills.blocks(folder), nodes.actors()
        spread = spread or all(actors.values())
        _kill(kind, process, nodes)
        _, errors = process.communicate()
        if process.returncode != 1 or work.damaged not in errors:
            if kind == "head":  # Ray ends the program, by itself
                nodes.kill("other")
                nodes.start_all()
            work.finish(folder)
        print(f"{number}: {kind} after {lines} lines, actors {actors}")
        assert job.differing(folder, expected) == [], kind
        if kind == "other":
            nodes.start("other")
            time.sleep(8)
    assert spread, "both nodes never worked at the same time"


def _kill(kind, process, nodes):
    if kind == "program":
        process.kill()
    elif kind == "worker":
        nodes.kill_actor()
    else:
        nodes.kill(kind)
