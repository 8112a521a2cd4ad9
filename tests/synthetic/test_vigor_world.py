"""A synthetic world in VIGOR's layout: its labels say where things are."""

import dataclasses

import cv2
import numpy as np
import pyproj
import pytest

from mgtl_tf.datasets.vigor.labels import (
    CITIES,
    LABELS,
    METRES_PER_PIXEL,
    TILE_LIST,
    WHOLE_LIST,
    list_path,
)
from mgtl_tf.synthetic.settings import WorldSettings, vigor_form
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.world import make_world

SETTINGS = dataclasses.replace(
    vigor_form(WorldSettings(seed=5)),
    train_pairs=8,
    val_pairs=6,
    aerial_size=64,
    ground_height=16,
    ground_width=32,
    metres_per_pixel=1.0,
    supersampling=1,
    cars=0.0,
    noise=0.0,
    appearance_change=0.0,
)
GEOD = pyproj.Geod(ellps="WGS84")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("vigor") / "a,b_c" / "world"
    make_world(SETTINGS, root, 1, progress=False)
    return root


def lines(root, city, labels, name=WHOLE_LIST):
    text = list_path(root, city, labels, name).read_bytes().decode()
    return [line.split() for line in text.splitlines()]


def place(name):
    """Latitude and longitude of a name of either kind."""
    parts = name.removesuffix(".png").split("_" if "satel" in name else ",")
    return np.array(parts[1:3], float)


def test_files_are_those_of_the_lists(world):
    for city, counts in zip(
        CITIES, ((2, 1), (2, 2), (2, 1), (2, 2)), strict=True
    ):
        listed = [
            lines(world, city, "original", f"same_area_balanced_{split}")
            for split in ("train", "test")
        ]
        assert tuple(map(len, listed)) == counts
        assert sum(listed, []) == lines(world, city, "original")
        there = {p.name for p in (world / city / "panorama").iterdir()}
        assert there == {line[0] for line in sum(listed, [])}
        tiles = (world / "splits" / city / TILE_LIST).read_text().split()
        files = {p.name for p in (world / city / "satellite").iterdir()}
        assert files == set(tiles) and len(tiles) == len(files)
        # Some tiles are nobody's positive.
        positives = {line[1] for line in sum(listed, [])}
        assert positives < files


@pytest.mark.parametrize("city", CITIES)
def test_labels_are_geodesics_over_the_resolution(world, city):
    names = (world / "splits" / city / TILE_LIST).read_text().split()
    tiles = np.array([place(name) for name in names])
    for labels, resolution in (
        ("corrected", METRES_PER_PIXEL[city]),
        ("original", 0.114),
    ):
        for fields in lines(world, city, labels):
            assert len(fields) == 13
            here = place(fields[0])
            shape = np.ones(len(tiles))
            bearing, _, metres = GEOD.inv(
                tiles[:, 1], tiles[:, 0], here[1] * shape, here[0] * shape
            )
            assert names[metres.argmin()] == fields[1]
            assert len(set(fields[1::3])) == 4
            for name, d0, d1 in zip(
                *(fields[i::3] for i in (1, 2, 3)), strict=True
            ):
                n = names.index(name)
                north = metres[n] * np.cos(np.radians(bearing[n]))
                east = metres[n] * np.sin(np.radians(bearing[n]))
                assert float(d0) == pytest.approx(-north / resolution, abs=0.7)
                assert float(d1) == pytest.approx(-east / resolution, abs=0.7)
            if labels == "original":
                values = np.array([fields[i::3] for i in (2, 3)], float)
                steps = np.abs(values[:, 1:] - values[:, :1])
                assert np.isin(steps, (0, 319, 320, 321)).all()
                assert (steps[:, 2] > 0).all()  # the third is diagonal


def test_at_most_two_panoramas_a_tile_and_none_twice(world):
    for city in CITIES:
        rows = lines(world, city, "corrected")
        assert len({row[0] for row in rows}) == len(rows)
        _, counts = np.unique([row[1] for row in rows], return_counts=True)
        assert counts.max() <= 2


def test_line_ends_are_those_of_the_published_files(world):
    for city in CITIES:
        corrected = list_path(world, city, "corrected", WHOLE_LIST).read_bytes()
        original = list_path(world, city, "original", WHOLE_LIST).read_bytes()
        assert b"\r\n" in corrected and not corrected.endswith(b"\n")
        assert b"\r" not in original and original.endswith(b"\n")
        for folder, _ in LABELS.values():
            data = (world / folder / city / TILE_LIST).read_bytes()
            assert (b"\r\n" in data) == (city == "NewYork")


@pytest.mark.parametrize("city", ["NewYork", "Seattle"])
def test_neighbouring_tiles_overlap_by_the_city_s_resolution(world, city):
    """Two tiles are alike where 36.48 m shift one over the other."""
    names = (world / "splits" / city / TILE_LIST).read_text().split()
    columns = sum(abs(place(n)[0] - place(names[0])[0]) < 1e-5 for n in names)
    shift = 36.48 / METRES_PER_PIXEL[city] / 10  # of 64 pixels
    best = []
    for row in (1, 2):
        one, other = (
            cv2.imread(
                str(world / city / "satellite" / names[row * columns + n])
            )
            for n in (1, 2)
        )
        errors = []
        for step in range(25, 45):
            inner = one[:, step:].astype(float) - other[:, : 64 - step]
            errors.append(np.abs(inner).mean())
        best.append(25 + int(np.argmin(errors)))
    assert best == pytest.approx([shift] * 2, abs=1.0)


def test_a_finished_world_is_left_alone_and_a_cut_one_goes_on(world):
    panorama = next((world / "Seattle" / "panorama").iterdir())
    before = panorama.read_bytes()
    make_world(SETTINGS, world, 1, progress=False)
    panorama.unlink()
    list_path(world, "Seattle", "corrected", WHOLE_LIST).unlink()
    (world / LABELS["corrected"][0] / "Seattle" / TILE_LIST).unlink()
    make_world(SETTINGS, world, 1, progress=False)
    assert panorama.read_bytes() == before
    assert len(lines(world, "Seattle", "corrected")) == 4


def test_a_lost_picture_of_a_finished_world_is_drawn_again(world):
    """Of either view, though all lists are there."""
    lists = {p: p.read_bytes() for p in world.rglob("*.txt")}
    for view in ("panorama", "satellite"):
        lost = next((world / "Chicago" / view).iterdir())
        before = lost.read_bytes()
        lost.unlink()
        make_world(SETTINGS, world, 1, progress=False)
        assert lost.read_bytes() == before
    assert {p: p.read_bytes() for p in world.rglob("*.txt")} == lists


def test_settings_that_vigor_cannot_have_are_named():
    with pytest.raises(UserError, match="aerial_metres is 60"):
        WorldSettings(layout="vigor")
    with pytest.raises(UserError, match="layout=cvusa"):
        dataclasses.replace(SETTINGS, labels=True)
    with pytest.raises(UserError, match="layout is 'x'"):
        WorldSettings(layout="x")
