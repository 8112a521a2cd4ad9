"""CVUSA, CVACT and own data as they are downloaded, and broken copies."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtl_tf.datasets.cvact import KNOWN_MISSING
from mgtl_tf.datasets.decoded_cache.blocks import fingerprint
from mgtl_tf.datasets.preprocess import read_file
from mgtl_tf.datasets.readers import RefusedRow, read_dataset
from mgtl_tf.datasets.records import Pair, positions
from mgtl_tf.galleries.named_images import named_images
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import earth_centred, from_utm
from tests.datasets.builders import (
    HEADER,
    ONE,
    TWO,
    make_csv,
    make_cvact,
    make_cvusa,
)

REAL = Path(__file__).parents[3] / "shared/data/real_pairs"
needs_real = pytest.mark.skipif(
    not REAL.is_dir(), reason="../shared/data/real_pairs is not here"
)
TRAIN, MAT, OWN = "splits/train-19zl.csv", "ACT_data.mat", "train.csv"


def ids(pairs):
    return [pair.id for pair in pairs]


def refused(name, root, match, problems=None):
    with pytest.raises(UserError, match=match) as error:
        read_dataset(name, root, problems)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_cvusa_keeps_the_lists_order_and_row_minus_one_positions(tmp_path):
    dataset = read_dataset("cvusa", make_cvusa(tmp_path / "c", (3, 1), (2,)))
    assert ids(dataset.train) == ["0000003", "0000001"]
    assert ids(dataset.validation) == ["0000002"]
    assert dataset.train[0].coordinates == (40.002, -100.5)
    distance = np.linalg.norm(np.diff(positions(dataset.train), axis=0))
    # A degree of latitude is 110.57 km at the equator, 111.69 at the pole.
    assert abs(distance - 2 * 111.0) < 0.7


@pytest.mark.parametrize("table", ["all.csv", "split_locations/all.csv", ""])
def test_cvusas_positions_stand_in_one_of_two_places(tmp_path, table):
    root = make_cvusa(tmp_path / "c", table=table)
    dataset = read_dataset("cvusa", root)
    assert (positions(dataset.train) is None) == (not table)
    unknown = [n for n in dataset.notes if "positions are not known" in n]
    assert bool(unknown) == (not table)
    assert any("published: 35,532" in n for n in dataset.notes)
    notes = read_dataset("procedural", root).notes
    assert not any("published" in n for n in notes)


def test_wrong_folder_levels_are_pointed_out(tmp_path):
    inner = make_cvusa(tmp_path / "download" / "CVUSA" / "CVPR_subset")
    for outer in (tmp_path / "download", inner / "bingmap"):
        refused("cvusa", outer, f"did you mean {inner}")
    refused("cvusa", tmp_path / "nothing", "no such folder")
    refused("kitti", tmp_path, "unknown; choose one of")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "bingmap",
            "CVPR_subset/bingmap",
            "CVPR_subset/bingmap to {}/bingmap",
        ),
        (
            "streetview",
            "extra/level/streetview",
            "extra/level/streetview to {}/streetview",
        ),
        ("bingmap/19", "19", "19 to {}/bingmap/19"),
        (
            "bingmap/19/0000001.jpg",
            "bingmap/0000001.jpg",
            "the files of {}/bingmap to {}/bingmap/19",
        ),
        (TRAIN, "train-19zl.csv", None),
    ],
)
def test_what_to_move_is_one_line(tmp_path, old, new, message):
    root = make_cvusa(tmp_path / "c", (1,), (2,), "")
    (root / new).parent.mkdir(parents=True, exist_ok=True)
    (root / old).rename(root / new)
    for empty in ("bingmap/19", "bingmap", "splits"):
        left = root / empty
        if left.is_dir() and not [
            p for p in left.rglob("*") if "2.j" not in p.name
        ]:
            shutil.rmtree(left)
    for problems in (None, []):  # In training and in preparing alike.
        found = refused("cvusa", root, "move |holds no", problems)
        if message:
            assert message.replace("{}", str(root)) in found
            assert "is not there, but" in found


def test_places_of_both_splits_are_counted(tmp_path):
    root = make_cvusa(tmp_path / "c", (1, 2, 3), (2, 3))
    notes = read_dataset("cvusa", root).notes
    assert "2 validation pairs are in the training split as well" in notes


def test_cvact_odd_ids_splits_and_float64_positions(tmp_path):
    names = ["-_a_grdView-x", "_b-", "c", "d"]
    utm = [[693000.1, 6090000.1 + 0.1 * i] for i in range(4)]
    rows = {"trainSet": {"trainInd": [[1], [3]]}, "valSet": {"valInd": [2, 4]}}
    dataset = read_dataset(
        "cvact", make_cvact(tmp_path, names, utm=utm, **rows)
    )
    assert ids(dataset.train) == [names[0], names[2]]
    assert ids(dataset.validation) == [names[1], names[3]]
    np.testing.assert_array_equal(
        positions(dataset.validation), np.array(utm)[[1, 3]]
    )


def test_cvact_test_is_a_validation_split_of_its_own_folder(tmp_path):
    root = make_cvact(tmp_path, ["-a_b", "c", "d"], "ANU_data_test")
    dataset = read_dataset("cvact_test", root)
    assert dataset.name == "cvact_test" and not dataset.train
    assert ids(dataset.validation) == ["c", "d"]
    assert "ANU_data_test" in str(dataset.validation[0].ground)
    assert any("published: 92,802" in note for note in dataset.notes)


@pytest.mark.parametrize("unknown", [np.nan, np.inf])
def test_cvact_row_without_a_position_keeps_its_pair(tmp_path, unknown):
    utm = [[1.0, 2.0], [5.0, 6.0], [unknown, 4.0]]
    dataset = read_dataset("cvact", make_cvact(tmp_path, list("abc"), utm=utm))
    known, lost = dataset.validation
    assert known.position == (5.0, 6.0) and known.coordinates is not None
    assert lost.position is None and lost.coordinates is None
    assert "1 of 2 validation places has no position" in dataset.notes


def test_cvact_tolerates_only_the_known_missing_pair(tmp_path):
    rows = {"trainSet": {"trainInd": [1, 2]}, "valSet": {"valInd": [3]}}
    root = make_cvact(tmp_path, ["a", KNOWN_MISSING, "c"], **rows)
    images = root / "ANU_data_small"
    (images / "streetview" / f"{KNOWN_MISSING}_grdView.jpg").unlink()
    refused("cvact", root, "does not exist")  # half of it missing is damage
    (images / "satview_polish" / f"{KNOWN_MISSING}_satView_polish.jpg").unlink()
    dataset = read_dataset("cvact", root)
    assert ids(dataset.train) == ["a"]
    assert any(KNOWN_MISSING in note for note in dataset.notes)
    (images / "streetview" / "c_grdView.jpg").unlink()
    refused("cvact", root, "c_grdView.jpg")


def test_cvact_table_that_is_none_or_inside_its_images_folder(tmp_path):
    table = make_cvact(tmp_path, ["a", "b"]) / "ACT_data.mat"
    inside = tmp_path / "ANU_data_small" / "ACT_data.mat"
    table.rename(inside)
    refused("cvact", tmp_path, f"move {inside} to {table}")
    os.mkfifo(table)
    refused("cvact", tmp_path, "holds no ACT_data.mat")
    table.unlink()
    table.write_bytes(b"no table")
    refused("cvact", tmp_path, r"ACT_data\.mat: not a readable")


@pytest.mark.parametrize(("place", "flip"), [(521, 8), (1676, 64), (1305, 1)])
def test_a_byte_that_crashes_the_reader(tmp_path, place, flip):
    """By a segmentation fault, with SciPy 1.17.1; others may refuse it."""
    table = tmp_path / "ACT_data.mat"
    fields = {
        "panoIds": np.array([f"{number:07d}" for number in range(1, 41)]),
        "utm": np.ones((40, 2)) / 3,
        "trainSet": {"trainInd": np.arange(1, 31)[:, None]},
        "valSet": {"valInd": np.arange(31, 41)[:, None]},
    }
    scipy.io.savemat(table, fields)
    content = bytearray(table.read_bytes())
    content[place] ^= flip
    table.write_bytes(content)
    refused("cvact", tmp_path, "not a readable MATLAB")


def test_own_csv_with_positions(tmp_path):
    dataset = read_dataset("csv", make_csv(tmp_path, ONE, TWO))
    first, second = dataset.train
    assert (first.id, first.coordinates, first.row) == ("one", (47.5, 8.25), 1)
    assert second.ground == tmp_path / "images/g2.jpg"
    assert not dataset.validation
    metres = np.linalg.norm(np.diff(positions(dataset.train), axis=0))
    assert metres == pytest.approx(111.18, abs=0.1)  # 1/1000 degree there


def test_own_csv_as_one_file_of_any_name_in_any_folder(tmp_path):
    row = f"one,{tmp_path}/images/g1.jpg,{tmp_path}/images/a1.tif,,"
    (tmp_path / "lists").mkdir()
    make_csv(tmp_path, row, name="lists/x.csv")
    for root in (tmp_path / "lists", tmp_path / "lists" / "x.csv"):
        (pair,) = read_dataset("csv", root).train
        assert pair.position is None
        assert pair.ground == tmp_path / "images/g1.jpg"
    refused("csv", tmp_path, "holds neither train.csv nor")


UNKNOWN = TWO.replace("47.501,8.25", ",")


def plain(header=HEADER, rows=(ONE, UNKNOWN), end="\n"):
    return (end.join([header, *rows]) + end).encode()


@pytest.mark.parametrize(
    "text",
    [
        plain(),
        b"\xef\xbb\xbf" + plain(),
        plain(end="\r\n"),
        plain(end="\r"),
        plain().rstrip(),
        plain("Id,GROUND,Aerial,Latitude,LONGITUDE"),
        plain(" id , ground, aerial ,latitude , longitude"),
        plain(rows=[ONE.replace(",", " , "), UNKNOWN]),
        plain(HEADER + ",when,who", [r + ",1999,me" for r in (ONE, UNKNOWN)]),
        plain(HEADER + ",when"),
        plain(rows=[ONE, UNKNOWN, "", ",,,,", "   "]),
        plain(rows=[ONE, UNKNOWN[:-2]]),
        plain(
            "latitude,when,aerial,longitude,id,ground",
            [
                "47.5,1,images/a1.tif,8.25,one,images/g1.jpg",
                ",,images/a2.tif,,two,images/g2.jpg",
            ],
        ),
    ],
)
def test_what_spreadsheets_write_is_read(tmp_path, text):
    (make_csv(tmp_path) / "train.csv").write_bytes(text)
    dataset = read_dataset("csv", tmp_path)
    places = [(p.id, p.coordinates) for p in dataset.train]
    assert places == [("one", (47.5, 8.25)), ("two", None)]
    assert dataset.train[0].aerial == tmp_path / "images/a1.tif"
    assert "1 of 2 training places has no position" in dataset.notes


def test_earth_centred_distances():
    """One degree along equator and meridian, against WGS 84's constants."""
    around = earth_centred(np.zeros(2), np.array([0.0, 0.001]))
    assert np.linalg.norm(around[0] - around[1]) == pytest.approx(
        6378137.0 * np.radians(0.001), rel=1e-6
    )
    up = earth_centred(np.array([0.0, 0.001]), np.zeros(2))
    assert np.linalg.norm(up[0] - up[1]) == pytest.approx(110.574, abs=1e-3)


