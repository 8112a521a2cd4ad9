"""A calibration on disk, and the confidences that a localizer tells by it."""

import dataclasses
import json

import numpy as np
import pytest

from mgtl_tf.errors import UserError
from mgtl_tf.retrieval.calibration import Calibration
from mgtl_tf.retrieval.calibration import fingerprint
from mgtl_tf.retrieval.calibration import load_calibration
from mgtl_tf.retrieval.calibration import near_first
from mgtl_tf.retrieval.calibration import save_calibration
from mgtl_tf.retrieval.confidence import Confidence
from mgtl_tf.retrieval.index import Index
from mgtl_tf.retrieval.places import Place

HASH = "a" * 64


def gallery(folder, ids="abc"):
    places = [
        Place(name, folder / f"{name}.jpg", (46.95, 7.44 + i / 1000))
        for i, name in enumerate(ids)
    ]
    return Index(folder, places, np.eye(len(ids), dtype=np.float32), HASH)


@pytest.fixture
def calibration(tmp_path):
    return Calibration(
        Confidence(31.5, -0.25, 0.9, 2.0, 0.001),
        25.0,
        HASH,
        fingerprint(gallery(tmp_path)),
        1000,
        0.875,
        0.0123,
        0.1,
        0.0345,
        0.25,
        29.5,
    )


def test_reads_back(tmp_path, calibration):
    index = gallery(tmp_path)
    assert load_calibration(index)[0] is None
    assert "experiments.calibrate" in load_calibration(index)[1]
    save_calibration(calibration, tmp_path)
    assert load_calibration(index) == (calibration, "")
    assert [p.name for p in tmp_path.iterdir()] == ["calibration.json"]


def test_counts_only_for_its_model_and_its_places(tmp_path, calibration):
    save_calibration(calibration, tmp_path)
    index = gallery(tmp_path)
    other = dataclasses.replace(index, model_hash="b" * 64)
    found, reason = load_calibration(other)
    assert found is None and "with another model" in reason
    for ids in ("abd", "abcd", "acb"):
        found, reason = load_calibration(gallery(tmp_path, ids))
        assert found is None and "with other places" in reason


def test_a_file_of_the_first_format_knew_no_outsiders(tmp_path, calibration):
    """As version 0.1 wrote it."""
    old = {
        "format": 1,
        "confidence": {
            "sharpness": 31.5,
            "intercept": -0.25,
            "slope": 0.5,
            "similarity_slope": 2.0,
            "least": 0.001,
        },
        "metres": 25.0,
        "model_hash": HASH,
        "places": calibration.places,
        "queries": 1000,
        "right": 0.875,
        "error": 0.0123,
    }
    (tmp_path / "calibration.json").write_text(json.dumps(old))
    found, _ = load_calibration(gallery(tmp_path))
    assert (found.outside_share, found.outside_error) == (0.0, None)
    assert found.inside_error == found.error == 0.0123
    # What a drive took it for until then.
    assert found.drive_sharpness == 31.5 * 0.5
    assert found.confidence == Confidence(31.5, -0.25, 0.5, 2.0, 0.001)


def test_a_later_format_is_refused_by_name(tmp_path, calibration):
    path = save_calibration(calibration, tmp_path)
    path.write_text(path.read_text().replace('"format": 2', '"format": 3'))
    with pytest.raises(UserError, match="of format 3, this version reads 1 a"):
        load_calibration(gallery(tmp_path))


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:50],
        lambda text: "[]",
        lambda text: "{}",
        lambda text: text.replace("31.5", "0"),
        lambda text: text.replace("31.5", "NaN"),
        lambda text: text.replace("31.5", '"much"'),
        lambda text: text.replace('"sharpness"', '"bluntness"'),
        lambda text: text.replace('"metres": 25.0', '"metres": null'),
        lambda text: text.replace('"outside_share"', '"share"'),
        lambda text: text.replace("29.5", "Infinity"),
        lambda text: "\udcff",
    ],
)
def test_damage_is_one_line(tmp_path, calibration, damage):
    path = save_calibration(calibration, tmp_path)
    text = damage(path.read_text())
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match="calibration.json: damaged") as error:
        load_calibration(gallery(tmp_path))
    assert "\n" not in str(error.value)


def test_a_folder_that_cannot_be_written(calibration, tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        save_calibration(calibration, tmp_path / "none")


def test_json_is_plain(tmp_path, calibration):
    details = json.loads(save_calibration(calibration, tmp_path).read_text())
    assert details["metres"] == 25.0
    assert details["confidence"]["sharpness"] == 31.5


def test_near_the_first_answer():
    """A thousandth of a degree of latitude is 111 m."""
    where = np.array(
        [
            [[46.95, 7.44], [46.9502, 7.44], [np.nan, np.nan], [46.951, 7.44]],
            [[np.nan, np.nan], [46.95, 7.44], [46.95, 7.44], [46.95, 7.44]],
        ]
    )
    near = near_first(where, 25.0)
    assert near.tolist() == [
        [True, True, False, False],
        [True, False, False, False],
    ]
