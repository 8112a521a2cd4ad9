"""Two processes over loopback: one batch, one run, and the death of one."""

import json
import signal
import socket
import time
from contextlib import ExitStack

import numpy as np
import pytest

from mgtl_tf.training.distribution import Distribution
from mgtl_tf.training.logs import read_metrics
from mgtl_tf.utils.errors import UserError
from tests import programs

TINY = [
    "--preset=procedural",
    "--image_size=16,40",
    "--width_multiplier=0.0625",
    "--poolings=2",
    "--backbone_normalization=none",
    "--channels=12",
    "--heads=2",
    "--recurrent_steps=0",
    "--batch_size=4",
    "--dtype_policy=float32",
    "--learning_rate=1e-4",
    "--roll_and_mirror",
    "--color_jitter=0.2",
    "--log_every=1",
    "--epochs=3",
    "--evaluate_every=2",
    "--checkpoint_steps=1",
    "--mining_start=1",
    "--mining_every=1",
    "--mining_neighbours=3",
    "--retrieval_pictures=0",
]


def start_two(module, *arguments):
    """Both workers of a cluster on free ports of this machine.

    The order of their sets differs.
    """
    with ExitStack() as sockets:
        free = [sockets.enter_context(socket.socket()) for _ in range(2)]
        for s in free:
            s.bind(("127.0.0.1", 0))
        names = [f"127.0.0.1:{s.getsockname()[1]}" for s in free]
    return [
        programs.start(
            module, *arguments, server=worker, TF_CONFIG=_place(names, worker)
        )
        for worker in (0, 1)
    ]


def _place(names, index):
    task = {"type": "worker", "index": index}
    return json.dumps({"cluster": {"worker": names}, "task": task})


def finish(processes, timeout=240):
    """Exit status, stdout and stderr of each."""
    try:
        said = [p.communicate(timeout=timeout) for p in processes]
    finally:
        for p in processes:
            p.kill()
    return [(p.returncode, *s) for p, s in zip(processes, said, strict=True)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "world"
    sizes = ["--train_pairs=10", "--val_pairs=3", "--aerial_size=48"]
    sizes += ["--ground_size=32x160", "--processes=1"]
    done = programs.run(
        "experiments.make_world", f"--output_dir={folder}", *sizes
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_gradients_are_those_of_the_whole_batch():
    results = finish(start_two("tests.training.split_batches", "multi_worker"))
    for status, out, err in results:
        assert status == 0, err[-3000:]
        said = json.loads(out.splitlines()[-1])
        assert said["replicas"] == 2
        of_any_element, of_any_variable = said["two workers"]
        assert of_any_element < 1e-5
        assert of_any_variable < 1e-4
        figures = said["figures"]
        assert figures["two workers"] == pytest.approx(
            figures["whole"], rel=1e-5
        )


def test_death_is_named_and_all_go_on_to_what_one_process_reaches(
    world, tmp_path
):
    flags = ["experiments.train", *TINY, f"--data_dir={world}"]
    alone = programs.run(*flags, f"--run_dir={tmp_path / 'one'}")
    assert alone.returncode == 0, alone.stderr[-3000:]
    flags += ["--strategy=multi_worker", f"--run_dir={tmp_path / 'two'}"]

    chief, other = start_two(*flags)
    _wait_for(tmp_path / "two/checkpoints", "last/checkpoint", chief)
    other.send_signal(signal.SIGKILL)
    (status, _, said), _ = finish([chief, other])
    last = [line for line in said.splitlines() if line.strip()][-1]
    assert status == 1
    assert "worker 0 of 2: another worker stopped" in last
    assert "Traceback" not in said

    for status, _, said in finish(start_two(*flags)):
        assert status == 0, said[-3000:]
    one, two = (_losses(tmp_path / name) for name in ("one", "two"))
    assert two.keys() == one.keys()
    np.testing.assert_allclose(
        list(two.values()), list(one.values()), rtol=2e-3
    )


def _wait_for(folder, pattern, process):
    for _ in range(1200):
        if any(folder.glob(pattern)) or process.poll() is not None:
            return
        time.sleep(0.1)


def _losses(run_dir):
    records = read_metrics(run_dir)
    return {r["step"]: r["loss"] for r in records if r["kind"] == "train"}


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        (None, "TF_CONFIG=: not set"),
        ("{", "TF_CONFIG={: Expecting"),
        (_place(["a:1", "b:2"], 2), "not a worker of its cluster"),
    ],
)
def test_a_place_that_does_not_fit_is_told(monkeypatch, variable, said):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if variable is not None:
        monkeypatch.setenv("TF_CONFIG", variable)
    with pytest.raises(UserError, match=said):
        Distribution("multi_worker")


def test_batches_that_do_not_divide_are_told():
    one = Distribution()
    one.check_batch(6, 3)
    with pytest.raises(UserError, match="micro_batch=4: must divide the 6"):
        one.check_batch(6, 4)
    one.replicas = 4
    with pytest.raises(UserError, match="batch_size=6: must be a multiple"):
        one.check_batch(6, 0)
