"""An index that is killed, hindered and gone on with."""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.galleries.manifest import FILES
from mgtl_tf.utils.errors import UserError
from tests.galleries.encoders import (
    FakeEncoder,
    build,
    change_byte,
    failing,
    wide_places,
)
from tests.small_disk import fill

ROOT = Path(__file__).parents[2]
UNFINISHED = ".index.unfinished"
COUNT = 203


class Killed(BaseException):
    pass


def contents(index):
    return {name: (index / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with images, an index of them, and one that was begun."""
    folder = tmp_path_factory.mktemp("home")
    places = wide_places(folder, COUNT)
    build(places, folder / "whole")
    with pytest.raises(Killed):
        build(places, folder / "index", failing(Killed, 5))
    return folder


@pytest.fixture(scope="module")
def expected(home):
    """The files of the uninterrupted index."""
    return contents(home / "whole")


@pytest.fixture
def folder(home, tmp_path):
    """One whose index would have these images."""
    (tmp_path / "images").symlink_to(home / "images")
    return tmp_path


@pytest.fixture
def places(home):
    return wide_places(home, COUNT)


@pytest.fixture
def begun(home, folder, places, expected):
    """The same after five batches, and what goes on with it."""
    shutil.copytree(home / UNFINISHED, folder / UNFINISHED)

    def resume(**options):
        encoder = FakeEncoder()
        build(places, folder / "index", encoder, **options)
        found = load_index(folder / "index", verify=True)
        assert list(found.places) == places
        name = "descriptors.npy"
        assert contents(folder / "index")[name] == expected[name]
        return sum(encoder.batches)

    return folder, resume


def test_killed_again_and_again(home, tmp_path, expected):
    """A real process and a real SIGKILL: the end is the same to the byte."""
    folder = tmp_path / "home"
    shutil.copytree(home / "images", folder / "images")
    chance = random.Random(1)
    kills, reached = 0, 0
    journal = folder / UNFINISHED / "unfinished.jsonl"
    for killed in (True, True, True, False):
        began = time.time()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.galleries.encoders", folder],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
        )
        # From when it began to write: the start alone takes a second.
        while process.poll() is None and (
            not journal.is_file() or journal.stat().st_mtime < began
        ):
            time.sleep(0.002)
        if killed:
            time.sleep(chance.uniform(0.05, 0.2))
            process.kill()
        kills += process.wait() < 0
        if journal.is_file():
            lines = journal.read_bytes().count(b"\n")
            assert lines >= reached
            reached = lines
    assert kills >= 2
    assert contents(folder / "index") == expected
    assert not (folder / UNFINISHED).exists()
    (folder / "index/unfinished.jsonl").unlink(missing_ok=True)
    names = {p.name for p in (folder / "index").iterdir()}
    assert names == {*FILES, "index.json"}


def cut_last_bytes(path, count):
    path.write_bytes(path.read_bytes()[:-count])


@pytest.mark.parametrize(
    ("name", "damage", "kept"),
    [
        # Nothing, a line cut off, a line of rubbish after, rows cut off as by
        # a loss of power, rows changed, rows that no line counts.
        ("unfinished.jsonl", lambda p: None, 20),
        ("unfinished.jsonl", lambda p: cut_last_bytes(p, 9), 16),
        ("unfinished.jsonl", lambda p: p.open("a").write('{"cou'), 20),
        ("unfinished.jsonl", lambda p: p.open("a").write("[1]\n"), 20),
        ("unfinished.jsonl", lambda p: p.write_text(""), 0),
        ("unfinished.jsonl", lambda p: p.write_text("rubbish\n{}\n"), 0),
        ("descriptors.npy", lambda p: cut_last_bytes(p, 1), 16),
        ("descriptors.npy", lambda p: change_byte(p, 128 + 9 * 12), 8),
        ("descriptors.npy", lambda p: p.open("ab").write(b"more"), 20),
        ("descriptors.npy", lambda p: p.write_bytes(b""), 0),
        ("descriptors.npy", lambda p: p.unlink(), 0),
    ],
)
def test_what_is_damaged_is_made_again(begun, name, damage, kept):
    folder, resume = begun
    damage(folder / UNFINISHED / name)
    assert resume() == COUNT - kept


def test_begins_anew_when_asked(begun):
    assert begun[1](restart=True) == COUNT


def test_killed_while_it_gets_its_name(folder, places, monkeypatch):
    """Nothing is encoded again, and an older index stays until then."""
    build(places[:9], folder / "index")

    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("mgtl_tf.galleries.builder.swap_folder", die)
        with pytest.raises(Killed):
            build(places, folder / "index")
    assert len(load_index(folder / "index").places) == 9
    build(places, folder / "index", failing(Killed))
    assert len(load_index(folder / "index").places) == COUNT


def test_another_model_or_other_images_are_refused(begun, places):
    folder, resume = begun
    before = sorted(folder.rglob("*"))
    image = places[150].image
    status = image.stat()
    for encoder, times, message in (
        (
            FakeEncoder(model_hash="0" * 64),
            None,
            f"model is {'f' * 64}, not {'0' * 64}",
        ),
        (None, (0, 1), "file_state is .*, not"),
    ):
        if times:
            os.utime(image, ns=times)
        with pytest.raises(UserError, match=message) as error:
            build(places, folder / "index", encoder)
        assert "restart" in str(error.value)
        assert "\n" not in str(error.value)
    assert sorted(folder.rglob("*")) == before
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert resume() == COUNT - 20


def test_only_one_at_a_time(folder, places):
    class Twice(FakeEncoder):
        def encode_satellite(self, images):
            with pytest.raises(UserError, match="another process is writing"):
                build(places, folder / "index")
            return super().encode_satellite(images)

    build(places, folder / "index", Twice(), 200)


def test_too_many_for_the_memory_are_halved(folder, places, expected):
    build(places, folder / "index", failing(MemoryError, at_most=5), 64)
    name = "descriptors.npy"
    assert (folder / "index" / name).read_bytes() == expected[name]
    with pytest.raises(UserError, match="no memory to encode a single"):
        build(places, folder / "index", failing(MemoryError), 64)


def test_a_full_disk(disk, home, places):
    """Named, nothing lost, and resumed once there is room."""
    root, mount = disk
    assert mount("remount,size=192k")
    index = root / "index"
    encoder = FakeEncoder(lambda image: [image.shape[1]] * 64, 64)
    build(places[:9], index, encoder)
    for leave in (30_000, 20_000, 5_000, 0):
        filler = fill(root, leave)
        with pytest.raises(UserError, match="No space left") as error:
            build(places, index, encoder)
        assert str(root) in str(error.value)
        assert len(load_index(index, verify=True).places) == 9
        filler.unlink()
    encoder.batches.clear()
    build(places, index, encoder)
    assert 0 < sum(encoder.batches) < COUNT
    rows = np.arange(1, COUNT + 1).repeat(64).reshape(-1, 64)
    np.testing.assert_array_equal(load_index(index).descriptors, rows)
