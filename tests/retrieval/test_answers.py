"""How answers are found and told."""

import json
from pathlib import Path

import numpy as np
import pytest

from mgtl_tf.retrieval.answers import as_geojson
from mgtl_tf.retrieval.answers import as_json
from mgtl_tf.retrieval.answers import as_table
from mgtl_tf.retrieval.answers import locate
from mgtl_tf.retrieval.index import Index
from mgtl_tf.retrieval.places import Place


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


def test_json(located):
    first, second = json.loads(as_json(located))
    assert first["image"] == "a.jpg"
    assert first["truth_rank"] == 3
    assert second["truth"] is None
    assert first["answers"] == [
        {
            "rank": 1,
            "id": "there",
            "similarity": 0.96,
            "latitude": None,
            "longitude": None,
            "image": "g/there.jpg",
        },
        {
            "rank": 2,
            "id": "here",
            "similarity": 0.8,
            "latitude": 38.25,
            "longitude": -77.5,
            "image": "g/here.jpg",
        },
    ]


def test_geojson_has_longitude_first(located):
    collection = json.loads(as_geojson(located))
    assert set(collection) == {"type", "features"}
    assert collection["type"] == "FeatureCollection"
    features = collection["features"]
    assert len(features) == 4
    for feature in features:
        assert set(feature) == {"type", "geometry", "properties"}
        assert feature["type"] == "Feature"
    assert features[0]["geometry"] is None
    assert features[1]["geometry"] == {
        "type": "Point",
        "coordinates": [-77.5, 38.25],
    }
    assert features[2]["properties"] == {
        "query": "b.jpg",
        "rank": 1,
        "id": "far",
        "similarity": 1.0,
        "is_true_place": None,
    }


def test_table(located):
    assert as_table(located) == "\n".join(
        [
            "a.jpg",
            "rank  id     similarity    latitude   longitude",
            "   1  there      0.9600           -           -",
            "   2  here       0.8000   38.250000  -77.500000",
            "true place: far, rank 3",
            "",
            "b.jpg",
            "rank  id     similarity    latitude   longitude",
            "   1  far        1.0000  -33.000000  151.000000",
            "   2  there      0.8000           -           -",
        ]
    )
