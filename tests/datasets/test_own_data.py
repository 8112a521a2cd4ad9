"""Own CSV data, CVACT_test, and downloads whose folders lie elsewhere."""

import shutil

import numpy as np
import pytest
import scipy.io

from mgtl_tf.datasets.problems import Problem
from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.datasets.records import positions
from mgtl_tf.utils.errors import UserError

HEADER = "id,ground,aerial,latitude,longitude\n"


def own_data(folder, *rows, name="train.csv"):
    for image in ("g1.jpg", "g2.jpg", "a1.tif", "a2.tif"):
        (folder / "images").mkdir(exist_ok=True)
        (folder / "images" / image).touch()
    (folder / name).write_text(HEADER + "".join(row + "\n" for row in rows))
    return folder


ONE = "one,images/g1.jpg,images/a1.tif,47.5,8.25"
TWO = 'two,"images/g2.jpg",images/a2.tif,47.501,8.25'


def test_own_csv_with_positions(tmp_path):
    dataset = read_dataset("csv", own_data(tmp_path, ONE, TWO))
    first, second = dataset.train
    assert (first.id, first.coordinates, first.row) == ("one", (47.5, 8.25), 1)
    assert second.ground == tmp_path / "images/g2.jpg"
    assert not dataset.validation
    metres = np.linalg.norm(np.diff(positions(dataset.train), axis=0))
    assert metres == pytest.approx(111.18, abs=0.1)  # 1/1000 degree there


def test_own_csv_as_one_file_and_of_any_name(tmp_path):
    own_data(tmp_path, "one,images/g1.jpg,images/a1.tif,,", name="x.csv")
    for root in (tmp_path, tmp_path / "x.csv"):
        (pair,) = read_dataset("csv", root).train
        assert pair.position is None
    with_mark = "\ufeff" + HEADER + ONE + "\n"
    (tmp_path / "x.csv").write_text(with_mark, encoding="utf-8")
    assert len(read_dataset("csv", tmp_path).train) == 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("two,images/g2.jpg", "row 2: 'two,images/g2.jpg,,,' is not"),
        ("two,images/g9.jpg,images/a2.tif,,", "row 2: .*g9.jpg does not exist"),
        ("two,images/g2.jpg,images/a2.tif,95,8", "row 2: '95,8' is no lat"),
        ("two,images/g2.jpg,images/a2.tif,x,8", "row 2: 'x,8' is no latitude"),
        ("one,images/g2.jpg,images/a2.tif,,", "row 2: one repeats"),
        ("two,images/g2.jpg,images/a2.tif,1,2,3", "row 2: "),
    ],
)
def test_own_csv_broken_rows_are_named(tmp_path, row, said):
    own_data(tmp_path, ONE, row)
    with pytest.raises(UserError, match=f"train.csv, {said}"):
        read_dataset("csv", tmp_path)
    problems: list[Problem] = []
    dataset = read_dataset("csv", tmp_path, problems)
    if "exist" in said:  # For the decoder to find.
        assert len(dataset.train) == 2 and not problems
    else:
        assert [p.row for p in problems] == [2]
        assert [p.id for p in dataset.train] == ["one"]


def test_own_csv_without_header_or_list(tmp_path):
    with pytest.raises(UserError, match="holds neither train.csv nor"):
        read_dataset("csv", tmp_path)
    (tmp_path / "train.csv").write_text("1,a.jpg,b.jpg,2,3\n")
    with pytest.raises(UserError, match="its first line lacks id, ground"):
        read_dataset("csv", tmp_path)


def cvact(root, images="ANU_data_test"):
    ids = ["-a_b", "c", "d"]
    scipy.io.savemat(
        root / "ACT_data.mat",
        {
            "panoIds": np.array(ids),
            "utm": np.array([[693000.0, 6090000.0]] * 3),
            "trainSet": {"trainInd": np.array([[1]])},
            "valSet": {"valInd": np.array([[2]])},
            "valSetAll": {"valInd": np.array([[3], [2]])},
        },
    )
    for folder, suffix in (
        ("streetview", "_grdView.jpg"),
        ("satview_polish", "_satView_polish.jpg"),
    ):
        (root / images / folder).mkdir(parents=True)
        for name in ids:
            (root / images / folder / f"{name}{suffix}").touch()
    return root


