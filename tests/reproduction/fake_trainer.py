"""Stands for experiments.train: writes a finished run, as it is ordered.

    python fake_trainer.py CONFIG.json ORDERS.json --run_dir=RUN

ORDERS.json: {"runs": {run: "fail" | "wait"}}; every start is a line of
`started` beside it.
"""

import fcntl
import json
import signal
import sys
import time
from pathlib import Path

import numpy as np

QUERIES = 200


def main(config_path, orders_path, run_dir):
    config = json.loads(Path(config_path).read_text())
    orders = Path(orders_path)
    run = Path(run_dir.removeprefix("--run_dir="))
    with (orders.parent / "started").open("a") as started:
        started.write(run.name + "\n")
    run.mkdir(parents=True, exist_ok=True)
    if config["train"]["dtype_policy"] == "auto":
        config["train"]["dtype_policy"] = "float32"
    (run / "config.json").write_text(json.dumps(config))
    order = json.loads(orders.read_text())["runs"].get(run.name)
    if order == "fail":
        print("out of luck")
        sys.exit(1)
    if order == "wait":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
        # As the true one does; its lock is mgtl_tf.utils.locks' LOCK.
        lock = (run / ".lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        (run / "waits").touch()
        time.sleep(60)
    write(run, config)


def write_ranks(path, hits, queries, gallery):
    """So many queries are right at once, the others at rank 7."""
    place = np.where(np.arange(queries) < hits, 1, 7).astype(np.int32)
    digest = np.frombuffer(gallery.encode(), np.uint8)
    arrays = {"gallery": digest, "metres": np.array(25.0)}
    for direction in ("ground_to_satellite", "satellite_to_ground"):
        arrays |= {direction: place, f"{direction}_ties": 0 * place}
    np.savez(path, **arrays)


def write(run, config):
    """A finished run: more hits with more recurrent steps and higher rates."""
    (run / "config.json").write_text(json.dumps(config))
    model, train = config["model"], config["train"]
    hits = 20 + 10 * model["recurrent_steps"] + 5 * train["seed"]
    hits += round(1000 * train["learning_rate"])
    (run / "report").mkdir()
    write_ranks(run / "report/ranks.npz", hits, QUERIES, "0" * 16)
    (run / "report/report.html").write_text("<p>")
    recall = {"r@1": hits / QUERIES}
    lines = [
        {
            "kind": "train",
            "step": train["max_steps"],
            "pairs_per_second": 50.0,
            "seconds": 12.0,
        },
        {"kind": "evaluation", "step": 1, "ground_to_satellite": recall},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (run / "metrics.jsonl").write_text(text)
    machine = {"gpus": [], "cores": 2, "processor": "a processor"}
    machine |= {"tensorflow": "1", "keras": "2"}
    (run / "environment.json").write_text(json.dumps(machine))


if __name__ == "__main__":
    main(*sys.argv[1:])
