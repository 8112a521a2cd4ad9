"""CVUSA and CVACT as downloaded: the real ones, and broken copies."""

import csv
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtl_tf.datasets.cvact import KNOWN_MISSING, read_cvact
from mgtl_tf.datasets.cvusa import read_cvusa
from mgtl_tf.datasets.decoded_cache.blocks import fingerprint
from mgtl_tf.datasets.preprocess import read_file
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.datasets.records import Pair, positions
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import earth_centred, from_utm

REAL = Path(__file__).parents[3] / "shared/data/real_pairs"
needs_real = pytest.mark.skipif(
    not REAL.is_dir(), reason="../shared/data/real_pairs is not here"
)


def make_cvusa(root, ids=(1, 2, 3), locations=True):
    """A CVUSA layout of empty files: readers look at names only."""
    rows = []
    for number in ids:
        name = f"{number:07d}"
        row = [f"bingmap/19/{name}.jpg", f"streetview/panos/{name}.jpg"]
        for path in row:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
        rows.append([*row, f"streetview/annotations/{name}.png"])
    (root / "splits").mkdir(exist_ok=True)
    for split, part in (("train", rows[:-1]), ("val", rows[-1:])):
        with (root / f"splits/{split}-19zl.csv").open("w") as file:
            csv.writer(file, lineterminator="\n").writerows(part)
    if locations:
        (root / "split_locations").mkdir(exist_ok=True)
        lines = [f"{40 + i / 1000},-100.5,0,0,0" for i in range(max(ids))]
        (root / "split_locations/all.csv").write_text("\n".join(lines))
    return root


def make_cvact(root, ids, train, val, utm=None):
    """A CVACT layout of empty files with the published table's fields."""
    if utm is None:
        utm = [[693000.0 + 30 * i, 6090000.25] for i in range(len(ids))]
    scipy.io.savemat(
        root / "ACT_data.mat",
        {
            "panoIds": np.array(ids),
            "utm": np.array(utm),
            "trainSet": {"trainInd": np.array(train)[:, None]},
            "valSet": {"valInd": np.array(val)[:, None]},
        },
    )
    images = root / "ANU_data_small"
    for folder, suffix in (
        ("streetview", "_grdView.jpg"),
        ("satview_polish", "_satView_polish.jpg"),
    ):
        (images / folder).mkdir(parents=True, exist_ok=True)
        for name in ids:
            (images / folder / f"{name}{suffix}").touch()
    return root


def test_cvusa_keeps_the_lists_order_and_row_minus_one_positions(tmp_path):
    dataset = read_cvusa(make_cvusa(tmp_path, ids=(3, 1, 2)))
    assert [p.id for p in dataset.train] == ["0000003", "0000001"]
    assert [p.id for p in dataset.validation] == ["0000002"]
    assert dataset.train[0].coordinates == (40.002, -100.5)
    distance = np.linalg.norm(np.diff(positions(dataset.train), axis=0))
    # A degree of latitude is 110.57 km at the equator, 111.69 at the pole.
    assert abs(distance - 2 * 111.0) < 0.7


def test_cvusa_without_positions_says_so(tmp_path):
    dataset = read_cvusa(make_cvusa(tmp_path, locations=False))
    assert positions(dataset.train) is None
    assert any("positions are not known" in n for n in dataset.notes)
    assert any("published: 35,532" in n for n in dataset.notes)
    assert not any(
        "published" in n for n in read_dataset("procedural", tmp_path).notes
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("bingmap/19/0000001.jpg", "row 2"),
        (",a.jpg,b.png", "row 2"),
        ("bingmap/19/9.jpg,streetview/panos/9.jpg,x.png", "9.jpg does not"),
        (
            "bingmap/19/0000001.jpg,streetview/panos/0000001.jpg,x.png",
            "0000001 repeats",
        ),
    ],
)
def test_cvusa_broken_rows_are_named(tmp_path, line, said):
    make_cvusa(tmp_path, ids=(1, 2))
    with (tmp_path / "splits/train-19zl.csv").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UserError, match=said) as error:
        read_cvusa(tmp_path)
    assert "train-19zl.csv" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,2\nx,3", "row 2: 'x,3' does not"),
        ("1,2\n95,3\n1,1", "row 2"),
        ("1,2\n1,nan", "row 2"),
        ("1\n", "row 1"),
    ],
)
def test_cvusa_broken_positions_are_named(tmp_path, text, said):
    make_cvusa(tmp_path)
    (tmp_path / "split_locations/all.csv").write_text(text)
    with pytest.raises(UserError, match=said):
        read_cvusa(tmp_path)


