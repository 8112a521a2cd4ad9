"""DSM against MGTL and SAFA where the heading is unknown and views are narrow.

    python -m benchmarks.narrow_views [--demo=demo] [--steps=1000]

Trains six small models alike, on turned panoramas of the first 2,000 pairs of
the demo's world: MGTL, SAFA, and DSM with its shift search for each width of
view. They start from the VGG-16 of the demo's run, which has seen whole
panoramas alone, and DSM for a narrower view from the next wider one, so that
it has seen more pairs: in 400 steps from random weights, or from the VGG-16
alone, a view of 90 degrees stayed near chance. Then measures recall on 300
other places, and how near DSM's headings come. MGTL and SAFA see a narrow view
as a whole panorama whose rest is grey. What is trained already is kept: a
killed program resumes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from absl import app, flags
from tqdm import tqdm

from mgtl_tf.evaluation.result_text import heading_lines

_DEMO = flags.DEFINE_string("demo", "demo", "folder of `make demo`")
_WORK_DIR = flags.DEFINE_string("work_dir", "narrow", "folder for the runs")
_STEPS = flags.DEFINE_integer("steps", 1000, "training steps of each", 1)

PAIRS = {"train-19zl.csv": 2000, "val-19zl.csv": 300}
PROTOCOLS = {"unknown_orientation": 360, "fov_180": 180, "fov_90": 90}
PROTOCOLS["fov_70"] = 70
TRAINING = (
    "--preset=procedural --orientation_noise=360 --epochs=1000"
    " --evaluate_every=0 --retrieval_pictures=0 --dtype_policy=float32"
    " --mining_start=-1"
).split()


def runs(work: Path, demo: str) -> dict[str, list[str]]:
    """Name of each run to its own flags, in the order of training."""
    start = f"--init_backbone={demo}/run"
    found = {name: [f"--system={name}", start] for name in ("mgtl", "safa")}
    for width in PROTOCOLS.values():
        shift = ["--system=dsm", "--shift_search", start]
        found[f"dsm{width}"] = [*shift, f"--field_of_view={width}"]
        start = f"--init_from={work}/runs/dsm{width}"
    return found


def cut_world(world: Path, folder: Path) -> None:
    """The world's first pairs, in a folder of links."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    for path in world.iterdir():
        if path.name != "splits":
            (folder / path.name).symlink_to(path.absolute())
    (folder / "splits").mkdir()
    for name, count in PAIRS.items():
        lines = (world / "splits" / name).read_text().splitlines(True)
        (folder / "splits" / name).write_text("".join(lines[:count]))


def program(name: str, *given: str) -> None:
    """Runs one of `experiments` to its end."""
    command = [sys.executable, "-m", f"experiments.{name}", *given]
    subprocess.run(command, check=True, capture_output=True, text=True)


def measured(run_dir: Path, protocol: str) -> dict:
    """An evaluation's result, from its file."""
    program("evaluate", f"--run_dir={run_dir}", f"--protocol={protocol}")
    name = f"evaluation-procedural-validation-{protocol}-0.json"
    return json.loads((run_dir / name).read_text())


def shown(system: str, result: dict) -> str:
    """A line of the table."""
    recall = result["ground_to_satellite"]
    line = f"  {system:5}" + "".join(
        f"  {name} {100 * recall[name]:5.1f} %"
        for name in ("r@1", "r@5", "r@10")
    )
    heading = result.get("heading")
    if not heading or not heading["found"]:
        return line
    return "\n         ".join([line, *heading_lines(heading)])


def main(argv: list[str]) -> None:
    """Trains what is missing, evaluates, prints."""
    del argv
    work, demo = Path(_WORK_DIR.value), _DEMO.value
    cut_world(Path(demo, "world"), work / "world")
    for name, own in tqdm(runs(work, demo).items(), unit="run"):
        folders = [f"--data_dir={work}/world", f"--run_dir={work}/runs/{name}"]
        steps = f"--max_steps={_STEPS.value}"
        program("train", *TRAINING, steps, *own, *folders)
    for protocol, width in PROTOCOLS.items():
        print(f"{protocol}, seed 0, {PAIRS['val-19zl.csv']} places")
        for system, name in (
            ("DSM", f"dsm{width}"),
            ("SAFA", "safa"),
            ("MGTL", "mgtl"),
        ):
            print(shown(system, measured(work / "runs" / name, protocol)))


if __name__ == "__main__":
    app.run(main)
