"""A calibration on disk, valid for one model and one gallery."""

import dataclasses
import json

import numpy as np
import pytest

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.galleries.places import Place
from mgtl_tf.retrieval.calibration.confidence import (
    Confidence,
    SequenceModel,
    near_first,
)
from mgtl_tf.retrieval.calibration.stored import (
    Calibration,
    MeasuredCalibration,
    fingerprint,
    load_calibration,
    save_calibration,
)
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import sealed_text

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
        0.1,
        SequenceModel(29.5, -1.0, 0.5, 4.0, 2.5, 0.9, 0.1),
        MeasuredCalibration(
            1000,
            0.875,
            0.0123,
            0.0345,
            0.25,
            {"inside": 0.01, "outside": 0.02, "passing": 0.03},
            0.75,
        ),
        -12.5,
    )


def test_reads_back(tmp_path, calibration):
    index = gallery(tmp_path)
    found, reason = load_calibration(index)
    assert found is None and "experiments.calibrate" in reason
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


@pytest.mark.parametrize("version", [3, 5, True, "x", None])
def test_another_format_is_refused_by_name(tmp_path, calibration, version):
    path = save_calibration(calibration, tmp_path)
    text = path.read_text().replace(
        '"format": 4', f'"format": {json.dumps(version)}'
    )
    path.write_text(text)
    with pytest.raises(UserError, match="of format .*, this version reads 4"):
        load_calibration(gallery(tmp_path))


def test_a_crafted_value_is_refused_though_the_checksum_agrees(
    tmp_path, calibration
):
    path = save_calibration(calibration, tmp_path)
    details = json.loads(path.read_text())
    del details["sha256"]
    for name, value in (
        ("metres", -1),
        ("metres", "25"),
        ("confidence", {"sharpness": 0}),
        ("confidence", []),
        ("measured", {"queries": 1.5}),
    ):
        path.write_text(sealed_text(details | {name: value}))
        with pytest.raises(UserError, match=f"damaged .*{name}") as error:
            load_calibration(gallery(tmp_path))
        assert "\n" not in str(error.value)


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