def test_utm_central_meridian():
    """Zone 55 is centred on 147 degrees east; the equator is 10,000 km."""
    found = from_utm(np.array([[500000.0, 10_000_000.0]]))[0]
    assert found == pytest.approx([0, 147], abs=1e-9)


def test_positions_hold_nan_where_they_are_unknown():
    known = Pair("a", Path("a"), Path("a"), (1.0, 2.0))
    unknown = Pair("b", Path("b"), Path("b"))
    np.testing.assert_equal(
        positions([known, unknown]), [[1.0, 2.0], [np.nan, np.nan]]
    )
    assert positions([]) is None and positions([unknown]) is None
    assert positions([known]).dtype == np.float64


@needs_real
def test_real_cvusa():
    dataset = read_dataset("cvusa", REAL / "CVUSA")
    assert len(dataset.train) == len(dataset.validation) == 5
    first = dataset.train[0]
    assert first.ground.is_file()
    assert first.labels.name == f"{first.id}.png"
    assert first.labels.parent == REAL / "CVUSA/streetview/annotations"


@needs_real
def test_real_cvact_first_two_places_are_15_metres_apart():
    dataset = read_dataset("cvact", REAL)
    metres = positions(dataset.validation)
    assert len(metres) == 6
    distances = np.linalg.norm(metres[:, None] - metres[None], axis=-1)
    assert np.count_nonzero(np.triu(distances < 25, 1)) == 1
    assert distances[0, 1] == pytest.approx(15)
    latitude, longitude = dataset.validation[0].coordinates
    assert -36 < latitude < -35 and 148.5 < longitude < 149.5  # Canberra


