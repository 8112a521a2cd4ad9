"""Training runs, each in a process of its own, several side by side."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

from mgtl_tf.config import RunConfig
from mgtl_tf.presets import load_preset
from mgtl_tf.presets.systems import system_settings
from mgtl_tf.reproduction.runs import Run
from mgtl_tf.utils.errors import UserError
from polar.parallel import usable_cores

_GPUS = Path("/proc/driver/nvidia/gpus")
_POLL_SECONDS = 0.5
_MOST_ON_CPU = 4

Environment = Mapping[str, str]
Launch = Callable[[Run, Environment], subprocess.Popen]


def devices(workers: int = 0) -> list[Environment]:
    """What runs are spread over: GPUs, one run each, or parts of the CPU.

    Args:
        workers: how many runs at once; 0: one a GPU, or on a CPU one a core,
            at most four, with the cores shared between them.

    Returns:
        for each run at a time, the environment variables of its process.
    """
    if gpus := _gpus():
        chosen = gpus[: workers or len(gpus)]
        return [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in chosen]
    count = workers or min(usable_cores(), _MOST_ON_CPU)
    threads = str(max(1, usable_cores() // count))
    return [
        {"TF_NUM_INTRAOP_THREADS": threads, "TF_NUM_INTEROP_THREADS": "2"}
    ] * count


def _gpus() -> list[str]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name not in ("", "-1")]
    found = len(list(_GPUS.iterdir())) if _GPUS.is_dir() else 0
    return [str(number) for number in range(found)]


def start_training(run: Run, environment: Environment) -> subprocess.Popen:
    """Starts `experiments.train` on a run; it goes on where it stopped.

    It holds the run folder's lock until it ends, so that a trainer which
    outlived a killed study is noticed.
    """
    command = [*training_command(run.config), f"--run_dir={run.folder}"]
    return start_logged(command, run.log, environment)


def start_logged(
    command: Sequence[str], log: Path, environment: Environment
) -> subprocess.Popen:
    """Starts a command of a study.

    Args:
        command: with its arguments.
        log: the file that its output is appended to.
        environment: variables in addition to the study's own.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            # Ctrl-C is for the study, which then stops its runs in order.
            start_new_session=True,
        )


def training_command(config: RunConfig) -> list[str]:
    """The command that trains a config, but for its run folder.

    Flags are those that differ from what preset and system bring.
    """
    preset, system = config.data.dataset, config.model.system
    flags = [f"--preset={preset}", f"--system={system}"]
    base = load_preset(preset).replace(**system_settings(preset, system))
    for part in dataclasses.fields(config):
        before, after = getattr(base, part.name), getattr(config, part.name)
        for field in dataclasses.fields(after):
            value = getattr(after, field.name)
            if value != getattr(before, field.name):
                flags.append(f"--{field.name}={_text(value)}")
    return [sys.executable, "-m", "experiments.train", *flags]


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def run_all(
    runs: Sequence[Run],
    environments: Sequence[Environment],
    done: Callable[[Run, int, float], None],
    launch: Launch = start_training,
) -> list[Run]:
    """Trains runs, each on the first free device, until none is left.

    A run that fails does not stop the others. When this process is
    interrupted or told to end (SIGTERM), the runs are asked to save and
    stop, and waited for. In the main thread only.

    Args:
        runs: in the order in which they start.
        environments: of `devices`; as many runs at once.
        done: called for every run that ended, with its exit status and the
            seconds it took.
        launch: starts one.

    Returns:
        the runs that failed.
    """
    waiting, free = list(runs), list(environments)
    going: dict[subprocess.Popen, tuple[Run, Environment, float]] = {}
    failed = []
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        while waiting or going:
            while waiting and free:
                run, place = waiting.pop(0), free.pop(0)
                going[launch(run, place)] = (run, place, time.monotonic())
            time.sleep(_POLL_SECONDS)
            for process in [p for p in going if p.poll() is not None]:
                run, place, began = going.pop(process)
                free.append(place)
                done(run, process.returncode, time.monotonic() - began)
                if process.returncode:
                    failed.append(run)
    finally:
        _stop(list(going))
        signal.signal(signal.SIGTERM, before)
    return failed


def _interrupt(number: int, frame: FrameType | None) -> None:
    """SIGTERM stops a study's runs as Ctrl-C does."""
    raise KeyboardInterrupt


def _stop(processes: list[subprocess.Popen]) -> None:
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait()


def last_line(log: Path) -> str:
    """The last line of a run's log that is not blank."""
    text = log.read_text(errors="replace") if log.is_file() else ""
    lines = text.replace("\r", "\n").strip().splitlines()
    return lines[-1].strip() if lines else "nothing was written"


def require_all(failed: Sequence[Run]) -> None:
    """Raises an error where runs failed.

    Raises:
        UserError: naming the first, its log and its last line.
    """
    if failed:
        first = failed[0]
        raise UserError(
            f"{len(failed)} of the runs failed, the first {first.name}:"
            f" {last_line(first.log)} (see {first.log}); the others are kept:"
            " the same command goes on"
        )
