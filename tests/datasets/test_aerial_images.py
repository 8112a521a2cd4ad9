"""Which files are one aerial image, and what that costs."""

import os

import numpy as np
import pytest

from mgtl_tf.datasets.aerial_images import distinct_files, first_rows, one_each


def test_same_file_link_or_bytes_are_one_image(tmp_path):
    one, other = tmp_path / "one.jpg", tmp_path / "other.jpg"
    one.write_bytes(b"a" * 9000)
    other.write_bytes(b"b" * 9000)
    copy = tmp_path / "copy.png"
    copy.write_bytes(one.read_bytes())
    (tmp_path / "link.jpg").symlink_to(other)
    os.link(one, tmp_path / "hard.jpg")
    (tmp_path / "folder").symlink_to(tmp_path)
    paths = [
        other,
        one,
        copy,
        tmp_path / "link.jpg",
        tmp_path / "hard.jpg",
        tmp_path / "folder" / "one.jpg",
        tmp_path / "folder" / ".." / tmp_path.name / "other.jpg",
    ]
    assert distinct_files(paths).tolist() == [0, 1, 1, 0, 1, 1, 0]


@pytest.mark.parametrize("at", [0, 4999, 8999])
def test_one_byte_makes_another_image(tmp_path, at):
    for name in "ab":
        content = bytearray(9000)
        content[at] = ord(name)
        (tmp_path / name).write_bytes(content)
    paths = [tmp_path / "a", tmp_path / "b"]
    assert distinct_files(paths).tolist() == [0, 1]


def test_what_is_no_readable_file_is_itself_alone(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # reading it would never end
    for name in ("empty", "void"):
        (tmp_path / name).touch()
    names = ["pipe", "none", "empty", "void", "nothing", "none", "pipe"]
    found = distinct_files([tmp_path / name for name in names])
    assert found.tolist() == [0, 1, 2, 3, 4, 1, 0]
    assert distinct_files([]).tolist() == []


def test_first_rows():
    images = np.array([0, 1, 0, 2, 1])
    assert first_rows(images).tolist() == [0, 1, 3]
    rows = np.arange(5) * 10
    assert one_each(rows, images).tolist() == [0, 10, 30]
    assert one_each(rows, np.arange(5)) is rows
