"""A run's code version covers what decides a figure, and nothing else."""

import pytest

from mgtl_tf.reproduction.code_version import (
    code_alone,
    code_version,
    deciding_modules,
)
from tests import programs


def test_everything_that_training_and_evaluation_load_is_covered():
    done = programs.run("tests.reproduction.loaded_modules")
    assert done.returncode == 0, done.stderr
    loaded = dict(line.split() for line in done.stdout.splitlines())
    assert len(loaded) > 100
    covered = {name: str(path) for name, path in deciding_modules().items()}
    assert loaded.items() <= covered.items()
    # Imported where they are used, inside functions, or only by the world.
    for name in (
        "polar.geometry",
        "polar.transform",
        "mgtl_tf.evaluation.recall_within",
        "mgtl_tf.datasets.hard_negatives",
        "mgtl_tf.synthetic.cameras.render_ground",
        "mgtl_tf.presets.procedural",
    ):
        assert name in covered
    assert not [n for n in covered if n.startswith("mgtl_tf.serving")]
    assert not [n for n in covered if n.startswith("mgtl_tf.reproduction")]


BEFORE = b"""
'''A module.'''
def warp(image, height=112):
    '''Warps.'''
    return image * height  # by the equation
"""


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (b"# by the equation", b"# as Eq. 1 says", True),
        (b"A module.", b"Another.", True),
        (b"'''Warps.'''", b"'''Warps it.'''", True),
        (b"image * height", b"(image *\n        height)", True),
        (b"image * height", b"image + height", False),
        (b"112", b"113", False),
        (b"112", b"112.0", False),
        (b"def warp", b"@staticmethod\ndef warp", False),
    ],
)
def test_only_what_is_computed_counts(old, new, same):
    after = BEFORE.replace(old, new)
    assert after != BEFORE
    assert (code_alone(after) == code_alone(BEFORE)) is same


def test_a_changed_deciding_file_is_another_version(tmp_path, monkeypatch):
    found = deciding_modules()
    copy = tmp_path / "geometry.py"
    copy.write_bytes(found["polar.geometry"].read_bytes() + b"\nRADIUS = 3\n")
    changed = {**found, "polar.geometry": copy}
    before = code_version()
    monkeypatch.setattr(
        "mgtl_tf.reproduction.code_version.deciding_modules", lambda: changed
    )
    code_version.cache_clear()
    try:
        assert code_version() != before
    finally:
        code_version.cache_clear()
