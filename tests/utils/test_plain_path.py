"""Plain names for folders of any name, which libraries then read and write."""

import re

import pytest
import tensorflow as tf

from mgtl_tf.utils.plain_path import plain_path
from tests.utils.test_atomic_io import NAMES


def is_plain(path):
    return re.fullmatch(r"[A-Za-z0-9_./-]+", str(path))


@pytest.fixture(autouse=True)
def plain_tmp(monkeypatch):
    """The temporary folder's own name is no better than others."""
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("TMPDIR", "/tmp")


def test_a_plain_path_is_itself(tmp_path, monkeypatch):
    monkeypatch.chdir("/usr")
    with plain_path("lib") as plain:
        assert str(plain) == "/usr/lib"


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_any_name(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    with plain_path(folder) as plain:
        assert is_plain(plain)
        (plain / "a").write_text("text")
        found = tf.io.gfile.glob(str(plain / "*"))
        assert [path.rpartition("/")[2] for path in found] == ["a"]
    assert (folder / "a").read_text() == "text"
    assert plain == folder or not plain.exists()


@pytest.mark.parametrize("name", [n for n in NAMES if len(n) < 99])
def test_a_file_of_any_name_in_such_a_folder(tmp_path, name):
    """One that is there, and one that is made through the plain name."""
    folder = tmp_path / name
    folder.mkdir()
    for file in ("plain.onnx", f"{name}.onnx"):
        for content in (b"new", b"changed"):
            with plain_path(folder / file) as plain:
                assert is_plain(plain)
                assert plain.suffix == ".onnx"
                plain.write_bytes(content)
            assert (folder / file).read_bytes() == content


def test_a_temporary_folder_of_such_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "[1]").mkdir()
    with plain_path(tmp_path / "[1]") as plain:
        assert is_plain(plain)
