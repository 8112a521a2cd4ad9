"""The reader of VIGOR: both trees, label sets and protocols; every fault."""

import shutil

import numpy as np
import pyproj
import pytest

from mgtl_tf.datasets.problems import ERROR
from mgtl_tf.datasets.readers import RefusedRow, read_dataset
from mgtl_tf.utils.errors import UserError
from tests.datasets.vigor_tree import (
    ORDER,
    TEST,
    TRAIN,
    as_sample4geo,
    make_vigor,
    panorama_name,
    tile_name,
    tile_names,
)

GEOD = pyproj.Geod(ellps="WGS84")
CORRECTED = "splits__corrected/Seattle/same_area_balanced_train__corrected.txt"
TILES = "splits__corrected/Seattle/satellite_list.txt"


def read(root, problems=None, labels="corrected", protocol="same"):
    options = {"labels": labels, "protocol": protocol}
    return read_dataset("vigor", root, problems, options)


def facts(dataset):
    pairs = dataset.train + dataset.validation
    return [
        (p.id, p.ground.name, p.aerial.name, p.coordinates, p.tiles.offsets)
        for p in pairs
    ] + [(t.id, t.aerial.name, t.coordinates) for t in dataset.gallery]


def test_both_trees_are_read_alike_whatever_the_folder_is_called(tmp_path):
    """Trap 1: commas and underscores of the path are no coordinates."""
    official = make_vigor(tmp_path / "official")
    other = make_vigor(tmp_path / "a,1.5,b_2_c" / "s4g")
    wanted = read(official)
    found = read(as_sample4geo(other))
    assert facts(found) == facts(wanted)
    assert wanted.notes[0] == "VIGOR's own tree"
    assert found.notes[0] == "Sample4Geo's tree"
    for pair in wanted.train + wanted.validation:
        assert pair.ground.is_file() and pair.aerial.is_file()


@pytest.mark.parametrize("labels", ["corrected", "original"])
def test_pairs_are_where_their_names_say(tmp_path, labels):
    dataset = read(make_vigor(tmp_path), labels=labels)
    resolutions = dict(
        zip(ORDER, (0.113248, 0.100817, 0.118141, 0.111262), strict=True)
    )
    assert len(dataset.train) == len(dataset.validation) == 8
    for pair in dataset.train + dataset.validation:
        city = pair.id.partition("/")[0]
        wanted = 0.114 if labels == "original" else resolutions[city]
        tiles = pair.tiles
        assert tiles.metres_per_pixel == wanted
        assert tiles.images[0].aerial == pair.aerial
        assert len({tile.aerial for tile in tiles.images}) == 4
        latitude, longitude = pair.coordinates
        apart = []
        for tile, (d0, d1) in zip(tiles.images, tiles.offsets, strict=True):
            azimuth, _, metres = GEOD.inv(
                *tile.coordinates[::-1], longitude, latitude
            )
            apart.append(metres)
            east = metres * np.sin(np.radians(azimuth))
            north = metres * np.cos(np.radians(azimuth))
            # In a tile of 640 pixels it stands at x = 320 - d1, y = 320 + d0.
            assert -d1 == pytest.approx(east / wanted, abs=2.5)
            assert d0 == pytest.approx(-north / wanted, abs=2.5)
            straight = np.linalg.norm(np.subtract(tile.position, pair.position))
            assert straight == pytest.approx(metres, abs=1e-3)
        assert np.argmin(apart) == 0


