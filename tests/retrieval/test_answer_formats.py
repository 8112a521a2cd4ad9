"""How answers are told."""

import csv
import dataclasses
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mgtl_tf.galleries.places import Place
from mgtl_tf.retrieval.answer_formats import (
    PATH_FORMATS,
    as_csv,
    as_geojson,
    as_json,
    as_path_geojson,
    as_table,
)
from mgtl_tf.retrieval.answers import Answer, Located


@pytest.fixture
def located():
    here = Place("here", Path("g/here.jpg"), (38.25, -77.5))
    there = Place("there", Path("g/there.jpg"))
    far = Place("far, off", Path("g/far.jpg"), (-33.0, 151.0))
    return [
        Located(
            Path("a.jpg"),
            (Answer(1, there, 0.96), Answer(2, here, 0.8)),
            Answer(3, far, 0.6),
            no_confidence="not calibrated",
            seconds=0.25,
        ),
        Located(
            Path("b.jpg"),
            (Answer(1, far, 1.0, 0.0), Answer(2, here, 0.8, 15891234.567)),
            confidence=0.87654,
            confidence_metres=25.0,
            outside_share=0.1,
        ),
    ]


def test_json(located):
    first, second = json.loads(as_json(located))
    assert first == {
        "image": "a.jpg",
        "truth": "far, off",
        "truth_rank": 3,
        "confidence": None,
        "confidence_metres": None,
        "outside_share": None,
        "no_confidence": "not calibrated",
        "seconds": 0.25,
        "heading_read": None,
        "answers": [
            {
                "rank": 1,
                "id": "there",
                "similarity": 0.96,
                "latitude": None,
                "longitude": None,
                "metres_from_first": None,
                "heading": None,
                "probability": None,
                "point": None,
                "image": "g/there.jpg",
            },
            {
                "rank": 2,
                "id": "here",
                "similarity": 0.8,
                "latitude": 38.25,
                "longitude": -77.5,
                "metres_from_first": None,
                "heading": None,
                "probability": None,
                "point": None,
                "image": "g/here.jpg",
            },
        ],
    }
    assert second["truth"] is None
    assert second["confidence"] == 0.8765
    assert second["confidence_metres"] == 25.0
    assert second["outside_share"] == 0.1
    assert second["no_confidence"] is None
    apart = [a["metres_from_first"] for a in second["answers"]]
    assert apart == [0.0, 15891234.57]


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
        "id": "far, off",
        "similarity": 1.0,
        "metres_from_first": 0.0,
        "heading": None,
        "probability": None,
        "point": None,
        "confidence": 0.8765,
        "confidence_metres": 25.0,
        "outside_share": 0.1,
        "is_true_place": None,
    }
    # The confidence is the first answer's alone.
    assert features[3]["properties"]["confidence"] is None


def test_a_drive_is_a_line_and_its_points(located):
    first = located[1]
    north = Place("north", Path("g/north.jpg"), (-32.0, 151.0))
    second = Located(Path("c.jpg"), (Answer(1, north, 0.9),))
    collection = json.loads(as_path_geojson([first, second]))
    path, *points = collection["features"]
    assert path["geometry"] == {
        "type": "LineString",
        "coordinates": [[151.0, -33.0], [151.0, -32.0]],
    }
    assert path["properties"] == {"frames": ["b.jpg", "c.jpg"]}
    assert points == json.loads(as_geojson([first, second]))["features"]
    # RFC 7946: a line has two positions or more.
    (only,) = json.loads(as_path_geojson([second]))["features"]
    assert only["geometry"]["type"] == "Point"


def test_headings_and_probabilities_where_there_are_any():
    here = Place("here", Path("g/here.jpg"), (38.25, -77.5))
    turned = Located(Path("a.jpg"), (Answer(1, here, 0.5, 0.0, 90.0),))
    driven = Located(Path("a.jpg"), (Answer(1, here, 0.5, 0.0, None, 0.98765),))
    lines = as_table([turned]).splitlines()
    assert lines[1].split()[-1] == "heading"
    assert lines[2].split()[-1] == "90°"
    lines = as_table([driven]).splitlines()
    assert lines[1].split()[-1] == "probability"
    assert lines[2].split()[-1] == "0.9877"
    (row,) = csv.DictReader(io.StringIO(as_csv([driven])))
    assert (row["heading"], row["probability"]) == ("", "0.98765")
    assert json.loads(as_json([turned]))[0]["answers"][0]["heading"] == 90.0


