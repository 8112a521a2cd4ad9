"""Programs of a study, each in a process of its own, several side by side."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from absl import logging
from tqdm import tqdm

from mgtl_tf.config import RunConfig
from mgtl_tf.presets import load_preset
from mgtl_tf.utils.errors import UserError
from polar.parallel import usable_cores

_GPUS = Path("/proc/driver/nvidia/gpus")
_POLL_SECONDS = 0.5
_MOST_ON_CPU = 4

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Job:
    """A command of a study; its output is appended to the file `log`."""

    name: str
    command: Sequence[str]
    log: Path

    def start(self, environment: Environment) -> subprocess.Popen:
        """Starts it with variables in addition to the study's own."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            return subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                # Ctrl-C is for the study, which then stops its runs in order.
                start_new_session=True,
            )

    @property
    def last_line(self) -> str:
        """The last line of its output that is not blank."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "nothing was written"


def devices(workers: int = 0) -> list[Environment]:
    """What runs are spread over: GPUs, one run each, or parts of the CPU.

    Args:
        workers: how many runs at once; 0: one a GPU, or on a CPU one a core,
            at most four, with the cores shared between them.

    Returns:
        for each run at a time, the environment variables of its process.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        gpus = [name for name in visible.split(",") if name not in ("", "-1")]
    else:
        count = len(list(_GPUS.iterdir())) if _GPUS.is_dir() else 0
        gpus = [str(number) for number in range(count)]
    if gpus:
        chosen = gpus[: workers or len(gpus)]
        return [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in chosen]
    count = workers or min(usable_cores(), _MOST_ON_CPU)
    threads = str(max(1, usable_cores() // count))
    return [
        {"TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": "2"}
    ] * count


def training_command(config: RunConfig) -> list[str]:
    """The command that trains a config, but for its run folder.

    Flags are those that differ from the values of preset and system.
    """
    preset, system = config.data.dataset, config.model.system
    # What settings depend on.
    chosen = {"system": system}
    if name := config.model.stage_setting:
        chosen[name] = getattr(config.model, name)
    flags = [f"--preset={preset}"]
    flags += [f"--{name}={value}" for name, value in chosen.items()]
    base = load_preset(preset, **chosen)
    for part in dataclasses.fields(config):
        before, after = getattr(base, part.name), getattr(config, part.name)
        for name, value in vars(after).items():
            if value != getattr(before, name):
                flags.append(f"--{name}={_text(value)}")
    return [sys.executable, "-m", "experiments.train", *flags]


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def run_all(jobs: Sequence[Job], environments: Sequence[Environment]) -> None:
    """Runs jobs, each on the first free device, and logs how each ended.

    A job that fails does not stop the others. When this process is
    interrupted or terminated (SIGTERM), the running ones are asked to save
    and stop, and waited for. In the main thread only.

    Args:
        jobs: in the order in which they start.
        environments: of `devices`; as many jobs at once.

    Raises:
        UserError: where jobs failed, naming the first, its log and its last
            line.
    """
    waiting, free = list(jobs), list(environments)
    running: dict[subprocess.Popen, tuple[Job, Environment]] = {}
    failed: list[Job] = []
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tqdm(total=len(jobs), unit="run", desc="study") as bar:
            while waiting or running:
                while waiting and free:
                    job, device = waiting.pop(0), free.pop(0)
                    running[job.start(device)] = job, device
                time.sleep(_POLL_SECONDS)
                for process in [p for p in running if p.poll() is not None]:
                    job, device = running.pop(process)
                    free.append(device)
                    bar.update()
                    if process.returncode:
                        failed.append(job)
                        logging.error("%s failed: %s", job.name, job.last_line)
                    else:
                        logging.info("%s: done", job.name)
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait()
        signal.signal(signal.SIGTERM, before)
    if failed:
        first = failed[0]
        raise UserError(
            f"{len(failed)} of the runs failed, the first {first.name}:"
            f" {first.last_line} (see {first.log}); the others are kept: the"
            " same command continues"
        )
