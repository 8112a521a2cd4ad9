"""Own data as spreadsheets write it: read, or refused in one line."""

import pytest

from mgtl_tf.datasets.readers import read_dataset
from mgtl_tf.utils.errors import UserError

HEADER = "id,ground,aerial,latitude,longitude"
ROWS = ("one,g1.JPG,a1.TIF,47.5,8.25", "two,g2.jpg,a2.tif,,")
WANTED = [("one", (47.5, 8.25)), ("two", None)]


def write(folder, text):
    for name in ("g1.JPG", "g2.jpg", "a1.TIF", "a2.tif"):
        (folder / name).touch()
    content = text if isinstance(text, bytes) else text.encode()
    (folder / "train.csv").write_bytes(content)
    return folder


def plain(header=HEADER, rows=ROWS, end="\n"):
    return end.join([header, *rows]) + end


@pytest.mark.parametrize(
    "text",
    [
        plain(),
        b"\xef\xbb\xbf" + plain().encode(),
        plain(end="\r\n"),
        plain(end="\r"),
        plain().rstrip(),
        plain("Id,GROUND,Aerial,Latitude,LONGITUDE"),
        plain(" id , ground, aerial ,latitude , longitude"),
        plain(rows=[r.replace(",", " , ") for r in ROWS]),
        plain(rows=[",".join(f'"{v}"' for v in r.split(",")) for r in ROWS]),
        plain(HEADER + ",when,who", [r + ",1999,me" for r in ROWS]),
        plain(HEADER + ",when", ROWS),
        plain(rows=[*ROWS, "", ",,,,", "   "]),
        plain(rows=[ROWS[0], "two,g2.jpg,a2.tif"]),
        plain(
            "latitude,when,aerial,longitude,id,ground",
            ["47.5,1,a1.TIF,8.25,one,g1.JPG", ",,a2.tif,,two,g2.jpg"],
        ),
    ],
)
def test_what_is_meant_is_taken(tmp_path, text):
    pairs = read_dataset("csv", write(tmp_path, text)).train
    assert [(p.id, p.coordinates) for p in pairs] == WANTED
    assert pairs[0].aerial == tmp_path / "a1.TIF"


def test_absolute_paths_are_taken(tmp_path):
    (tmp_path / "lists").mkdir()
    write(tmp_path, "")
    row = f"one,{tmp_path}/g1.JPG,{tmp_path}/a1.TIF,,"
    (tmp_path / "lists" / "train.csv").write_text(plain(rows=[row]))
    (pair,) = read_dataset("csv", tmp_path / "lists").train
    assert pair.ground == tmp_path / "g1.JPG"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (plain().replace(",", ";"), "columns are separated by semicolons"),
        (plain().replace(",", "\t"), "columns are separated by tabs"),
        (plain("id,ground,aerial"), "first line lacks latitude, longitude"),
        (plain(HEADER + ",id"), "first line names id twice"),
        (plain(rows=['a,g1.JPG,a1.TIF,"47,5","8,25"']), "row 1: .*comma"),
        (plain(rows=["a,g1.JPG,a1.TIF,47,5,8,25"]), "row 1: 'a,g1.JPG"),
        (plain(rows=["a,g1.JPG,a1.TIF,149.1,-35.3"]), "row 1: .*swapped"),
        (plain(rows=["a,g1.JPG,a1.TIF,nan,8"]), "row 1: 'nan,8' is no lat"),
        (plain(rows=["a,g1.JPG,a1.TIF,8,inf"]), "row 1: '8,inf' is no lat"),
        (plain(rows=["a,g1.JPG,a1.TIF,1e400,8"]), "row 1: '1e400,8' is no"),
        (plain(rows=["a,g1.JPG,a1.TIF,47.5,"]), "give both, or neither"),
        (plain(rows=[ROWS[0], ROWS[0]]), "row 2: one repeats"),
        (plain(rows=[f",{ROWS[0][4:]}"]), "row 1: ',g1.JPG"),
        ("", "first line lacks id"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, text, said):
    with pytest.raises(UserError, match=f"train.csv.*{said}") as error:
        read_dataset("csv", write(tmp_path, text))
    assert "\n" not in str(error.value)


def test_places_without_a_position_are_counted(tmp_path):
    notes = read_dataset("csv", write(tmp_path, plain())).notes
    assert "1 of 2 training places has no position" in notes
    write(tmp_path, plain(rows=[ROWS[1]]))
    assert not any("position" in n for n in read_dataset("csv", tmp_path).notes)
