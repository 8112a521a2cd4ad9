"""Rows and a journal of parts: what was finished counts, and nothing else."""

import dataclasses
import errno
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgtl_tf.utils import part_files
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.part_files import (
    Journal,
    RowFile,
    differences,
    read_journal,
)

PLAN = {"seed": 3, "size": [2, 4]}


@dataclasses.dataclass(frozen=True)
class Part:
    number: int
    names: list[str]


PARTS = [Part(n, [f"b\udcfc{n}", '", "']) for n in range(3)]


def test_rows_in_any_order_are_a_numpy_file(tmp_path):
    values = np.arange(60, dtype=np.float32).reshape(5, 3, 4)
    file = RowFile(tmp_path / "a.npy", (3, 4), "<f4")
    assert file.crc32(0, 0) is None
    file.resize(9)
    file.write(3, values[3:])
    crc32 = file.write(0, values[:1])
    assert file.write(1, values[1:3], crc32) == file.crc32(0, 3)
    file.resize(5)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), values)
    assert file.crc32(3, 3) is None
    np.save(tmp_path / "b.npy", values)
    a, b = ((tmp_path / f"{n}.npy").read_bytes() for n in "ab")
    assert a == b


def _written(folder):
    path = folder / "a.jsonl"
    journal = Journal(path, PLAN, PARTS[:2], [])
    journal.append(PARTS[2], 0)
    journal.close()
    return path


@given(st.data())
def test_a_damaged_journal_counts_up_to_the_damage(tmp_path_factory, data):
    path = _written(tmp_path_factory.mktemp("journal"))
    assert read_journal(path, Part) == (PLAN, PARTS)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:place]
    else:
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    found = read_journal(path, Part)
    if found is not None:
        assert found[0] == PLAN
        assert found[1] == PARTS[: len(found[1])]
        assert len(found[1]) >= content[:place].count(b"\n") - 1


def test_what_is_no_journal(tmp_path):
    assert read_journal(tmp_path / "a", Part) is None
    for content in (b"", b"{}\n", b"[1, {}]\n", b"\xff"):
        (tmp_path / "a").write_bytes(content)
        assert read_journal(tmp_path / "a", Part) is None
    os.mkfifo(tmp_path / "pipe")
    assert read_journal(tmp_path / "pipe", Part) is None
    with pytest.raises(UserError, match="pipe: is no regular file"):
        Journal(tmp_path / "pipe", PLAN, [], [])


def test_rows_are_synced_meanwhile_and_no_failure_is_lost(
    tmp_path, monkeypatch
):
    """The system reports a failed sync once."""
    synced, failures = [], []

    def sync(path):
        synced.append(path.name)
        if failures:
            raise failures.pop()

    monkeypatch.setattr(part_files, "sync", sync)
    monkeypatch.setattr(part_files, "_SYNC_BYTES", 40)
    files = [RowFile(tmp_path / name, (5,), "|u1") for name in "ab"]
    journal = Journal(tmp_path / "j", PLAN, [], files)
    for rows, expected in ((3, 0), (1, 2), (3, 2), (9, 4)):
        journal.append(PARTS[0], rows)
        if journal._syncing is not None:
            journal._syncing.result()
        assert len(synced) == expected
    journal.sync()
    assert synced == ["a", "b"] * 3
    for later in (lambda: journal.append(PARTS[0], 9), journal.sync):
        failures.append(OSError(errno.EIO, "Input/output error"))
        journal.append(PARTS[0], 9)
        journal._syncing.exception()
        with pytest.raises(OSError, match="Input/output error"):
            later()
        journal._syncing = None
    journal.close()


def test_differences_stay_short_whatever_a_file_says():
    wanted = {"image_size": (9, 20), "crop": "top"}
    assert differences({"image_size": [8, 20], "crop": "top"}, wanted) == (
        "image_size is [8, 20], not [9, 20]"
    )
    crafted = {f"{'y' * 999}{n}": ["y" * 10**5] for n in range(999)}
    assert len(differences(crafted, wanted)) < 1500
