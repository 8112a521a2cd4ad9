"""Locks: one holder, who is named, and none that outlives its process."""

import errno
import fcntl
import multiprocessing
import os
import socket
import threading
import time

import pytest

from mgtl_tf.utils import locks
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.locks import hold_lock


def _hold(path, pipe):
    with hold_lock(path, "it", "at it"):
        pipe.send("held")
        time.sleep(600)


@pytest.fixture
def holder(tmp_path):
    """A process that holds tmp_path/lock."""
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()
    process = fork.Process(target=_hold, args=(tmp_path / "lock", there))
    process.start()
    assert here.recv() == "held"
    yield process
    process.kill()
    process.join()


def test_the_second_is_told_who_holds_it(tmp_path, holder):
    with (
        pytest.raises(UserError) as error,
        hold_lock(tmp_path / "lock", "run/a", "training this run"),
    ):
        pass
    said = str(error.value)
    assert said.startswith("run/a: another process is training this run")
    assert f"process {holder.pid} on {socket.gethostname()} since 2" in said
    assert "\n" not in said


def test_a_killed_holder_blocks_nobody(tmp_path, holder):
    holder.kill()
    holder.join()
    assert (tmp_path / "lock").exists()
    with hold_lock(tmp_path / "lock", "it", "at it"):
        text = (tmp_path / "lock").read_text()
        assert f"process {os.getpid()} on" in text
    assert list(tmp_path.iterdir()) == []


def test_one_after_the_other_many_at_once(tmp_path):
    """However they meet, never two inside, and nobody is stuck."""
    inside, most, done = [0], [0], [0]

    def ask():
        while done[0] < 200:
            try:
                with hold_lock(tmp_path / "lock", "it", "at it"):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    done[0] += 1
                    inside[0] -= 1
            except UserError:
                pass

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert not (tmp_path / "lock").exists()


def test_a_disk_without_locks_is_said(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    said = []
    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(locks.logging, "warning", lambda *a: said.append(a))
    with hold_lock(tmp_path / "lock", "it", "at it"):
        pass
    assert "knows no locks" in said[0][0]
