"""Output folders and files: whole or absent, and nobody else's."""

import contextlib
import errno
import multiprocessing
import os
import signal
import stat

import numpy as np
import pytest

from mgtl_tf.utils import atomic_folders
from mgtl_tf.utils.atomic_folders import atomic_folder
from mgtl_tf.utils.atomic_io import atomic_file, atomic_write
from mgtl_tf.utils.errors import UserError

NAMES = [
    "[1]",
    "*",
    "a?b",
    " a b ",
    "100%41 #1",
    "Stra\u00dfe \u00fc \U0001f30d",
    'it\'s "so"',
    "$HOME ~",
    "-run",
    "a,b;c:d",
    "two\nlines",
    "n" * 255,
    "\u00fc" * 127,
    os.fsdecode(b"latin-\xfc"),
]


def names_in(folder):
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_one(tmp_path, name):
    for text in ("old", "new"):
        with atomic_folder(tmp_path / name, "mark") as folder:
            (folder / "mark").write_text(text)
        atomic_write(tmp_path / name / name, text)
    assert (tmp_path / name / "mark").read_text() == "new"
    assert (tmp_path / name / name).read_text() == "new"
    assert names_in(tmp_path) == [name]
    assert names_in(tmp_path / name) == sorted(["mark", name])


def test_the_empty_folder_one_stands_in(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with atomic_folder(".", "mark") as folder:
        (folder / "mark").write_text("new")
    assert (tmp_path / "here/mark").read_text() == "new"
    assert names_in(tmp_path) == ["here"]


@pytest.mark.parametrize("at_once", [True, False])
def test_an_older_one_is_replaced_only_on_success(
    tmp_path, monkeypatch, at_once
):
    if not at_once:
        monkeypatch.setattr(atomic_folders, "exchange", lambda *_: False)
    target = tmp_path / "a/b"
    for text in ("old", "new"):
        with atomic_folder(target, "mark") as folder:
            (folder / "mark").write_text(text)
    with pytest.raises(KeyboardInterrupt), atomic_folder(target, "mark"):
        raise KeyboardInterrupt
    assert (target / "mark").read_text() == "new"
    assert names_in(target.parent) == ["b"]


def test_what_is_not_ours_stays(tmp_path):
    (tmp_path / "thesis.tex").touch()
    (tmp_path / "to nothing").symlink_to("nothing")
    for name, reason in (
        ("", "already holds other files"),
        ("thesis.tex", "is a file"),
        ("to nothing", "is a link to what is not there"),
        ("/proc", "mounted"),
    ):
        with (
            pytest.raises(UserError, match=reason),
            atomic_folder(tmp_path / name, "mark"),
        ):
            pass


def test_a_read_only_parent_is_named(disk):
    folder, mount = disk
    (folder / "model").mkdir()
    assert mount("remount,ro")
    with (
        pytest.raises(UserError) as error,
        atomic_folder(folder / "model", "mark"),
    ):
        pass
    line = str(error.value)
    assert f"beside it, in {folder}, which cannot be written (Read-only" in line
    # Where a disk begins, a folder cannot be replaced at all.
    with pytest.raises(UserError, match="mounted"), atomic_folder(folder, "x"):
        pass


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "to folder").symlink_to("disk/folder")
    (tmp_path / "to file").symlink_to("disk/file")
    (tmp_path / "disk/folder").mkdir()
    for text in ("old", "new"):
        with atomic_folder(tmp_path / "to folder", "mark") as folder:
            (folder / "mark").write_text(text)
        atomic_write(tmp_path / "to file", text)
    assert (tmp_path / "to folder").is_symlink()
    assert (tmp_path / "disk/folder/mark").read_text() == "new"
    assert (tmp_path / "to file").is_symlink()
    assert (tmp_path / "disk/file").read_text() == "new"
    assert names_in(tmp_path / "disk") == ["file", "folder"]


def test_a_failed_file_leaves_the_one_before(tmp_path):
    path = tmp_path / "picture.svg"
    atomic_write(path, b"\x00old")
    with pytest.raises(ZeroDivisionError), atomic_file(path) as beside:
        assert beside.suffix == ".svg"
        beside.write_text("half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"\x00old"
    assert names_in(tmp_path) == ["picture.svg"]


def test_a_file_is_as_any_writer_would_make_it(tmp_path):
    """Its permissions; and a writer may look at the suffix."""
    atomic_write(tmp_path / "a", "text")
    (tmp_path / "b").write_text("text")
    modes = {stat.S_IMODE((tmp_path / n).stat().st_mode) for n in "ab"}
    assert len(modes) == 1
    with atomic_file(tmp_path / "a.npz") as beside:
        np.savez(beside, image=np.zeros(2))
    assert names_in(tmp_path) == ["a", "a.npz", "b"]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "a"
    with atomic_file(path) as one, atomic_file(path) as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"
    assert names_in(tmp_path) == ["a"]


def test_what_is_no_file_is_written_to(capfd):
    atomic_write("/dev/stdout", "said")
    assert capfd.readouterr().out == "said"


def test_errors_name_the_final_name(tmp_path):
    def fail(number):
        # As write() does: without a name.
        raise OSError(number, os.strerror(number))

    path = tmp_path / "a"
    with pytest.raises(UserError, match="a: .*No space left on device"):
        with atomic_file(path):
            fail(errno.ENOSPC)
    with pytest.raises(UserError, match="a: .*Input/output error"):
        with atomic_folder(path, "mark"):
            fail(errno.EIO)
    with pytest.raises(UserError, match="nothing/a: .*No such file"):
        atomic_write(tmp_path / "nothing/a", "")
    with pytest.raises(UserError, match="is a folder"):
        atomic_write(tmp_path, "")
    # Another file's trouble is not this one's.
    with pytest.raises(FileNotFoundError), atomic_folder(path, "mark"):
        open("/nowhere/input")
    assert names_in(tmp_path) == []


# Kills: the same at every step that a process takes on the disk.


def _killed(number, target, at_once):
    """Replaces a folder; dies before its `number`th change to the disk."""
    steps = iter(range(10**6))

    def dying(function):
        def called(*arguments, **named):
            if next(steps) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return called

    for name in ("replace", "mkdir", "unlink", "rmdir", "ftruncate"):
        setattr(os, name, dying(getattr(os, name)))
    swap = dying(atomic_folders.exchange) if at_once else lambda *_: False
    atomic_folders.exchange = swap
    with atomic_folder(target, "mark") as folder:
        (folder / "mark").write_text("new")
        (folder / "more").mkdir()


@pytest.mark.parametrize("at_once", [True, False])
def test_a_kill_at_any_point_leaves_a_whole_folder(tmp_path, at_once):
    """Old or new; and nothing is left beside after the next call."""
    fork = multiprocessing.get_context("fork")
    target = tmp_path / "a"
    (target / "more").mkdir(parents=True)
    killed = True
    number = missing = 0
    while killed:
        (target / "mark").write_text("old")
        process = fork.Process(target=_killed, args=(number, target, at_once))
        process.start()
        process.join()
        killed = process.exitcode == -signal.SIGKILL
        assert killed or process.exitcode == 0
        if not target.exists():
            missing += 1
        else:
            assert (target / "mark").read_text() in ("old", "new")
        # What the next call makes of it, even one that fails.
        with contextlib.suppress(ZeroDivisionError):
            with atomic_folder(target, "mark"):
                raise ZeroDivisionError
        assert names_in(tmp_path) == ["a"]
        assert names_in(target) == ["mark", "more"]
        number += 1
    assert number > 6
    assert missing == (0 if at_once else 1)