LISTS = st.one_of(
    st.binary(max_size=300),
    st.lists(
        st.text("01/.,\"'\0\r\n\tä\ud800 " + "a" * 3, max_size=60),
        max_size=6,
    ).map(lambda lines: "\n".join(lines).encode(errors="surrogatepass")),
    st.integers(200, 5000).map(lambda n: b"a/%s.jpg,b.jpg,c.png" % (b"x" * n)),
)


@settings(max_examples=200)
@given(LISTS)
@pytest.mark.parametrize("name", ["cvusa", "csv"])
def test_any_list_gives_pairs_or_one_line(tmp_path_factory, name, content):
    root = tmp_path_factory.getbasetemp() / f"any-{name}"
    root.mkdir(exist_ok=True)
    if name == "cvusa":
        (root / "splits").mkdir(exist_ok=True)
        (root / "splits/val-19zl.csv").write_text("")
        (root / TRAIN).write_bytes(content)
    else:
        (root / "train.csv").write_bytes(f"{HEADER}\n".encode() + content)
    for problems in (None, []):
        try:
            pairs = read_dataset(name, root, problems).train
        except UserError as error:
            assert str(error).startswith(str(root))
            continue
        assert len({pair.id for pair in pairs}) == len(pairs)
        for pair in pairs:  # What prepare asks of each of them.
            fingerprint(pair)
            with pytest.raises(UserError):
                read_file(pair.ground)


def test_csv_rows_without_a_panorama_are_of_the_gallery_alone(tmp_path):
    """Several panoramas may share one aerial image, others have none."""
    alone = "three,,images/a2.tif,47.5,8.26"
    again = ONE.replace("one", "other").replace("g1", "g2")
    make_csv(tmp_path, ONE, alone)
    root = make_csv(tmp_path, alone, ONE, again, name="validation.csv")
    dataset = read_dataset("csv", root)
    assert [pair.id for pair in dataset.train] == ["one"]
    assert "1 rows of train.csv name no panorama: not used" in dataset.notes
    assert [pair.id for pair in dataset.validation] == ["one", "other"]
    assert [image.id for image in dataset.gallery] == ["three", "one"]
    assert [image.id for image in dataset.distractors] == ["three"]
    assert dataset.distractors[0].coordinates == (47.5, 8.26)
    shown = named_images(root / "validation.csv", "ground")
    assert [image.id for image in shown] == ["one", "other"]
    (root / "images/a2.tif").unlink()
    with pytest.raises(RefusedRow, match="a2.tif, row 1: does not exist"):
        read_dataset("csv", root)
