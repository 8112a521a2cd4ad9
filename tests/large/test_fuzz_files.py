"""Files that are damaged or crafted: one line, or the sound file's answer.

    TRIES=5000 SEED=0 KINDS=.mat python -m pytest -s --run-large \
        tests/large/test_fuzz_files.py

By default a few hundred changes of kinds that need no network.
"""

import os
import signal

import pytest

from tests.galleries.encoders import FakeEncoder
from tests.large import file_kinds, fuzz, sound_files
from tests.large.watched import Watched, outcome_of

TRIES = int(os.environ.get("TRIES", 5000))
SEED = int(os.environ.get("SEED", 0))
WORDS = os.environ.get("KINDS", "").split(",")

_LIGHT = (
    "gallery/index.json",
    "gallery/*.npy",
    "gallery/calibration.json",
    ".unfinished/unfinished.jsonl",
    ".unfinished/descriptors.npy",
    "prepared/*/manifest.json",
    "own/*.csv",
    "cvusa/splits/*.csv",
    "where.csv",
    "list.csv",
    "queries.csv",
)
_KINDS = [kind for kind in file_kinds.KINDS if kind.name in _LIGHT]


class _Here:
    """A reader in this process; a pipe would be waited for until the alarm."""

    def __init__(self, begin):
        self._read = begin()

    def ask(self):
        signal.alarm(60)
        try:
            return (*outcome_of(self._read), 0.0, 0)
        finally:
            signal.alarm(0)

    def close(self):
        """Nothing to end."""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    for seed, name in enumerate(("sound", "other")):
        sound_files.make_light(
            folder / name,
            seed,
            FakeEncoder(lambda image: image.ravel()[:8] + 1.0, 8),
        )
    return folder


def test_every_light_kind_is_there():
    assert sorted(kind.name for kind in _KINDS) == sorted(_LIGHT)


@pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: kind.name)
def test_changed_files_are_refused_or_answer_the_same(root, kind, capsys):
    counts = fuzz.fuzz(kind, root, 25, 1, _Here)
    bad = {"traceback", "hang", "wrong success", "long line"} & counts.keys()
    assert not bad, capsys.readouterr().out
    assert counts.total() == 25


@pytest.mark.large
def test_thousands_of_changes_of_every_kind(tmp_path, monkeypatch):
    """A table counts what became of each kind; what should not be is listed."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    kinds = [k for k in file_kinds.KINDS if any(w in k.name for w in WORDS)]
    weights = sum(kind.weight for kind in kinds)
    fuzz.make_both(tmp_path)
    rows = {}
    for kind in kinds:
        tries = max(1, round(TRIES * kind.weight / weights))
        rows[kind.name] = fuzz.fuzz(
            kind, tmp_path, tries, SEED, lambda begin: Watched(begin, 60.0)
        )
    print(fuzz.table(rows))
    assert not any(counts[bad] for counts in rows.values() for bad in fuzz.BAD)
