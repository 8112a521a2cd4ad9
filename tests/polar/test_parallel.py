"""Jobs over processes: all done, none hung, whatever happens to one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polar.parallel import WorkerDiedError, in_parallel

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("processes", [1, 2])
def test_every_job_is_done_once(processes):
    results = list(in_parallel(abs, range(-40, 0), processes))
    assert sorted(results) == list(range(1, 41))
    assert list(in_parallel(abs, [], processes)) == []


def test_a_process_that_ends_by_itself_is_told_and_nothing_hangs():
    with pytest.raises(WorkerDiedError, match="by itself with exit status 3"):
        list(in_parallel(os._exit, [3, 3, 3], 2))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (
            signal.SIGKILL,
            "killed .SIGKILL., as systems do when memory",
        ),
        (signal.SIGSEGV, "ended by the signal SIGSEGV"),
        (signal.SIGTERM, "ended by the signal SIGTERM"),
    ],
)
def test_a_killed_process_is_told_by_its_signal(number, said):
    with pytest.raises(WorkerDiedError, match=said):
        list(in_parallel(signal.raise_signal, [number] * 3, 2))


def test_what_a_worker_cannot_import_is_told_in_its_own_words(tmp_path):
    """The parent could: by then the module's file is another one."""
    (tmp_path / "jobs_of_a_test.py").write_text("def job(n):\n    return n\n")
    program = (
        "import sys, pathlib\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "from polar.parallel import in_parallel\n"
        "import jobs_of_a_test\n"
        "path = pathlib.Path(jobs_of_a_test.__file__)\n"
        "path.write_text('raise ImportError(\"libx.so: not there\")')\n"
        "try:\n"
        "    list(in_parallel(jobs_of_a_test.job, range(9), 2))\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = _script(tmp_path / "program.py", program)
    assert done.stdout == "libx.so: not there\n"


def test_a_script_needs_no_guard(tmp_path):
    """Its main file is not imported again, wherever it comes from."""
    program = (
        "from polar.parallel import in_parallel\n"
        "print('begun')\n"
        "print(sorted(in_parallel(abs, range(-9, 0), 2)))\n"
    )
    for done in (
        _script(tmp_path / "program.py", program),
        subprocess.run(
            [sys.executable, "-"],
            input=program,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        ),
    ):
        assert done.stderr == ""
        assert done.stdout.splitlines() == ["begun", str(list(range(1, 10)))]


def test_a_function_of_the_main_file_is_refused(tmp_path):
    program = (
        "from polar.parallel import in_parallel\n"
        "def job(n):\n"
        "    return n\n"
        "list(in_parallel(job, range(9), 2))\n"
    )
    done = _script(tmp_path / "program.py", program)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ValueError: <function job at")
    assert last.endswith("move it to a module")


def _script(path, text):
    path.write_text(text)
    return subprocess.run(
        [sys.executable, path],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


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
    (tmp_path / "jobs_of_a_test.py").write_text(
        "import os, time\n"
        "def job(n):\n"
        "    time.sleep(0.1)\n"
        "    return os.getpid()\n"
    )
    program = tmp_path / "orphans.py"
    program.write_text(
        "from polar.parallel import in_parallel\n"
        "from jobs_of_a_test import job\n"
        "for pid in in_parallel(job, range(500), 2):\n"
        "    print(pid, flush=True)\n"
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
