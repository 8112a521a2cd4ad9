"""Programs that are killed (SIGKILL) at some moment, and started again."""

import hashlib
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass

import tensorflow as tf

from tests import programs

TRAIN = (
    "--preset=procedural --image_size=16,40 --width_multiplier=0.0625"
    " --poolings=2 --channels=12 --heads=2 --recurrent_steps=1"
    " --backbone_dropout=0.2 --color_jitter=0.2 --batch_size=4"
    " --evaluation_batch_size=3 --dtype_policy=float32 --deterministic"
    " --log_every=1 --epochs=8 --evaluate_every=2 --mining_start=1"
    " --mining_every=2 --mining_neighbours=3 --checkpoint_steps=1"
).split()
"""Every kind of state that a checkpoint holds, in 16 steps."""


@dataclass
class Kill:
    """What a kill met: how far the run was, and whether it was writing."""

    landed: bool
    seconds: float
    step: int
    writing: bool


def make_world(folder, pairs, *sizes):
    """A tiny synthetic world."""
    done = programs.run(
        "experiments.make_world",
        f"--output_dir={folder}",
        f"--train_pairs={pairs[0]}",
        f"--val_pairs={pairs[1]}",
        *(sizes or ("--aerial_size=48", "--ground_size=32x160")),
        "--processes=1",
        timeout=None,
    )
    assert done.returncode == 0, done.stderr


def start_training(world, run_dir, *more, fresh=False):
    """The training program, just started; the last of equal flags counts."""
    folders = f"--data_dir={world}", f"--run_dir={run_dir}"
    arguments = [*TRAIN, *folders, *more]
    if not fresh:
        return programs.start("experiments.train", *arguments)
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.train", *arguments],
        cwd=programs.ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_preparing(world, folder, *more):
    """The preparing program, just started."""
    folders = f"--data_dir={world}", f"--output_dir={folder}"
    name = "experiments.prepare"
    return programs.start(name, "--dataset=procedural", *folders, *more)


def finish(process):
    """What a program that must succeed wrote to stderr."""
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return errors


def kill_at(process, moment, folder):
    """Kills a program at a moment; whether it was still at work.

    Args:
        process: just started.
        moment: a function of the process and its folder that returns at the
            moment, or where the process has ended.
        folder: that it writes to.
    """
    moment(process, folder)
    process.kill()
    process.communicate()
    return process.returncode < 0


def after(seconds, pattern, began=0.0):
    """So long after a file of this pattern is there, changed since."""

    def is_there(folder):
        found = folder.glob(pattern)
        return any(path.stat().st_mtime > began for path in found)

    def wait(process, folder):
        while process.poll() is None and not is_there(folder):
            time.sleep(0.001)
        until = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.001)

    return wait


def while_writing(checkpoint):
    """While the nth checkpoint that this process writes is written."""

    def wait(process, run_dir):
        folder, seen = run_dir / "checkpoints/last", 0
        # What an earlier kill left is not being written.
        there = _is_writing(folder)
        while process.poll() is None and seen < checkpoint:
            now = _is_writing(folder)
            seen += now and not there
            there = now
            time.sleep(0.0002)

    return wait


def kill_training(world, run_dir, moment, *more):
    """Starts or resumes a run and kills it."""
    before, began = _unfinished(run_dir), time.monotonic()
    process = start_training(world, run_dir, *more)
    landed = kill_at(process, moment, run_dir)
    seconds = time.monotonic() - began
    writing = bool(_unfinished(run_dir) - before)
    return Kill(landed, seconds, saved_step(run_dir), writing)


def _listed(folder):
    """Names of finished checkpoints: TensorFlow's list is written last."""
    try:
        text = (folder / "checkpoint").read_text()
    except FileNotFoundError:
        return set()
    return set(re.findall(r"ckpt-\d+", text))


def _is_writing(folder):
    """Whether a checkpoint has files and is not listed yet."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return False
    found = {m.group() for n in names if (m := re.match(r"ckpt-\d+", n))}
    listed = _listed(folder)
    # Those before the newest are about to be removed.
    return bool(found) and max(found, key=_number) not in listed


def _number(name):
    return int(name.split("-")[1])


def _unfinished(run_dir):
    """Files that a kill left of an unfinished checkpoint, with their times."""
    folder = run_dir / "checkpoints/last"
    if not _is_writing(folder):
        return set()
    listed = _listed(folder)
    newest = max(map(_number, listed), default=0)
    return {
        (path.name, path.stat().st_mtime_ns)
        for path in folder.glob("ckpt-*")
        if _number(re.match(r"ckpt-\d+", path.name).group()) > newest
    }


def _reader(run_dir):
    """TensorFlow's reader of the newest finished checkpoint, or None."""
    path = tf.train.latest_checkpoint(str(run_dir / "checkpoints/last"))
    return path and tf.train.load_checkpoint(path)


def saved_step(run_dir):
    """Step of the newest finished checkpoint; 0 without one."""
    reader = _reader(run_dir)
    key = "progress/step/.ATTRIBUTES/VARIABLE_VALUE"
    return int(reader.get_tensor(key)) if reader else 0


def final_state(run_dir):
    """Every weight and every optimizer variable of the newest checkpoint."""
    reader = _reader(run_dir)
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if name.startswith(("model/", "optimizer/", "progress/neighbours"))
    }


def differing(a, b):
    """Names whose arrays are not equal to the bit, or only on one side."""
    both = a.keys() & b.keys()
    unequal = {n for n in both if a[n].tobytes() != b[n].tobytes()}
    return sorted(unequal | (a.keys() ^ b.keys()))


def content(folder):
    """Hash of every file, by its path in the folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def prepared_blocks(folder):
    """How many blocks the journals and manifests of a cache count."""
    journals = folder.glob("*/unfinished.jsonl")
    begun = sum(len(path.read_bytes().split(b"\n")) - 2 for path in journals)
    finished = folder.glob("*/manifest.json")
    return begun + sum(p.read_bytes().count(b'"crc32": [') for p in finished)
