"""Arrays from damaged and crafted files: one line, and no memory taken."""

import io
import os
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtl_tf.utils.array_files import map_array, read_archive, read_array
from mgtl_tf.utils.plain_files import UnfitFileError

ROWS = np.arange(12, dtype=np.float32).reshape(3, 4)


def _npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def _archive(path, **options):
    return read_archive(path, lambda name: True, **options)


def _claim(text, values=b""):
    """A .npy file with any header text."""
    text = text.ljust((-len(text) - 11) % 64 + len(text)) + "\n"
    return (
        b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()
    ) + values


def _header(shape="(3, 4)", descr="'<f4'", fortran="False"):
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}}}"


CRAFTED = {
    "empty": b"",
    "a picture": b"\xff\xd8\xff\xe0" * 100,
    "cut off in the header": _npy(ROWS)[:50],
    "cut off in the values": _npy(ROWS)[:-1],
    "longer than it says": _npy(ROWS) + b"\0",
    "an expression": _claim(_header("(10**0, 4)"), bytes(48)),
    "a huge shape": _claim(_header(f"({2**40}, {2**40})"), bytes(48)),
    "400 digits": _claim(_header(f"(1{'0' * 400},)"), bytes(48)),
    "none of 400 digits": _claim(_header(f"(0, 1{'0' * 400})")),
    "negative": _claim(_header("(-3, -4)"), bytes(48)),
    "floats": _claim(_header("(3.0, 4)"), bytes(48)),
    "deep": _claim("(" * 5000),
    "deep lists": _claim("[" * 900 + "]" * 900),
    "no keys": _claim("{}"),
    "unhashable": _claim("{[]: 1}"),
    "a pickle": _npy(np.array([{}], object), allow_pickle=True),
    "text": _npy(np.array(["a", "b"])),
    "fields": _npy(np.zeros(3, [("a", "<f4"), ("b", "<i8")])),
    "dates": _npy(np.zeros(3, "M8[s]")),
    "no such type": _claim(_header(descr="'<q9'"), bytes(48)),
    "a type of 2**60": _claim(_header(descr=f"'V{2**60}'"), bytes(48)),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_files_are_one_line(tmp_path, name):
    path = tmp_path / "a.npy"
    path.write_bytes(CRAFTED[name])
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.npy", CRAFTED[name])
    for read, suffix in ((map_array, ".npy"), (_archive, ".npz")):
        with pytest.raises(UnfitFileError) as error:
            read(path.with_suffix(suffix))
        line = str(error.value)
        assert len(line) < 200 and "\n" not in line


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(ROWS),
        ROWS.astype(">f8"),
        np.zeros((0, 4), np.float32),
        np.array(3),
        np.ones((2, 3), bool),
    ],
)
def test_sound_arrays_are_read_as_numpy_reads_them(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", a=array)
    found = [_archive(tmp_path / "a.npz")["a"]]
    found += [f(tmp_path / "a.npy") for f in (read_array, map_array)]
    for values in found:
        assert values.dtype == array.dtype
        np.testing.assert_array_equal(values, array)


def test_what_is_expected_is_compared(tmp_path):
    np.save(tmp_path / "a.npy", ROWS)
    read_array(tmp_path / "a.npy", "<f4", (None, 4))
    with pytest.raises(UnfitFileError, match="holds float32, not float64"):
        read_array(tmp_path / "a.npy", "<f8")
    for shape in ((3, 5), (12,), (None, 3)):
        with pytest.raises(UnfitFileError, match=r"has shape \(3, 4\)"):
            read_array(tmp_path / "a.npy", "<f4", shape)


@pytest.mark.parametrize("read", [map_array, _archive])
def test_a_pipe_is_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "a.npy")
    with pytest.raises(UnfitFileError, match="not a file"):
        read(tmp_path / "a.npy")


@settings(max_examples=100)
@given(st.data())
def test_a_changed_npz_is_refused_or_the_same(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("npz")
    np.savez(folder / "a.npz", a=ROWS, b=ROWS[0])
    content = bytearray((folder / "a.npz").read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:place]
    else:
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    (folder / "b.npz").write_bytes(content)
    try:
        found = _archive(folder / "b.npz")
    except UnfitFileError:
        return
    # A changed name in the directory is another array's, not another array.
    for name, values in found.items():
        wanted = ROWS[0] if values.ndim == 1 else ROWS
        np.testing.assert_array_equal(values, wanted, name)


def test_a_member_that_unpacks_to_gigabytes_is_not_read(tmp_path):
    path = tmp_path / "a.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file,
        file.open("a.npy", "w") as member,
    ):
        member.write(_claim(_header("(8_000_000,)")))
        member.write(bytes(32_000_000))
    tracemalloc.start()
    with pytest.raises(UnfitFileError, match="over 16,777,216 bytes"):
        _archive(path, largest=2**24)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