def test_protocols_and_the_gallery_s_order(tmp_path):
    """Traps 2 and 9: a fixed order; whole lists are not for same-area."""
    root = make_vigor(tmp_path)
    for folder, end in (("splits", ""), ("splits__corrected", "__corrected")):
        for city in ORDER:
            path = root / folder / city / f"pano_label_balanced{end}.txt"
            text = path.read_text()
            path.write_text(
                text + text.splitlines()[0].replace("pano_0", "new")
            )
    same, cross = read(root, []), read(root, [], protocol="cross")
    ids = [f"{city}/{'-' * n}pano_{n}" for city in ORDER for n in (0, 1)]
    assert [pair.id for pair in same.train] == ids
    assert not any("new" in p.id for p in same.train + same.validation)
    assert [t.aerial.name for t in same.gallery] == [
        name for city in ORDER for name in tile_names(city)
    ]
    assert {p.id.partition("/")[0] for p in cross.train} == set(ORDER[:2])
    assert {p.id.partition("/")[0] for p in cross.validation} == set(ORDER[2:])
    assert len(cross.train) == len(cross.validation) == 10
    assert [t.aerial.name for t in cross.gallery] == [
        name for city in ORDER[2:] for name in tile_names(city)
    ]
    # Whatever no test panorama is nearest to, is a distractor.
    for dataset, count in ((same, 16), (cross, 2 * 3)):
        shown = {pair.aerial for pair in dataset.validation}
        others = {pair.aerial for pair in dataset.distractors}
        assert not shown & others and len(others) == count
        assert shown | others == {tile.aerial for tile in dataset.gallery}


def test_what_is_chosen_and_what_leaks_stands_beside_every_figure(tmp_path):
    root = make_vigor(tmp_path)
    chosen, leak = read(root).remarks
    assert "vigor_labels=corrected, vigor_protocol=same" in chosen
    assert "all 24 tiles of NewYork, Seattle, SanFrancisco, Chicago" in chosen
    # Of each city's two test panoramas one shares a training panorama's tile,
    # and the other's stands among a training panorama's four.
    assert leak.startswith(
        "same-area: 50.0 % of 8 test queries share their own"
    )
    assert "100.0 % it stands in some training line" in leak
    remarks = read(root, labels="original", protocol="cross").remarks
    assert len(remarks) == 1 and "vigor_labels=original" in remarks[0]


def test_counts_that_are_not_the_published_ones_are_noted(tmp_path):
    root = make_vigor(tmp_path)
    notes = "\n".join(read(root).notes)
    for text in (
        "Seattle: 2 training panoramas (published: 11,876)",
        "Chicago: 2 test panoramas (published: 12,739)",
        "NewYork: 6 tiles (published: 23,279)",
    ):
        assert text in notes
    notes = "\n".join(read(root, protocol="cross").notes)
    assert "NewYork: 4 training panoramas (published: 27,769)" in notes
    assert "Chicago: 4 test panoramas (published: 25,479)" in notes
    (root / "world.json").touch()
    assert "published" not in "\n".join(read(root).notes)


def edit(path, change):
    path.write_bytes(change(path.read_bytes()))


def cut_field(root):
    edit(root / CORRECTED, lambda data: data.replace(b" ", b"", 1))


def unknown(root):
    name = tile_name("Seattle", 0, 0).encode()
    edit(root / TILES, lambda data: data.replace(name + b"\n", b"", 1))


def twice(root):
    one, two = (tile_name("Seattle", 0, c).encode() for c in (0, 1))
    edit(root / CORRECTED, lambda data: data.replace(two, one, 1))


def wrong_number(root):
    edit(root / CORRECTED, lambda data: data.replace(b".0 ", b"x ", 1))


def crlf(root):
    edit(root / CORRECTED, lambda data: data.replace(b"\n", b"\r\n"))


def no_newline(root):
    edit(root / CORRECTED, lambda data: data[:-1])


def jpg(root):
    path = root / "Seattle/satellite" / tile_name("Seattle", 1, 0)
    path.rename(path.with_suffix(".jpg"))


def far(root):
    edit(root / CORRECTED, lambda data: data.replace(b".0 ", b"999.0 ", 1))


def no_place(root):
    edit(root / CORRECTED, lambda data: data.replace(b",", b";", 1))


def swapped(root):
    one, two = (tile_name("Seattle", 0, c).encode() for c in (0, 1))

    def change(data):
        return data.replace(one, b"?").replace(two, one).replace(b"?", two)

    edit(root / CORRECTED, change)


