"""MATLAB files: what crashes SciPy's reader is one line here."""

import os

import numpy as np
import pytest
import scipy.io

from mgtl_tf.datasets.mat_file import read_mat
from mgtl_tf.utils.errors import UserError

IDS = [f"{number:07d}" for number in range(1, 41)]


@pytest.fixture
def table(tmp_path):
    fields = {
        "panoIds": np.array(IDS),
        "utm": np.ones((40, 2)) / 3,
        "trainSet": {"trainInd": np.arange(1, 31)[:, None]},
        "valSet": {"valInd": np.arange(31, 41)[:, None]},
    }
    scipy.io.savemat(tmp_path / "a.mat", fields)
    return tmp_path / "a.mat"


def test_fields_are_read_to_the_last_bit(table):
    found = read_mat(table, ["panoIds", "utm", "valSet", "none"])
    assert sorted(found) == ["panoIds", "utm", "valSet"]
    assert list(found["panoIds"]) == IDS
    np.testing.assert_array_equal(found["utm"], np.full((40, 2), 1 / 3))
    assert found["valSet"]["valInd"].tolist() == list(range(31, 41))


@pytest.mark.parametrize(("place", "flip"), [(521, 8), (1676, 64), (1305, 1)])
def test_a_byte_that_crashes_the_reader(table, place, flip):
    """By a segmentation fault, with SciPy 1.17.1; others may refuse it."""
    content = bytearray(table.read_bytes())
    content[place] ^= flip
    table.write_bytes(content)
    with pytest.raises(UserError, match="not a readable MATLAB") as error:
        read_mat(table, ["panoIds", "utm", "trainSet", "valSet"])
    assert "\n" not in str(error.value)


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "a.mat")
    for path in (tmp_path / "a.mat", tmp_path, tmp_path / "none"):
        with pytest.raises(UserError, match="not a readable MATLAB file"):
            read_mat(path, ["utm"])