def test_cvusa_id_beyond_the_positions(tmp_path):
    make_cvusa(tmp_path)
    (tmp_path / "split_locations/all.csv").write_text("1,2\n1,2")
    with pytest.raises(UserError, match="no row among the 2"):
        read_cvusa(tmp_path)


def test_wrong_folder_levels_are_pointed_out(tmp_path):
    inner = tmp_path / "CVPR_subset"
    inner.mkdir()
    make_cvusa(inner)
    with pytest.raises(UserError, match=f"did you mean --data_dir={inner}"):
        read_cvusa(tmp_path)
    with pytest.raises(UserError, match=f"did you mean --data_dir={inner}"):
        read_cvusa(inner / "bingmap")
    with pytest.raises(UserError, match="no such folder"):
        read_cvusa(tmp_path / "nothing")
    with pytest.raises(UserError, match="unknown; choose one of"):
        read_dataset("vigor", tmp_path)


def test_cvact_odd_ids_splits_and_float64_positions(tmp_path):
    ids = ["-_a_grdView-x", "_b-", "c", "d"]
    utm = [[693000.1, 6090000.1 + 0.1 * i] for i in range(4)]
    make_cvact(tmp_path, ids, train=[1, 3], val=[2, 4], utm=utm)
    dataset = read_cvact(tmp_path)
    assert [p.id for p in dataset.train] == [ids[0], ids[2]]
    assert [p.id for p in dataset.validation] == [ids[1], ids[3]]
    np.testing.assert_array_equal(
        positions(dataset.validation), np.array(utm)[[1, 3]]
    )


def test_cvact_tolerates_only_the_known_missing_pair(tmp_path):
    ids = ["a", KNOWN_MISSING, "c"]
    make_cvact(tmp_path, ids, train=[1, 2], val=[3])
    images = tmp_path / "ANU_data_small"
    (images / "streetview" / f"{KNOWN_MISSING}_grdView.jpg").unlink()
    with pytest.raises(UserError, match="does not exist"):
        read_cvact(tmp_path)  # half of it missing is damage
    (images / "satview_polish" / f"{KNOWN_MISSING}_satView_polish.jpg").unlink()
    dataset = read_cvact(tmp_path)
    assert [p.id for p in dataset.train] == ["a"]
    assert any(KNOWN_MISSING in note for note in dataset.notes)
    (images / "streetview" / "c_grdView.jpg").unlink()
    with pytest.raises(UserError, match="c_grdView.jpg"):
        read_cvact(tmp_path)


def test_cvact_index_outside_the_table_is_named(tmp_path):
    make_cvact(tmp_path, ["a", "b"], train=[1, 3], val=[2])
    with pytest.raises(UserError, match="trainInd row 2 is 3, outside 1..2"):
        read_cvact(tmp_path)


def test_cvact_positions_that_do_not_fit(tmp_path):
    make_cvact(tmp_path, ["a", "b"], [1], [2], utm=[[1.0, 2.0]] * 3)
    with pytest.raises(UserError, match=r"utm \[3, 2\] is not two"):
        read_cvact(tmp_path)


