"""How answers are found, and how far apart they lie."""

from pathlib import Path

import numpy as np
import pytest

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.galleries.places import Place
from mgtl_tf.retrieval.answers import answers_of, locate


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
    index = Index(Path("i"), places, np.eye(4, dtype=np.float32), "hash")
    answers = answers_of(index, np.arange(4), np.ones(4))
    metres = [answer.metres_from_first for answer in answers]
    assert metres[:2] == [0, None]
    assert metres[2] == pytest.approx(np.pi / 180 * 6378137.0, abs=1e-3)
    # The shortest way half around goes over a pole: half the meridian.
    assert metres[3] == pytest.approx(20003931.458, abs=1e-2)
    away = answers_of(index, np.arange(1, 4), np.ones(3))
    assert [answer.metres_from_first for answer in away] == [None] * 3
