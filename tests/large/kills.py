"""Programs that are killed (SIGKILL) at some moment, and started again."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.workflows.world import make_world
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
class Job:
    """A program that writes a folder.

    Attributes:
        module: its name in `experiments`.
        flags: all but the folder; the last of equal flags counts.
        output: the flag that names the folder.
        first: pattern of what it writes first, beside the folder `{name}`.
        result: what must not depend on kills: bytes by name.
    """

    module: str
    flags: list[str]
    output: str
    first: str
    result: Callable[[Path], dict[str, bytes]]

    def start(self, folder, fresh=False):
        """The program, just started; `fresh` with another order of sets."""
        arguments = [*self.flags, f"--{self.output}={folder}"]
        if not fresh:
            return programs.start(f"experiments.{self.module}", *arguments)
        return subprocess.Popen(
            [sys.executable, "-m", f"experiments.{self.module}", *arguments],
            cwd=programs.ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait(self, process, folder, pattern=None, seconds=0.0):
        """Until so long after what it writes first, or after `pattern`."""
        pattern = pattern or self.first.format(name=folder.name)
        while process.poll() is None and not any(folder.parent.glob(pattern)):
            time.sleep(0.0005)
        until = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.001)

    def kill(self, folder, pattern=None, seconds=0.0):
        """Starts it and kills it then; whether it was still at work."""
        process = self.start(folder)
        self.wait(process, folder, pattern, seconds)
        process.kill()
        process.communicate()
        return process.returncode < 0

    def finish(self, folder, process=None):
        """Runs it to its end; what it wrote to stderr."""
        process = process or self.start(folder)
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        return errors

    def differing(self, folder, expected):
        """Names whose bytes are others, or only on one side."""
        found = self.result(folder)
        names = expected.keys() | found.keys()
        return sorted(n for n in names if expected.get(n) != found.get(n))


def training(world, *more):
    flags = [*TRAIN, *more, f"--data_dir={world}"]
    return Job("train", flags, "run_dir", "{name}/config.json", final_state)


def preparing(world, *more):
    flags = ["--dataset=procedural", f"--data_dir={world}", *more]
    return Job("prepare", flags, "output_dir", "{name}/*/*.json*", content)


def indexing(model, images, *more):
    flags = [f"--model={model}", f"--images={images}", *more]
    first = ".{name}.unfinished/*.jsonl"
    return Job("index", flags, "output_dir", first, arrays)


def small_world(folder, train_pairs, val_pairs, aerial=48, ground=(32, 160)):
    settings = WorldSettings(
        train_pairs=train_pairs,
        val_pairs=val_pairs,
        aerial_size=aerial,
        ground_height=ground[0],
        ground_width=ground[1],
    )
    make_world(settings, folder, 1, progress=False)
    return folder


def saved(run_dir):
    """Number of the newest finished checkpoint: TensorFlow lists it last."""
    newest = tf.train.latest_checkpoint(str(run_dir / "checkpoints/last"))
    return _number(newest) if newest else 0


def was_writing(run_dir):
    """Whether a kill left files of an unfinished checkpoint."""
    found = (run_dir / "checkpoints/last").glob("ckpt-*")
    return any(_number(path.name) > saved(run_dir) for path in found)


def _number(name):
    return int(
        name.rpartition("ckpt-")[2].partition(".")[0].removesuffix("_temp")
    )


def final_state(run_dir):
    """Every weight and every optimizer variable of the newest checkpoint."""
    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints/last"))
    return {
        name: reader.get_tensor(name).tobytes()
        for name in reader.get_variable_to_shape_map()
        if name.startswith(("model/", "optimizer/", "progress/neighbours"))
    }


def content(folder):
    """Every file, by its path in the folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(f.relative_to(folder)): f.read_bytes() for f in files}


def arrays(folder):
    """The same of a gallery, without index.json's time."""
    found = content(folder)
    del found["index.json"]
    return found


def blocks(folder):
    """How many lines the journals of a cache or a gallery have."""
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    journals = [
        *unfinished.glob("unfinished.jsonl"),
        *folder.glob("*/unfinished.jsonl"),
    ]
    return sum(path.read_bytes().count(b"\n") for path in journals)