def test_cvact_broken_table(tmp_path):
    make_cvact(tmp_path, ["a", "b"], train=[1], val=[2])
    (tmp_path / "ACT_data.mat").write_bytes(b"no table")
    with pytest.raises(UserError, match=r"ACT_data\.mat: not a readable"):
        read_cvact(tmp_path)


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
    latitude, longitude = from_utm(np.array([[500000.0, 10_000_000.0]]))[0]
    assert latitude == pytest.approx(0, abs=1e-9)
    assert longitude == pytest.approx(147, abs=1e-9)


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
    dataset = read_cvusa(REAL / "CVUSA")
    assert len(dataset.train) == len(dataset.validation) == 5
    assert dataset.train[0].ground.is_file()


@needs_real
def test_real_cvact_first_two_places_are_15_metres_apart():
    dataset = read_cvact(REAL)
    metres = positions(dataset.validation)
    assert len(metres) == 6
    distances = np.linalg.norm(metres[:, None] - metres[None], axis=-1)
    assert np.count_nonzero(np.triu(distances < 25, 1)) == 1
    assert distances[0, 1] == pytest.approx(15)
    latitude, longitude = dataset.validation[0].coordinates
    assert -36 < latitude < -35 and 148.5 < longitude < 149.5  # Canberra


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"trainSet": {"trainInd": [1.0, 1.5]}}, "row 2 is 1.5, no whole"),
        ({"trainSet": {"trainInd": [np.nan, 1]}}, "row 1 is nan, outside 1..2"),
        ({"trainSet": {"trainInd": ["a", "b"]}}, "trainInd does not hold num"),
        ({"trainSet": [1, 2]}, "trainSet holds no trainInd"),
        ({"utm": [[1.0, 2.0], [np.inf, 3.0]]}, "utm row 2 is not finite"),
        ({"utm": ["a", "b"]}, "utm does not hold numbers"),
        ({"utm": [[1.0, 2.0, 3.0]] * 2}, r"utm \[2, 3\] is not two numbers"),
        ({"panoIds": ["a", "a" * 300]}, "aaaa_grdView.jpg does not exist"),
        ({"panoIds": ["a", "a"]}, "row 2: a repeats"),
    ],
)
def test_cvact_damaged_fields_are_named_in_one_line(tmp_path, change, said):
    make_cvact(tmp_path, ["a", "b"], train=[1], val=[2])
    table = {
        "panoIds": ["a", "b"],
        "utm": [[1.0, 2.0], [3.0, 4.0]],
        "trainSet": {"trainInd": [1, 2]},
        "valSet": {"valInd": [2]},
    }
    scipy.io.savemat(tmp_path / "ACT_data.mat", {**table, **change})
    with pytest.raises(UserError, match=said) as error:
        read_cvact(tmp_path)
    assert "\n" not in str(error.value)


def test_cvusa_row_of_two_places_is_named(tmp_path):
    make_cvusa(tmp_path, ids=(1, 2, 3))
    mixed = "bingmap/19/0000001.jpg,streetview/panos/0000002.jpg,x.png\n"
    (tmp_path / "splits/train-19zl.csv").write_text(mixed)
    with pytest.raises(UserError, match="row 1: .*names images of two places"):
        read_cvusa(tmp_path)


def test_places_of_both_splits_are_told(tmp_path):
    make_cvusa(tmp_path, ids=(1, 2, 3, 4))
    splits = tmp_path / "splits"
    lines = (splits / "train-19zl.csv").read_text()
    (splits / "val-19zl.csv").write_text("".join(lines.splitlines(True)[1:]))
    notes = read_dataset("cvusa", tmp_path).notes
    said = [n for n in notes if "are in the training split as well" in n]
    assert said == ["2 validation pairs are in the training split as well"]


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
        (root / "splits/train-19zl.csv").write_bytes(content)
    else:
        header = b"id,ground,aerial,latitude,longitude\n"
        (root / "train.csv").write_bytes(header + content)
    for problems in (None, []):
        try:
            pairs = read_dataset(name, root, problems).train
        except UserError as error:
            assert str(error).startswith((str(root), "--data_dir"))
            continue
        assert len({pair.id for pair in pairs}) == len(pairs)
        for pair in pairs:  # What prepare asks of each of them.
            fingerprint(pair)
            with pytest.raises(UserError):
                read_file(pair.ground)
