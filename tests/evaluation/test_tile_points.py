"""Metres of centres and of predicted points, against geodesics by hand."""

import numpy as np
import pyproj
import pytest

from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.datasets.records import offsets_of
from mgtl_tf.evaluation import descriptors as evaluation
from mgtl_tf.evaluation.result_text import format_table
from tests.datasets.vigor_tree import ORDER, RESOLUTION, make_vigor

GEOD = pyproj.Geod(ellps="WGS84")


@pytest.fixture(scope="module", params=["corrected", "original"])
def dataset(tmp_path_factory, request):
    def image(path):  # no two files are the same image
        path.write_text(path.name)

    root = make_vigor(tmp_path_factory.mktemp("v"), image)
    return read_dataset(
        "vigor", root, [], {"labels": request.param, "protocol": "same"}
    )


def one_hot(dataset, firsts):
    """Descriptors by which each panorama finds a tile, [8, 24], [24, 24]."""
    rows = [*dataset.validation, *dataset.distractors]
    number = {row.aerial: n for n, row in enumerate(rows)}
    gallery = np.eye(len(rows), dtype="float32")
    return gallery[[number[tile.aerial] for tile in firsts]], gallery


def measured(dataset, firsts, predict=None):
    ground, gallery = one_hot(dataset, firsts)
    return evaluation.rank_embedded(
        ground,
        gallery,
        dataset.validation,
        dataset.distractors,
        predict=predict,
    )


def metres(pair, tile):
    return GEOD.inv(*pair.coordinates[::-1], *tile.coordinates[::-1])[2]


def test_centres_are_as_far_as_geodesics_say(dataset):
    """The first tile is the positive of some, a semi-positive of others."""
    pairs = dataset.validation
    firsts = [pair.tiles.images[n % 4] for n, pair in enumerate(pairs)]
    ranks = measured(dataset, firsts)
    wanted = [metres(p, t) for p, t in zip(pairs, firsts, strict=True)]
    assert ranks.tiles["first_metres"] == pytest.approx(wanted, abs=0.01)
    near = np.array(wanted) <= 10
    assert ranks.tiles["within_10m"].tolist() == near.tolist()
    assert not any("point" in name for name in ranks.tiles)
    found = ranks.result("aligned")["tiles"]
    assert found["first_metres"] == pytest.approx(np.mean(wanted), abs=0.01)
    median = pytest.approx(np.median(wanted), abs=0.01)
    assert found["first_metres_median"] == median


def test_the_labels_own_offsets_lead_to_the_panorama(dataset):
    """Whichever label set: its offsets are counted by its own resolution."""
    truth = offsets_of(dataset.validation)
    firsts = [pair.tiles.images[0] for pair in dataset.validation]
    ranks = measured(dataset, firsts, lambda ground, _: truth)
    # Labels are whole pixels, and the made tree's Earth a sphere.
    assert ranks.tiles["own_point_metres"].max() < 0.3
    np.testing.assert_array_equal(
        ranks.tiles["point_metres"], ranks.tiles["own_point_metres"]
    )
    assert ranks.tiles["point_within_10m"].all()
    text = format_table(ranks.result("aligned"))
    assert "offset head, in the first tile: 100.00 % within 10 m" in text
    assert "with perfect retrieval" in text and "ceiling of centre-only" in text


def test_a_point_is_so_far_in_so_large_a_tile(dataset):
    """No metre of a prediction is another city's: Seattle's tile is small."""
    firsts = [pair.tiles.images[0] for pair in dataset.validation]
    south, east = 0.4, 0.2

    def predict(ground, satellite):
        assert len(ground) == len(satellite)
        return np.tile([[south, -east]], (len(ground), 1))

    found = measured(dataset, firsts, predict).tiles
    original = dataset.remarks[0].startswith("vigor_labels=original")
    for n, (pair, tile) in enumerate(
        zip(dataset.validation, firsts, strict=True)
    ):
        city = ORDER.index(pair.id.partition("/")[0])
        side = 640 * (0.114 if original else RESOLUTION[city])
        assert pair.side_metres == tile.side_metres == pytest.approx(side)
        azimuth = np.degrees(np.arctan2(east, -south))
        reach = np.hypot(south, east) * side / 2
        longitude, latitude, _ = GEOD.fwd(
            *tile.coordinates[::-1], azimuth, reach
        )
        apart = GEOD.inv(*pair.coordinates[::-1], longitude, latitude)[2]
        assert found["point_metres"][n] == pytest.approx(apart, abs=0.01)
        share = pytest.approx(apart / side, abs=1e-3)
        assert found["own_point_sides"][n] == share


def test_a_wrong_tile_s_point_lies_in_that_tile(dataset):
    """Also of a tile of another city, and of one that no panorama is in."""
    pairs, gallery = dataset.validation, dataset.gallery
    # The last tile of a panorama's own city, or of the next one.
    firsts = [gallery[(6 * (n // 2 + n % 2) + 5) % 24] for n in range(8)]
    zeros = lambda ground, _: np.zeros((len(ground), 2))  # noqa: E731
    found = measured(dataset, firsts, zeros).tiles
    wanted = [metres(p, t) for p, t in zip(pairs, firsts, strict=True)]
    # Straight through the Earth, where a city is far away.
    near = np.array(wanted) < 1000
    assert near.tolist() == [True, False] * 4
    np.testing.assert_allclose(
        found["point_metres"], found["first_metres"], rtol=1e-6
    )
    assert found["first_metres"][near] == pytest.approx(
        np.array(wanted)[near], abs=0.01
    )
    assert (found["own_point_metres"] < 40).all()
