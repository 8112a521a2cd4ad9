"""Which files make a gallery, and what a locations file may say."""

import pytest

from mgtl_tf.galleries.places import Place, find_places, read_locations
from mgtl_tf.galleries.sources import FileSource
from mgtl_tf.utils.errors import UserError


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line lacks id, latitude, longitude"),
        ("id,latitude\n", "first line lacks longitude"),
        ("id,latitude,longitude\na,91,0\n", "row 1: '91,0' is no latitude"),
        ("id,latitude,longitude\na,1,nan\n", "row 1: '1,nan' is no latitude"),
        ("id,latitude,longitude\na,-inf,1\n", "row 1: '-inf,1' is no lat"),
        (
            "id,latitude,longitude\na,1,1\nb,x,1\n",
            "row 2: 'x,1' is no latitude",
        ),
        (
            "id,latitude,longitude\na,1\n",
            "row 1: '1,' is no latitude .* give both",
        ),
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


def test_a_list_of_own_pairs_gives_ids_and_positions(tmp_path):
    for name in ("one.TIF", "two.tif"):
        (tmp_path / name).write_bytes(name.encode())
    listed = tmp_path / "validation.csv"
    listed.write_text(
        "Id,ground,aerial,latitude,longitude\n"
        "b-1,g1.jpg,one.TIF,46.5,7.5\nb-2,g2.jpg,two.tif,,\n"
    )
    one = Place("b-1", tmp_path / "one.TIF", (46.5, 7.5))
    two = Place("b-2", tmp_path / "two.tif")
    assert find_places([listed]) == [one, two]
    (tmp_path / "where.csv").write_text("id,latitude,longitude\nb-2,1,2\n")
    found = find_places([listed], tmp_path / "where.csv")
    assert [p.coordinates for p in found] == [(46.5, 7.5), (1.0, 2.0)]


def test_each_distinct_image_is_one_place(tmp_path):
    for name, content in (("a", b"1"), ("b", b"2"), ("c", b"1"), ("d", b"3")):
        (tmp_path / f"{name}.png").write_bytes(content)
    (tmp_path / "e.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "where.csv").write_text(
        "id,latitude,longitude\nc,1,2\nb,3,4\ne,5,6\n"
    )
    found = find_places([tmp_path], tmp_path / "where.csv")
    assert found == [
        Place("a", tmp_path / "a.png", (1.0, 2.0), ("c",)),
        Place("b", tmp_path / "b.png", (3.0, 4.0), ("e",)),
        Place("d", tmp_path / "d.png"),
    ]
    assert FileSource(found).notes() == [
        "2 of 5 are images that are there already: a gallery holds each once,"
        " and their ids lead to it",
        "1 of 3 places has no position",
    ]


def test_odd_locations(tmp_path):
    """Windows' lines, rows without a position, a list of own pairs."""
    path = tmp_path / "where.csv"
    path.write_bytes(b"\xef\xbb\xbfid,latitude,longitude\r\n7,1.5,2.5\r\n")
    assert read_locations(path) == {"7": (1.5, 2.5)}
    path.write_text("ID, Latitude ,longitude,x\na,,,1\nb,1,2,\n")
    assert read_locations(path) == {"b": (1.0, 2.0)}
    path.write_text("id,ground,aerial,latitude,longitude\nb-1,g,t/7.tif,1,2\n")
    assert read_locations(path) == {"b-1": (1.0, 2.0), "7": (1.0, 2.0)}


def test_points_in_ids_are_kept(tmp_path):
    """VIGOR's and decimal names: only a suffix of images is cut."""
    names = ("satellite_37.75_-122.4183", "satellite_37.75_-122.4184")
    for name in (*(f"{name}.png" for name in names), "map_1.png"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "map_1.5.png").write_bytes(b"another")
    path = tmp_path / "where.csv"
    path.write_text(
        "id,latitude,longitude\n"
        f"{names[0]},1,2\n{names[1]}.PNG,3,4\nmap_1.5,5,6\n"
    )
    found = find_places([tmp_path], path)
    assert {place.id: place.coordinates for place in found} == {
        names[0]: (1.0, 2.0),
        names[1]: (3.0, 4.0),
        "map_1": None,
        "map_1.5": (5.0, 6.0),
    }
    path.write_text("id,latitude,longitude\nt/a_1.5_satView_polish.jpg,7,8\n")
    assert read_locations(path)["a_1.5"] == (7.0, 8.0)


def test_an_id_of_a_list_that_ends_as_files_do_is_found(tmp_path):
    (tmp_path / "t.tif").touch()
    listed, path = tmp_path / "own.csv", tmp_path / "where.csv"
    listed.write_text("id,aerial\nhouse.jpg,t.tif\n")
    path.write_text("id,latitude,longitude\nhouse.jpg,1,2\n")
    (found,) = find_places([listed], path)
    assert (found.id, found.coordinates) == ("house.jpg", (1.0, 2.0))
    path.write_text("id,latitude,longitude\na,1,2\na.jpg,1,3\n")
    with pytest.raises(UserError, match="'a' appears twice"):
        read_locations(path)
