"""Which files make a gallery, and what a locations file may say."""

import pytest

from mgtl_tf.errors import UserError
from mgtl_tf.retrieval.places import Place
from mgtl_tf.retrieval.places import find_places
from mgtl_tf.retrieval.places import place_id
from mgtl_tf.retrieval.places import read_locations


def test_cvact_has_one_id_for_both_views():
    assert place_id("a/-x_1_satView_polish.jpg") == "-x_1"
    assert place_id("a/-x_1_grdView.jpg") == "-x_1"
    assert place_id("0000001.jpg") == "0000001"


def test_folders_by_name_and_files_as_given(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt", "c.jpeg"):
        (tmp_path / name).touch()
    (tmp_path / "inner").mkdir()
    alone = tmp_path / "inner" / "z.bin"
    alone.touch()
    (tmp_path / "where.csv").write_text(
        "name,longitude,id,latitude\nA,-77.5,a,38.25\nQ,1,elsewhere,2\n"
    )
    places = find_places([alone, tmp_path], tmp_path / "where.csv")
    assert places == [
        Place("z", alone),
        Place("a", tmp_path / "a.png", (38.25, -77.5)),
        Place("b", tmp_path / "b.JPG"),
        Place("c", tmp_path / "c.jpeg"),
    ]


def test_byte_order_mark_and_windows_lines(tmp_path):
    path = tmp_path / "where.csv"
    path.write_bytes(b"\xef\xbb\xbfid,latitude,longitude\r\n7,1.5,2.5\r\n")
    assert read_locations(path) == {"7": (1.5, 2.5)}


def test_a_list_that_is_none_is_told_by_its_row(tmp_path):
    path = tmp_path / "list.csv"
    (tmp_path / "a.jpg").touch()
    path.write_text('"a.jpg",b\na.jpg\n')
    with pytest.raises(UserError, match="both have"):
        find_places([path])
    for wrong in (b"\xff\xfe\x00,", b"x" * 200_000, b"\n", b'"', b"../"):
        path.write_bytes(b"a.jpg\n" + wrong)
        with pytest.raises(UserError, match="row 2 names"):
            find_places([path])


def test_wrong_paths(tmp_path):
    with pytest.raises(UserError, match="no such file or folder"):
        find_places([tmp_path / "none"])
    with pytest.raises(UserError, match="holds no .jpg"):
        find_places([tmp_path])
    with pytest.raises(UserError, match="names no image"):
        find_places([])
    (tmp_path / "a.jpg").touch()
    (tmp_path / "a.png").touch()
    with pytest.raises(UserError, match="a.jpg and .*a.png both have"):
        find_places([tmp_path])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "header lacks 'id'"),
        ("id,latitude\n", "header lacks 'longitude'"),
        ("id,latitude,longitude\na,91,0\n", "line 2: latitude='91'"),
        ("id,latitude,longitude\na,1,nan\n", "line 2: longitude='nan'"),
        ("id,latitude,longitude\na,1,1\nb,x,1\n", "line 3: latitude='x'"),
        ("id,latitude,longitude\na,1\n", "line 2: longitude=None"),
        ("id,latitude,longitude\na,1,1\na,1,2\n", "'a' appears twice"),
        ("id,latitude,longitude\nq,1,1\n", "none of its ids"),
    ],
)
def test_wrong_locations(tmp_path, text, message):
    (tmp_path / "a.jpg").touch()
    (tmp_path / "where.csv").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        find_places([tmp_path], tmp_path / "where.csv")
    assert "\n" not in str(error.value)


def test_locations_that_are_missing_or_no_text(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_locations(tmp_path / "none.csv")
    (tmp_path / "where.csv").write_bytes(b"\xff\xfe\x00id")
    with pytest.raises(UserError, match="no CSV text"):
        read_locations(tmp_path / "where.csv")


def test_a_list_names_files_beside_it_or_one_folder_up(tmp_path):
    for name in ("bingmap/19/0000002.jpg", "bingmap/19/0000001.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    listed = tmp_path / "splits" / "val-19zl.csv"
    listed.parent.mkdir()
    listed.write_text(
        "bingmap/19/0000002.jpg,streetview/panos/0000002.jpg,x.png\n"
        "bingmap/19/0000001.jpg,streetview/panos/0000001.jpg,x.png\n"
    )
    assert [p.id for p in find_places([listed])] == ["0000002", "0000001"]
    with listed.open("a") as file:
        file.write("bingmap/19/0000003.jpg,a,b\n")
    with pytest.raises(UserError, match="row 3 names .*0000003"):
        find_places([listed])