FAULTS = [
    (cut_field, CORRECTED, 1, "has 12 fields; must have 13", True),
    (unknown, CORRECTED, 1, "which satellite_list.txt does not list", True),
    (twice, CORRECTED, 1, "twice; must name four aerial images", True),
    (wrong_number, CORRECTED, 1, "where an offset in pixels must stand", True),
    (no_place, CORRECTED, 1, "is not 'ID,LATITUDE,LONGITUDE,.jpg'", True),
    (crlf, CORRECTED, 0, "its lines end with CRLF; read as lines", False),
    (no_newline, CORRECTED, 0, "no newline after its last line", False),
    (jpg, TILES, 0, "1 of 6 tiles have another ending on disk", False),
    (far, CORRECTED, 0, "1 of 2 positives are more than 183 pixels", False),
    (swapped, CORRECTED, 0, "are not the nearest of their four tiles", False),
]


@pytest.mark.parametrize(
    "fault, file, row, reason, is_error", FAULTS, ids=lambda x: ""
)
def test_every_fault_is_named(tmp_path, fault, file, row, reason, is_error):
    root = make_vigor(tmp_path / "plain")
    before = read(root)
    fault(root)
    problems = []
    after = read(root, problems)
    found = [p for p in problems if p.file == str(root / file)]
    assert found and found[0].row == row and reason in found[0].reason
    assert (found[0].severity == ERROR) == is_error
    if is_error:
        assert len(after.train) < len(before.train)
        with pytest.raises(RefusedRow, match="row 1: "):
            read(root)
    else:
        assert len(facts(read(root))) == len(facts(before))
        if fault in (crlf, no_newline):
            assert facts(after) == facts(before)


def test_commas_in_the_path_are_said(tmp_path):
    problems = []
    read(make_vigor(tmp_path / "a,b"), problems)
    assert any("its path holds ','" in p.reason for p in problems)
    assert all(p.severity != ERROR for p in problems)


def test_crlf_without_a_last_newline_loses_no_line(tmp_path):
    """New York's list of tiles is so, and all corrected labels."""
    root = make_vigor(tmp_path)
    wanted = facts(read(root))
    for path in root.glob("splits__corrected/*/*.txt"):
        edit(path, lambda data: data.replace(b"\n", b"\r\n")[:-2])
    assert facts(read(root)) == wanted


def test_a_missing_tile_is_refused_also_where_no_panorama_stands(tmp_path):
    root = make_vigor(tmp_path)
    name = tile_name("Chicago", 1, 0)
    (root / "Chicago/satellite" / name).unlink()
    with pytest.raises(RefusedRow, match=f"{name}, row 4: does not exist"):
        read(root)
    path = root / "Seattle/panorama" / panorama_name("Seattle", 2, *TEST[0])
    path.unlink()
    with pytest.raises(RefusedRow, match="pano_2.*row 1: does not exist"):
        read(root)
    assert len(read(root, []).gallery) == 24
    assert len(TRAIN) == 2


def test_folders_that_cannot_be_are_refused_in_one_line(tmp_path):
    root = make_vigor(tmp_path / "one")
    shutil.copytree(root / "Chicago/satellite", root / "satellite/Chicago")
    with pytest.raises(UserError, match="holds both of"):
        read(root)
    shutil.rmtree(root / "satellite")
    for city in ORDER:
        (root / city).rename(root / f"old{city}")
    with pytest.raises(UserError, match="holds neither of"):
        read(root)
    shutil.rmtree(root / "splits__corrected")
    with pytest.raises(UserError, match="give vigor_labels=original"):
        read(root)
    with pytest.raises(UserError, match="did you mean"):
        read(make_vigor(tmp_path / "two/VIGOR").parent)
    path = tmp_path / "two/VIGOR" / CORRECTED
    path.unlink()
    with pytest.raises(UserError, match="download is incomplete"):
        read(tmp_path / "two/VIGOR")
