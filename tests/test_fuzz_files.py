"""Files that are damaged or crafted: one line, or the sound file's answer.

A few hundred changes of kinds that need no network; benchmarks/fuzz_files.py
makes thousands, of every kind.
"""

import signal

import numpy as np
import pytest

from benchmarks import fuzz_files, fuzz_kinds
from benchmarks.watched import outcome_of
from tests.retrieval.identity_inputs import IdentityInputs

_LIGHT = (
    "index.json",
    "gallery, arrays",
    "gallery, text",
    "calibration.json",
    "unfinished.jsonl",
    "unfinished rows",
    "cache, manifest",
    "own CSV",
    "CVUSA's lists",
    "locations CSV",
    "list of images",
    "list of queries",
)
_KINDS = [kind for kind in fuzz_kinds.KINDS if kind.name in _LIGHT]


class _Encoder(IdentityInputs):
    model_hash = "f" * 64
    dimension = 8

    def encode_satellite(self, images):
        rows = [image.ravel()[:8] + 1.0 for image in images]
        return np.float32(rows)


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
        fuzz_kinds.make_light(folder / name, seed, _Encoder())
    return folder


def test_every_light_kind_is_there():
    assert sorted(kind.name for kind in _KINDS) == sorted(_LIGHT)


@pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: kind.name)
def test_changed_files_are_refused_or_answer_the_same(root, kind, capsys):
    counts = fuzz_files.fuzz(kind, root, 25, 1, _Here)
    bad = {"traceback", "hang", "wrong success", "long line"} & counts.keys()
    assert not bad, capsys.readouterr().out
    assert counts.total() == 25
