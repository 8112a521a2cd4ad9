"""Which images files, folders and lists name."""

import pytest

from mgtl_tf.galleries.named_images import NamedImage, named_images, place_id
from mgtl_tf.galleries.places import find_places
from mgtl_tf.utils.errors import UserError


@pytest.fixture
def root(tmp_path):
    """CVUSA's folders, and own images beside them."""
    for name in ("sat/1.jpg", "sat/2.jpg", "panos/a.jpg", "one.TIF", "b.tif"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "splits").mkdir()
    return tmp_path


def test_cvact_has_one_id_for_both_views():
    assert place_id("a/-x_1_satView_polish.jpg") == "-x_1"
    assert place_id("a/-x_1_grdView.jpg") == "-x_1"
    assert place_id("0000001.jpg") == "0000001"


def test_files_and_folders(root):
    one = root / "one.TIF"
    assert named_images(one, "aerial") == [NamedImage(one, "one")]
    found = named_images(str(root / "sat"), "ground")
    assert [(f.image.name, f.place) for f in found] == [
        ("1.jpg", "1"),
        ("2.jpg", "2"),
    ]
    for path, message in (
        (root / "none", "no such file or folder"),
        (root / "splits", "holds no .jpg"),
    ):
        with pytest.raises(UserError, match=message):
            named_images(path, "aerial")
    with pytest.raises(UserError, match="no image is named"):
        find_places([])
    (root / "one.png").touch()
    with pytest.raises(UserError, match="one.TIF and .*one.png both have"):
        find_places([root])


@pytest.mark.parametrize("view", ["aerial", "ground"])
def test_lists_without_and_with_a_header(root, view):
    """CVUSA's name files from the folder above; own rows may have ids."""
    cvusa, own = root / "splits/val.csv", root / "own.csv"
    cvusa.write_text("sat/2.jpg,panos/a.jpg,x.png\nsat/1.jpg,panos/a.jpg\n")
    images = {"aerial": ("2.jpg", "1.jpg"), "ground": ("a.jpg", "a.jpg")}
    found = named_images(cvusa, view)
    assert tuple(f.image.name for f in found) == images[view]
    assert [(f.place, f.id) for f in found] == [("2", ""), ("1", "")]
    own.write_text(
        "Id,ground,aerial,latitude,longitude,Side_metres\n"
        "z,panos/a.jpg,one.TIF,46.5,7.5,72.5\ny,panos/a.jpg,b.tif,,\n"
    )
    first, second = named_images(own, view)
    image = root / {"aerial": "one.TIF", "ground": "panos/a.jpg"}[view]
    assert first == NamedImage(image, "one", "z", (46.5, 7.5), 72.5)
    assert (second.place, second.id, second.coordinates) == ("b", "y", None)
    assert second.side_metres is None


@pytest.mark.parametrize(
    ("view", "text", "message"),
    [
        ("aerial", "one.TIF\nnone.jpg\n", "row 2 names .*'none.jpg', no file"),
        ("aerial", "id;aerial\nb-1;one.TIF\n", "separated by semicolons"),
        (
            "aerial",
            "id,aerial\nb,none.tif\n",
            "row 1 names the aerial image",
        ),
        ("aerial", "id,aerial\nb-1,\n", "row 1 names the aerial image ''"),
        ("aerial", "id,aerial\na,one.TIF\na,b.tif\n", "both have the id 'a'"),
        ("aerial", '"one.TIF",b\none.TIF\n', "both have"),
        (
            "aerial",
            "aerial,latitude,longitude\none.TIF,inf,1\n",
            "row 1: 'inf,1' is no",
        ),
        (
            "aerial",
            "aerial,latitude,longitude\none.TIF,8,\n",
            "row 1: '8,' is no lat",
        ),
        *(
            (
                "aerial",
                f"aerial,side_metres\none.TIF,{side}\n",
                f"row 1: side_metres '{side}' is no number of metres",
            )
            for side in ("0", "-3", "nan", "inf", "wide")
        ),
        (
            "ground",
            "sat/1.jpg,panos/none.jpg\n",
            "row 1 names the panorama 'pa",
        ),
        ("ground", "aerial,ground\nsat/1.jpg\n", "row 1 names the panorama ''"),
        ("ground", "aerial\nsat/1.jpg\n", "first line lacks ground"),
        ("ground", "sat/1.jpg\n", "row 1 names the panorama ''"),
        ("ground", "\n", "row 1"),
        *(
            ("aerial", b"sat/1.jpg\n" + wrong, "row 2 names")
            for wrong in (b"\xff\xfe\x00,", b"x" * 200_000, b"\n", b'"', b"../")
        ),
    ],
    # Not the text, which may be long.
    ids=lambda value: value if value in ("aerial", "ground") else "",
)
def test_wrong_lists_are_one_line(root, view, text, message):
    path = root / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=message) as error:
        find_places([path]) if view == "aerial" else named_images(path, view)
    assert "\n" not in str(error.value)