def test_csv_reads_back(located):
    rows = list(csv.DictReader(io.StringIO(as_csv(located))))
    assert [r["id"] for r in rows] == ["there", "here", "far, off", "here"]
    assert rows[0]["latitude"] == rows[0]["metres_from_first"] == ""
    assert (float(rows[1]["latitude"]), float(rows[1]["longitude"])) == (
        38.25,
        -77.5,
    )
    assert [r["query"] for r in rows] == ["a.jpg"] * 2 + ["b.jpg"] * 2
    assert [r["confidence"] for r in rows] == ["", "", "0.8765", ""]
    assert [r["is_true_place"] for r in rows] == ["False", "False", "", ""]
    assert rows[2]["image"] == "g/far.jpg"


def test_table(located):
    assert as_table(located).splitlines() == [
        "a.jpg",
        "rank  id     similarity    latitude   longitude  metres from 1",
        "   1  there      0.9600           -           -              -",
        "   2  here       0.8000   38.250000  -77.500000              -",
        "no confidence: not calibrated",
        "true place: far, off, rank 3",
        "",
        "b.jpg",
        "rank  id        similarity    latitude   longitude  metres from 1",
        "   1  far, off      1.0000  -33.000000  151.000000            0.0",
        "   2  here          0.8000   38.250000  -77.500000   15,891,234.6",
        "taken within 25 m of answer 1 with probability 88 %, if 10 % of"
        " queries are from places that the gallery lacks",
    ]


@pytest.mark.parametrize("share", [None, 0.0])
def test_a_confidence_says_when_it_presumes_the_place(located, share):
    asked = dataclasses.replace(located[1], outside_share=share)
    assert as_table([asked]).endswith(" 88 %, if the gallery has its place")


def named(text):
    """A query and its answers, all of that name."""
    place = Place(text, Path(text), (-7.5, -1.25))
    answers = (Answer(1, place, -0.25, 0.0), Answer(2, place, -0.5, 3.0))
    return [Located(Path(text), answers, answers[0])] * 2


# What a system may have as a name: any bytes but / and NUL.
NAMES = st.binary(min_size=1, max_size=30).map(
    lambda name: os.fsdecode(name.replace(b"/", b"_").replace(b"\0", b"_"))
)
ODD_NAMES = ["=1+1", "+1", "-1", "@a", "a\x1b[31m\nb\r", "\udcff", "\tx"]


@given(NAMES)
@example("\udcff\x1b]0;x\x07\n=1")
def test_every_name_survives_every_format(name):
    located = named(name)
    for form in PATH_FORMATS.values():
        form(located).encode("utf-8")
    for form in (as_json, as_geojson, as_path_geojson):
        # No lone surrogate, which strict readers refuse.
        json.dumps(json.loads(form(located)), ensure_ascii=False).encode()
    expected = name.encode(errors="replace").decode()
    told = json.loads(as_json(located))[0]["answers"][0]["id"]
    assert (told == name) == (expected == name)
    table = as_table(located).splitlines()
    block = table.index("")
    assert len(table) == 2 * block + 1
    assert table[0] == table[block + 1]
    assert len(table[2]) == len(table[3])


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_spreadsheet_runs_nothing(name):
    def read(text):
        return list(csv.DictReader(io.StringIO(text, newline="")))

    (row, *_), (raw, *_) = (
        read(as_csv(named(name))),
        read(as_csv(named(name), raw=True)),
    )
    for column in ("query", "id", "image"):
        assert raw[column] == name.replace("\udcff", "\\xff")
        assert not row[column].startswith(("=", "+", "-", "@", "\t", "\r"))
        assert row[column].removeprefix("'") == raw[column]
    # Numbers are none of that.
    assert row["latitude"] == raw["latitude"] == "-7.5"
    assert row["similarity"] == "-0.25"
