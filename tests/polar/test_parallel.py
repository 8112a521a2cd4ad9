"""Jobs over processes: all done, none hung, whatever happens to one."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from polar.parallel import in_parallel

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("processes", [1, 2])
def test_every_job_is_done_once(processes):
    results = list(in_parallel(abs, range(-40, 0), processes))
    assert sorted(results) == list(range(1, 41))
    assert list(in_parallel(abs, [], processes)) == []


def test_a_killed_process_is_told_and_nothing_hangs():
    with pytest.raises(BrokenProcessPool):
        list(in_parallel(os._exit, [3, 3, 3], 2))


@pytest.mark.parametrize("starting", [False, True])
def test_ctrl_c_leaves_at_once_with_one_line(tmp_path, starting):
    """As in a terminal: the signal goes to the workers, too.

    Also to one that is still starting: it imports for seconds, under load.
    """
    program = tmp_path / "sleepers.py"
    program.write_text(
        "import signal\n"
        "import time\n"
        "from polar.parallel import in_parallel\n"
        "from polar.program import run\n"
        "def main(argv):\n"
        f"    {'print(0, flush=True)' if starting else ''}\n"
        "    for _ in in_parallel(time.sleep, [0.2] * 500, 2):\n"
        "        print('begun', flush=True)\n"
        # A shell's background jobs, the tests among them, may not hear it.
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "    run(main)\n"
        f"{'time.sleep(2)' if starting else ''}\n"
    )
    process = subprocess.Popen(
        [sys.executable, program],
        env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline()
    time.sleep(1.0 if starting else 0.0)
    os.killpg(process.pid, signal.SIGINT)
    _, lines = process.communicate(timeout=30)
    assert process.returncode == 130
    assert lines == "error: interrupted\n"


def test_workers_leave_with_a_killed_parent(tmp_path):
    program = tmp_path / "orphans.py"
    program.write_text(
        "import os, time\n"
        "from polar.parallel import in_parallel\n"
        "def job(n):\n"
        "    time.sleep(0.1)\n"
        "    return os.getpid()\n"
        "if __name__ == '__main__':\n"
        "    for pid in in_parallel(job, range(500), 2):\n"
        "        print(pid, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, program],
        env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    worker = int(process.stdout.readline())
    process.kill()
    process.communicate(timeout=30)
    for _ in range(100):
        if not Path(f"/proc/{worker}").exists():
            return
        time.sleep(0.1)
    pytest.fail(f"worker {worker} outlived its parent")
