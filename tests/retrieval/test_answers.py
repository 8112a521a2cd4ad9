"""How answers are found, and how far apart they lie."""

from pathlib import Path

import numpy as np
import pytest

from mgtl_tf.retrieval.answers import locate, metres_from_first
from mgtl_tf.retrieval.galleries.gallery import Index
from mgtl_tf.retrieval.galleries.places import Place
from mgtl_tf.utils.geodesy import earth_centred, geodesic_metres


@pytest.fixture
def located():
    places = [
        Place("here", Path("g/here.jpg"), (38.25, -77.5)),
        Place("there", Path("g/there.jpg")),
        Place("far", Path("g/far.jpg"), (-33.0, 151.0)),
    ]
    gallery = np.float32([[1, 0], [0.6, 0.8], [0, 1]])
    index = Index(Path("i"), places, gallery, "hash")
    queries = np.float32([[0.8, 0.6], [0, 1]])
    images = [Path("a.jpg"), Path("b.jpg")]
    return locate(images, queries, index, 2, ["far", None])


def test_answers_by_hand(located):
    first, second = located
    assert [a.place.id for a in first.answers] == ["there", "here"]
    assert [a.rank for a in first.answers] == [1, 2]
    assert [a.similarity for a in first.answers] == pytest.approx([0.96, 0.8])
    assert (first.truth, first.truth_rank) == ("far", 3)
    assert [a.place.id for a in second.answers] == ["far", "there"]
    assert (second.truth, second.truth_rank) == (None, None)
    assert first.answers[0].metres_from_first is None


def test_distances_are_those_of_the_ellipsoid():
    """A degree along the equator is a known share of its circumference."""
    places = [
        Place("origin", Path("a.jpg"), (0.0, 10.0)),
        Place("nowhere", Path("b.jpg")),
        Place("east", Path("c.jpg"), (0.0, 11.0)),
        Place("across the date line", Path("d.jpg"), (0.0, -170.0)),
    ]
    metres = metres_from_first(places)
    radius = 6378137.0
    assert metres[0] == 0
    assert np.isnan(metres[1])
    assert metres[2] == pytest.approx(np.pi / 180 * radius, abs=1e-3)
    # The shortest way half around goes over a pole: half the meridian.
    assert metres[3] == pytest.approx(20003931.458, abs=1e-2)
    assert np.isnan(metres_from_first(places[1:])).all()


def test_distance_agrees_with_the_chord_nearby():
    """Over some 100 m the ellipsoid is as good as flat."""
    where = np.array([[46.948, 7.4474], [46.9487, 7.4486]])
    chord = np.linalg.norm(np.diff(earth_centred(*where.T), axis=0))
    assert geodesic_metres(where[0], where)[1] == pytest.approx(chord, abs=1e-5)
