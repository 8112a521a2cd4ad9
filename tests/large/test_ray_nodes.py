"""A cluster of two nodes, of which workers, programs and nodes are killed.

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
from pathlib import Path

import cv2
import numpy as np
import pytest

from mgtl_tf.config import RunConfig
from mgtl_tf.export.saved_model import export_model
from tests.large import kills
from tests.tiny_runs import ONE_STEP, write_run

pytest.importorskip("ray")
pytestmark = pytest.mark.large

KILLS = int(os.environ.get("KILLS", 10))
CROPS = int(os.environ.get("CROPS", 2000))
PORT = int(os.environ.get("PORT", 6399))
ADDRESS = f"127.0.0.1:{PORT}"
BATCH = 16
DAMAGED = "000007.png"
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


@pytest.fixture
def job(tmp_path):
    """Indexing images of which one is damaged, which is a line of stderr."""
    config = RunConfig(model=ONE_STEP)
    export_model(
        write_run(tmp_path / "run", config), config, tmp_path / "model"
    )
    images = tmp_path / "images"
    images.mkdir()
    noise = np.random.default_rng(0)
    for number in range(CROPS):
        pixels = noise.integers(0, 256, (96, 96, 3), "uint8")
        cv2.imwrite(str(images / f"{number:06}.png"), pixels)
    (images / DAMAGED).write_bytes(b"no image")
    return kills.indexing(tmp_path / "model", images, f"--batch_size={BATCH}")


def test_what_is_killed_changes_no_byte(nodes, job, tmp_path):
    whole = tmp_path / "whole"
    _finish(job, whole)
    expected = job.result(whole)
    job.flags += ["--runner=ray", f"--ray_address={ADDRESS}"]
    chance, kinds = random.Random(0), ("worker", "program", "other", "head")
    began = time.monotonic()
    _finish(job, tmp_path / "first")
    span = time.monotonic() - began
    print(f"\nuninterrupted, two nodes: {span:.1f} s")
    assert job.differing(tmp_path / "first", expected) == []
    for number in range(KILLS):
        kind, folder = kinds[number % len(kinds)], tmp_path / f"kill{number}"
        process = job.start(folder, fresh=True)
        wanted = chance.randint(2, CROPS // BATCH // 2)
        while process.poll() is None and kills.blocks(folder) < wanted:
            time.sleep(0.01)
        lines = kills.blocks(folder)
        _kill(kind, process, nodes)
        _, errors = process.communicate()
        if process.returncode != 1 or DAMAGED not in errors:
            if kind == "head":  # Ray ends the program, by itself
                nodes.kill("other")
                nodes.start_all()
            _finish(job, folder)
        print(f"{number}: {kind} after {lines} lines of the journal")
        assert job.differing(folder, expected) == [], kind
        if kind == "other":
            nodes.start("other")
            time.sleep(8)


def _finish(job, folder):
    """To the end: 1, for the damaged image alone."""
    process = job.start(folder, fresh=True)
    _, errors = process.communicate()
    assert process.returncode == 1 and errors.count(DAMAGED) == 1, errors
    assert (folder / "index.json").is_file(), errors


def _kill(kind, process, nodes):
    if kind == "program":
        process.kill()
    elif kind == "worker":
        subprocess.run(["pkill", "-9", "-o", "-f", "^ray::MapWorker"])
    else:
        nodes.kill(kind)
