"""An index that is killed, hindered and gone on with."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mgtl_tf.galleries.builder import build_index
from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.galleries.manifest import FILES
from mgtl_tf.utils.errors import UserError
from tests.galleries.gallery_making import SlowEncoder, places
from tests.galleries.wide_images import write_wide
from tests.small_disk import fill

ROOT = Path(__file__).parents[2]
UNFINISHED = ".index.unfinished"


def make_images(folder, count=203):
    (folder / "images").mkdir()
    for n in range(count):
        write_wide(folder / f"images/{n:04}.jpg", n + 1)
    return folder


def contents(index):
    return {name: (index / name).read_bytes() for name in FILES}


@pytest.fixture
def whole(tmp_path):
    """A folder with images, and the files of their uninterrupted index."""
    folder = make_images(tmp_path)
    build_index(SlowEncoder(), places(folder), folder / "whole", 4, False)
    return folder, contents(folder / "whole")


def test_killed_again_and_again(whole):
    """A real process and a real SIGKILL: the end is the same to the byte."""
    folder, expected = whole
    chance = random.Random(1)
    kills, reached = 0, 0
    while not (folder / "index").exists():
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.galleries.gallery_making", folder],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
        )
        # From when it began to write: the start alone takes a second.
        journal = folder / UNFINISHED / "unfinished.jsonl"
        began = time.time()
        while process.poll() is None and (
            not journal.is_file() or journal.stat().st_mtime < began
        ):
            time.sleep(0.002)
        time.sleep(chance.uniform(0.05, 0.2))
        process.kill()
        if process.wait() < 0:
            kills += 1
        if (folder / "index").exists():
            load_index(folder / "index", verify=True)
        elif journal.is_file():
            lines = journal.read_bytes().count(b"\n")
            assert lines >= reached
            reached = lines
    assert kills >= 2
    assert contents(folder / "index") == expected
    assert not (folder / UNFINISHED).exists()
    (folder / "index/unfinished.jsonl").unlink(missing_ok=True)
    assert {p.name for p in (folder / "index").iterdir()} == {
        *FILES,
        "index.json",
    }


class Killed(BaseException):
    pass


class DyingEncoder(SlowEncoder):
    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def encode_satellite(self, images):
        self.left -= 1
        if self.left < 0:
            raise Killed
        return super().encode_satellite(images)


@pytest.fixture
def begun(whole):
    """The same after five of its batches, and what goes on with it."""
    folder, expected = whole
    with pytest.raises(Killed):
        build_index(DyingEncoder(5), places(folder), folder / "index", 4, False)

    def resume(**options):
        encoder = SlowEncoder()
        build_index(
            encoder, places(folder), folder / "index", 4, False, **options
        )
        assert contents(folder / "index") == expected
        return encoder.images

    return folder, resume


def test_begins_anew_when_asked(begun):
    _, resume = begun
    assert resume(restart=True) == 203


def cut_last_bytes(path, count):
    path.write_bytes(path.read_bytes()[:-count])


def change_byte(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


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
        ("descriptors.npy", lambda p: change_byte(p, 128 + 9 * 256), 8),
        ("descriptors.npy", lambda p: p.open("ab").write(b"more"), 20),
        ("descriptors.npy", lambda p: p.write_bytes(b""), 0),
        ("descriptors.npy", lambda p: p.unlink(), 0),
    ],
)
def test_what_is_damaged_is_made_again(begun, name, damage, kept):
    folder, resume = begun
    damage(folder / UNFINISHED / name)
    assert resume() == 203 - kept


def test_killed_while_it_gets_its_name(whole, monkeypatch):
    """Nothing is encoded again, and an older index stays until then."""
    folder, expected = whole
    build_index(SlowEncoder(), places(folder)[:9], folder / "index", 4, False)

    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("mgtl_tf.galleries.builder.swap_folder", die)
        with pytest.raises(Killed):
            build_index(SlowEncoder(), places(folder), folder / "index", 4)
    assert len(load_index(folder / "index").places) == 9
    encoder = SlowEncoder()
    build_index(encoder, places(folder), folder / "index", 4, False)
    assert encoder.images == 0
    assert contents(folder / "index") == expected


def test_another_model_or_other_images_are_refused(begun):
    folder, resume = begun

    class Other(SlowEncoder):
        model_hash = "0" * 64

    before = sorted(folder.rglob("*"))
    image = folder / "images/0150.jpg"
    status = image.stat()
    for encoder, change, message in (
        (Other(), lambda: None, f"model is {'f' * 64}, not {'0' * 64}"),
        (
            SlowEncoder(),
            lambda: os.utime(image, ns=(0, 1)),
            "file_state is .*, not",
        ),
    ):
        change()
        with pytest.raises(UserError, match=message) as error:
            build_index(encoder, places(folder), folder / "index", 4, False)
        assert "restart" in str(error.value)
        assert "\n" not in str(error.value)
    assert sorted(folder.rglob("*")) == before
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert resume() == 183


def test_only_one_at_a_time(begun):
    folder, _ = begun

    class Twice(SlowEncoder):
        def encode_satellite(self, images):
            with pytest.raises(UserError, match="another process is writing"):
                build_index(
                    SlowEncoder(), places(folder), folder / "index", 4, False
                )
            return super().encode_satellite(images)

    build_index(Twice(), places(folder)[:], folder / "index", 200, False)


def test_too_many_for_the_memory_are_halved(whole):
    folder, expected = whole

    class Small(SlowEncoder):
        def encode_satellite(self, images):
            if len(images) > 5:
                raise MemoryError
            return super().encode_satellite(images)

    build_index(Small(), places(folder), folder / "index", 64, False)
    assert contents(folder / "index") == expected

    class None_(SlowEncoder):
        def encode_satellite(self, images):
            raise MemoryError

    with pytest.raises(UserError, match="no memory to encode a single"):
        build_index(None_(), places(folder), folder / "index", 64, False)


def test_a_full_disk(disk, whole):
    """Named, nothing lost, and resumed once there is room."""
    folder, expected = whole
    root, mount = disk
    assert mount("remount,size=192k")
    index = root / "index"
    build_index(SlowEncoder(), places(folder)[:9], index, 4, False)
    for leave in (30_000, 20_000, 5_000, 0):
        filler = fill(root, leave)
        with pytest.raises(UserError, match="No space left") as error:
            build_index(SlowEncoder(), places(folder), index, 4, False)
        assert str(root) in str(error.value)
        assert len(load_index(index, verify=True).places) == 9
        filler.unlink()
    encoder = SlowEncoder()
    build_index(encoder, places(folder), index, 4, False)
    assert 0 < encoder.images < 203
    assert contents(index).keys() == expected.keys()
    np.testing.assert_array_equal(
        load_index(index).descriptors, load_index(folder / "whole").descriptors
    )
