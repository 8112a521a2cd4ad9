"""CVUSA, CVACT and own data as they are downloaded, and broken copies."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtl_tf.datasets.cvact import KNOWN_MISSING
from mgtl_tf.datasets.decoded_cache.blocks import fingerprint
from mgtl_tf.datasets.preprocess import read_file
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.datasets.records import Pair, positions
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
TRAIN = "splits/train-19zl.csv"


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


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bingmap/19/0000001.jpg", "row 3"),
        (",a.jpg,b.png", "row 3"),
        ("bingmap/19/2.jpg,streetview/panos/2.jpg,x.png", "2.jpg does not"),
        (
            "bingmap/19/0000001.jpg,streetview/panos/0000001.jpg,x.png",
            "0000001 repeats",
        ),
        (
            "bingmap/19/0000001.jpg,streetview/panos/0000002.jpg,x.png",
            "row 3: .*names images of two places",
        ),
        ("bingmap/19/4.jpg,streetview/panos/4.jpg,x.png", "among the 3 of all"),
    ],
)
def test_cvusas_broken_rows_are_named(tmp_path, line, message):
    root = make_cvusa(tmp_path / "c")
    with (root / TRAIN).open("a") as file:
        file.write(line + "\n")
    assert "train-19zl.csv" in refused("cvusa", root, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\nx,3", "row 2: 'x,3' does not"),
        ("1,2\n95,3\n1,1", "row 2"),
        ("1,2\n1,nan", "row 2"),
        ("1\n", "row 1"),
        (",,,,\n", "row 1"),
    ],
)
def test_cvusas_broken_positions_are_named(tmp_path, text, message):
    root = make_cvusa(tmp_path / "c")
    (root / "split_locations/all.csv").write_text(text)
    refused("cvusa", root, message)


def test_a_stray_quote_damages_one_row(tmp_path):
    root, problems = make_cvusa(tmp_path / "c"), []
    text = (root / TRAIN).read_text()
    (root / TRAIN).write_text(f'"bingmap\n{text}')
    assert len(read_dataset("cvusa", root, problems).train) == 2
    assert [(p.split, p.row) for p in problems] == [("train", 1)]


def test_wrong_folder_levels_are_pointed_out(tmp_path):
    inner = make_cvusa(tmp_path / "download" / "CVUSA" / "CVPR_subset")
    for outer in (tmp_path / "download", inner / "bingmap"):
        refused("cvusa", outer, f"did you mean {inner}")
    refused("cvusa", tmp_path / "nothing", "no such folder")
    refused("vigor", tmp_path, "unknown; choose one of")


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


def test_one_missing_file_is_no_misplaced_folder(tmp_path):
    """Both views' files share their names."""
    root, problems = make_cvusa(tmp_path / "c"), []
    (root / "bingmap/19/0000001.jpg").unlink()
    refused("cvusa", root, "row 1: .*0000001.jpg does not exist")
    assert len(read_dataset("cvusa", root, problems).train) == 2
    assert problems == []


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trainSet": {"trainInd": [1, 3]}}, "row 2 is 3, outside 1..2"),
        ({"trainSet": {"trainInd": [1.0, 1.5]}}, "row 2 is 1.5, no whole"),
        ({"trainSet": {"trainInd": [np.nan, 1]}}, "row 1 is nan, outside 1..2"),
        ({"trainSet": {"trainInd": ["a", "b"]}}, "trainInd does not hold num"),
        ({"trainSet": [1, 2]}, "trainSet holds no trainInd"),
        ({"utm": ["a", "b"]}, "utm does not hold numbers"),
        ({"utm": [[1.0, 2.0, 3.0]] * 2}, r"utm \[2, 3\] is not two numbers"),
        ({"utm": [[1.0, 2.0]] * 3}, r"utm \[3, 2\] is not two"),
        ({"panoIds": ["a", "a" * 300]}, "aaaa_grdView.jpg does not exist"),
        (
            {"panoIds": ["a", "a"], "trainSet": {"trainInd": [1, 2]}},
            "row 2: a repeats",
        ),
    ],
)
def test_cvact_damaged_fields_are_named_in_one_line(tmp_path, change, message):
    refused("cvact", make_cvact(tmp_path, ["a", "b"], **change), message)


def test_cvact_table_that_is_none_or_inside_its_images_folder(tmp_path):
    table = make_cvact(tmp_path, ["a", "b"]) / "ACT_data.mat"
    inside = tmp_path / "ANU_data_small" / "ACT_data.mat"
    table.rename(inside)
    refused("cvact", tmp_path, f"move {inside} to {table}")
    table.write_bytes(b"no table")
    refused("cvact", tmp_path, r"ACT_data\.mat: not a readable")


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


def test_a_list_without_any_position_has_no_note_of_it(tmp_path):
    notes = read_dataset("csv", make_csv(tmp_path, UNKNOWN)).notes
    assert not any("position" in note for note in notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (plain().replace(b",", b";"), "columns are separated by semicolons"),
        (plain().replace(b",", b"\t"), "columns are separated by tabs"),
        (plain("id,ground,aerial"), "first line lacks latitude, longitude"),
        (plain(HEADER + ",id"), "first line names id twice"),
        (plain("1,a.jpg,b.jpg,2,3"), "first line lacks id, ground"),
        (b"", "first line lacks id"),
    ],
)
def test_own_csv_with_another_header(tmp_path, text, message):
    (make_csv(tmp_path) / "train.csv").write_bytes(text)
    refused("csv", tmp_path, f"train.csv: .*{message}")


TAIL = "images/g2.jpg,images/a2.tif"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("two,images/g2.jpg", "'two,images/g2.jpg,,,' is not"),
        ("two,images/g9.jpg,images/a2.tif,,", ".*g9.jpg does not exist"),
        (f"two,{TAIL},95,8", "'95,8' is no lat"),
        (f"two,{TAIL},x,8", "'x,8' is no latitude"),
        (f"two,{TAIL},nan,8", "'nan,8' is no lat"),
        (f"two,{TAIL},8,inf", "'8,inf' is no lat"),
        (f"two,{TAIL},1e400,8", "'1e400,8' is no"),
        (f'two,{TAIL},"47,5","8,25"', ".*comma"),
        (f"two,{TAIL},149.1,-35.3", ".*swapped"),
        (f"two,{TAIL},47.5,", ".*give both, or neither"),
        (f"one,{TAIL},,", "one repeats"),
        (f",{TAIL},,", "',images/g2.jpg"),
        (f"two,{TAIL},1,2,3", "'two,images/g2.jpg"),
    ],
)
def test_own_csvs_broken_rows_are_named(tmp_path, row, message):
    make_csv(tmp_path, ONE, row)
    refused("csv", tmp_path, f"train.csv, row 2: {message}")
    problems = []
    dataset = read_dataset("csv", tmp_path, problems)
    if "exist" in message:  # For the decoder to find.
        assert len(dataset.train) == 2 and not problems
    else:
        assert [p.row for p in problems] == [2]
        assert ids(dataset.train) == ["one"]


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
    assert dataset.train[0].ground.is_file()


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


@settings(deadline=None, max_examples=200)
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
