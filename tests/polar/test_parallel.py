"""Jobs over processes: all done, none hung, whatever happens to one."""

import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest

from polar.parallel import MainlessContext, WorkerDiedError, in_parallel

ROOT = Path(__file__).parents[2]


def start(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, *arguments],
        env={"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.parametrize("processes", [1, 2])
def test_every_job_is_done_once(processes):
    results = list(in_parallel(abs, range(-40, 0), processes))
    assert sorted(results) == list(range(1, 41))
    assert list(in_parallel(abs, [], processes)) == []


@pytest.mark.parametrize(
    ("die", "code", "cause"),
    [
        (os._exit, 3, "by itself with exit status 3"),
        (signal.raise_signal, signal.SIGKILL, "SIGKILL.*memory"),
        (signal.raise_signal, signal.SIGSEGV, "signal SIGSEGV"),
        (signal.raise_signal, signal.SIGTERM, "signal SIGTERM"),
    ],
)
def test_a_dead_process_is_named_with_its_cause(die, code, cause):
    with pytest.raises(WorkerDiedError, match=cause):
        list(in_parallel(die, [code] * 3, 2))


def test_what_a_worker_cannot_import_is_its_own_error(tmp_path):
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
    output, _ = start("-c", program).communicate(timeout=60)
    assert output == "libx.so: not there\n"


@pytest.mark.parametrize("piped", [False, True])
def test_a_script_needs_no_guard(tmp_path, piped):
    """Its main file is not imported again; so no job may be of it."""
    program = (
        "from polar.parallel import in_parallel\n"
        "print('begun')\n"
        "print(sorted(in_parallel(abs, range(-9, 0), 2)))\n"
        "def job(n):\n"
        "    return n\n"
        "list(in_parallel(job, range(9), 2))\n"
    )
    (tmp_path / "script.py").write_text(program)
    done = start("-" if piped else str(tmp_path / "script.py"))
    output, errors = done.communicate(program if piped else None, timeout=60)
    assert output.splitlines() == ["begun", str(list(range(1, 10)))]
    last = errors.splitlines()[-1]
    assert last.startswith("ValueError: <function job at")
    assert last.endswith("move it to a module")


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
        "    for _ in in_parallel(time.sleep, [0.1] * 500, 2):\n"
        "        print('begun', flush=True)\n"
        # A shell's background jobs, the tests among them, may not hear it.
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "    run(main)\n"
        f"{'time.sleep(2)' if starting else ''}\n"
    )
    process = start(program, start_new_session=True)
    assert process.stdout.readline()
    time.sleep(0.2 if starting else 0.0)
    os.killpg(process.pid, signal.SIGINT)
    _, lines = process.communicate(timeout=30)
    assert process.returncode == 130
    assert lines == "error: interrupted\n"


def test_ctrl_c_waits_until_a_process_has_all_that_it_needs(monkeypatch):
    """Though another thread, which does not block the signal, receives it."""
    done, leave = [], threading.Event()

    def start(_):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(20):
            time.sleep(0.005)
        done.append(True)

    other = threading.Thread(target=leave.wait)
    other.start()
    monkeypatch.setattr(SpawnProcess, "start", start)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            MainlessContext().Process(target=print).start()
    finally:
        signal.signal(signal.SIGINT, before)
        leave.set()
    assert done
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_workers_leave_with_a_killed_parent(tmp_path):
    (tmp_path / "jobs_of_a_test.py").write_text(
        "import os, time\n"
        "def job(n):\n"
        "    time.sleep(0.05)\n"
        "    return os.getpid()\n"
    )
    program = tmp_path / "orphans.py"
    program.write_text(
        "from polar.parallel import in_parallel\n"
        "from jobs_of_a_test import job\n"
        "for pid in in_parallel(job, range(500), 2):\n"
        "    print(pid, flush=True)\n"
    )
    process = start(program)
    worker = int(process.stdout.readline())
    process.kill()
    process.communicate(timeout=30)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists():
        assert time.monotonic() < deadline, f"{worker} outlived its parent"
        time.sleep(0.05)
