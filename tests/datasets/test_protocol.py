"""Protocols against plain geometry: which columns are shown, and where."""

import numpy as np
import pytest

from mgtl_tf.datasets.protocols import (
    ALIGNED,
    DEGREES,
    Protocol,
    ProtocolSource,
)
from mgtl_tf.datasets.records import Pair
from mgtl_tf.utils.errors import UserError

WIDTH = 616
MEAN = (124, 117, 104)


class Columns:
    """Every pixel of column j has the colour that stands for j."""

    def __init__(self, count, width=WIDTH):
        j = np.arange(width)
        colors = np.stack([j // 200, j % 200, 0 * j], axis=1).astype(np.uint8)
        self.images = np.broadcast_to(colors, (count, 2, width, 3))

    def __len__(self):
        return len(self.images)

    def load(self, rows):
        return self.images[rows], self.images[rows]


def pairs(count):
    return [Pair(f"{i:07d}", "g.jpg", "a.jpg") for i in range(count)]


def shown(kind, count=200, seed=0, rows=None):
    """Which aligned column each column shows, -1 for none, int [n, W]."""
    rows = np.arange(count) if rows is None else rows
    source = ProtocolSource(Columns(count), pairs(count), Protocol(kind, seed))
    ground, satellite = source.load(rows)
    np.testing.assert_array_equal(satellite, Columns(count).images[rows])
    assert ground.dtype == np.uint8 and (ground[:, 0] == ground[:, 1]).all()
    columns = ground[:, 0, :, 0].astype(int) * 200 + ground[:, 0, :, 1]
    return np.where(ground[:, 0, :, 2] == MEAN[2], -1, columns)


def test_aligned_changes_nothing():
    assert (shown("aligned", 3) == np.arange(WIDTH)).all()


@pytest.mark.parametrize(
    ("kind", "kept"),
    # DSM: int(W * degrees / 360); 70 degrees are 119.8 columns.
    [
        ("unknown_orientation", 616),
        ("fov_180", 308),
        ("fov_90", 154),
        ("fov_70", 119),
    ],
)
def test_a_whole_arc_in_the_middle_from_a_random_azimuth(kind, kept):
    columns = shown(kind)
    first = (WIDTH - kept) // 2
    middle = columns[:, first : first + kept]
    assert (middle >= 0).all()
    assert (np.diff(middle, axis=1) % WIDTH == 1).all()
    outside = np.delete(columns, np.s_[first : first + kept], axis=1)
    assert (outside == -1).all()
    # Uniform: 200 azimuths reach every eighth of the circle about equally.
    counts = np.bincount(middle[:, 0] * 8 // WIDTH, minlength=8)
    assert counts.min() >= 10 and counts.max() <= 45


def test_the_unseen_is_the_mean_that_the_network_subtracts():
    source = ProtocolSource(Columns(1), pairs(1), Protocol("fov_70"))
    ground = source.load(np.arange(1))[0]
    assert (ground[0, :, 0] == MEAN).all() and (ground[0, :, -1] == MEAN).all()


def test_azimuths_depend_on_seed_and_pair_alone():
    everything = shown("unknown_orientation")
    order = np.random.default_rng(0).permutation(200)[:60]
    some = shown("unknown_orientation", rows=order)
    np.testing.assert_array_equal(some, everything[order])
    other = shown("unknown_orientation", seed=1)
    assert (other[:, 0] != everything[:, 0]).mean() > 0.9
    # A narrower view is cut from the very same turned panorama.
    narrow = shown("fov_90")
    seen = narrow >= 0
    np.testing.assert_array_equal(narrow[seen], everything[seen])


def test_every_difference_is_in_the_name():
    protocols = [Protocol(kind) for kind in DEGREES]
    protocols += [Protocol("fov_90", 1), Protocol(hit_metres=5.0)]
    protocols += [Protocol(transfer="cvusa to cvact")]
    assert len({p.name for p in protocols}) == len(protocols)
    assert ALIGNED.name == "aligned" and ALIGNED.file_suffix == ""
    assert (
        Protocol("fov_70", 3, 5.0, "cvusa to cvact").name
        == "field of view 70 degrees, unknown orientation, seed 3, right"
        " within 5 m, cross-data-set cvusa to cvact"
    )
    suffixes = {p.file_suffix for p in protocols[:-1]}
    assert len(suffixes) == len(protocols) - 1


def test_what_does_not_fit_is_named():
    with pytest.raises(UserError, match="protocol=fov_45: must be one of"):
        Protocol("fov_45")
    with pytest.raises(UserError, match="hit_metres=-1"):
        Protocol(hit_metres=-1)
    with pytest.raises(UserError, match="hit_metres=nan"):
        Protocol(hit_metres=float("nan"))
    with pytest.raises(ValueError, match="3 rows and 2 pairs"):
        ProtocolSource(Columns(3), pairs(2), ALIGNED)