def test_cvact_test_is_a_validation_split_of_its_own_folder(tmp_path):
    dataset = read_dataset("cvact_test", cvact(tmp_path))
    assert dataset.name == "cvact_test" and not dataset.train
    assert [p.id for p in dataset.validation] == ["d", "c"]
    assert "ANU_data_test" in str(dataset.validation[0].ground)
    assert any("published: 92,802" in note for note in dataset.notes)


def test_cvact_table_inside_its_images_folder(tmp_path):
    cvact(tmp_path, "ANU_data_small")
    inside = tmp_path / "ANU_data_small" / "ACT_data.mat"
    (tmp_path / "ACT_data.mat").rename(inside)
    with pytest.raises(UserError) as error:
        read_dataset("cvact", tmp_path)
    assert f"move {inside} to {tmp_path / 'ACT_data.mat'}" in str(error.value)


def cvusa(root):
    for folder in ("splits", "bingmap/19", "streetview/panos"):
        (root / folder).mkdir(parents=True)
    lines = []
    for number in (1, 2):
        files = [
            f"{f}/000000{number}.jpg"
            for f in ("bingmap/19", "streetview/panos")
        ]
        lines.append(",".join([*files, "x.png"]))
        for file in files:
            (root / file).touch()
    (root / "splits/train-19zl.csv").write_text(lines[0] + "\n")
    (root / "splits/val-19zl.csv").write_text(lines[1] + "\n")
    return root


@pytest.mark.parametrize("table", ["all.csv", "split_locations/all.csv"])
def test_both_places_of_all_csv_are_known(tmp_path, table):
    root = cvusa(tmp_path / "CVUSA")
    (root / table).parent.mkdir(exist_ok=True)
    (root / table).write_text("1,2,0,0,0\n3,4,0,0,0\n")
    assert read_dataset("cvusa", root).validation[0].coordinates == (3, 4)


def test_the_root_two_levels_down_is_named(tmp_path):
    root = cvusa(tmp_path / "download" / "CVUSA" / "CVPR_subset")
    with pytest.raises(UserError, match=f"did you mean --data_dir={root}"):
        read_dataset("cvusa", tmp_path / "download")


@pytest.mark.parametrize(
    ("moves", "said"),
    [
        (
            [("bingmap", "CVPR_subset/bingmap")],
            "CVPR_subset/bingmap to {}/bingmap",
        ),
        (
            [("streetview", "extra/level/streetview")],
            "extra/level/streetview to {}/streetview",
        ),
        ([("bingmap/19", "19")], "19 to {}/bingmap/19"),
        (
            [("bingmap/19/0000001.jpg", "bingmap/0000001.jpg")],
            "the files of {}/bingmap to {}/bingmap/19",
        ),
        ([("splits/train-19zl.csv", "train-19zl.csv")], None),
    ],
)
def test_what_to_move_is_said_in_one_line(tmp_path, moves, said):
    root = cvusa(tmp_path / "c")
    for old, new in moves:
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(root / new)
    for empty in ("bingmap/19", "bingmap", "splits"):
        left = root / empty
        if left.is_dir() and not [
            p for p in left.rglob("*") if "2.j" not in p.name
        ]:
            shutil.rmtree(left)
    for problems in (None, []):  # In training and in preparing alike.
        with pytest.raises(UserError) as error:
            read_dataset("cvusa", root, problems)
        assert "\n" not in str(error.value)
        if said:
            assert said.replace("{}", str(root)) in str(error.value)
        assert "is not there, but" in str(error.value) or said is None


def test_one_missing_file_is_no_misplaced_folder(tmp_path):
    """Both views' files share their names."""
    root = cvusa(tmp_path)
    (root / "bingmap/19/0000001.jpg").unlink()
    with pytest.raises(UserError, match="row 1: .*0000001.jpg does not exist"):
        read_dataset("cvusa", root)
    problems: list[Problem] = []
    assert len(read_dataset("cvusa", root, problems).train) == 1
    assert problems == []


def test_a_stray_quote_spoils_one_row(tmp_path):
    root = cvusa(tmp_path)
    good = (root / "splits/val-19zl.csv").read_text()
    (root / "splits/val-19zl.csv").write_text(f'"bingmap\n{good}')
    problems: list[Problem] = []
    assert len(read_dataset("cvusa", root, problems).validation) == 1
    (problem,) = problems
    assert (problem.split, problem.row) == ("validation", 1)
