"""Maps as galleries: crops on disk, positions, kills, wrong inputs."""

import json
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.galleries.places import Place
from mgtl_tf.galleries.sources import FileSource
from mgtl_tf.galleries.tiling.crop_settings import CropSettings
from mgtl_tf.galleries.tiling.finding import find_images
from mgtl_tf.galleries.tiling.raster import RasterMap
from mgtl_tf.utils.errors import UserError
from tests.galleries.encoders import FakeEncoder, failing
from tests.galleries.encoders import build as build_gallery
from tests.galleries.tiling.maps import (
    find,
    own_coordinates,
    write_map,
    write_tiles,
)

SETTINGS = CropSettings(20.0, 0.5, 14.0, 0.01)
UTM = ("EPSG:32632", (371000, 5200000), (0.4, 0.4))


@pytest.fixture
def map_path(tmp_path):
    """A map with a hole in its middle."""
    hole = np.full((250, 250), 255, np.uint8)
    hole[120:130, 120:130] = 0
    return write_map(tmp_path / "berne.tif", *UTM, mask=hole)


def everything(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.name != "index.json"
    }


def build(path, index, encoder=None):
    """The mean colours of crops, as they were written as JPEG."""
    encoder = encoder or FakeEncoder(mean_colour)
    return build_gallery(find(path, SETTINGS), index, encoder, 7)


def mean_colour(image):
    return image.mean(axis=(0, 1))


def test_crops_lie_beside_the_index(tmp_path, map_path):
    built = build(map_path, tmp_path / "index")
    candidates = find(map_path, SETTINGS)
    assert (built.count + built.empty, built.skipped) == (len(candidates), ())
    assert built.empty > 0
    (tmp_path / "index").rename(tmp_path / "moved")
    index = load_index(tmp_path / "moved")
    area = RasterMap(map_path)
    assert len(set(index.ids)) == built.count
    for row, place in enumerate(index.places):
        assert place.image.is_relative_to(tmp_path / "moved/crops")
        crop = cv2.imread(str(place.image), cv2.IMREAD_COLOR_RGB)
        assert crop.shape == (40, 40, 3)
        # The mean of a crop is its centre's own column and row.
        centre = area.to_pixels(np.array(place.coordinates))
        mean = crop.mean(axis=(0, 1))
        np.testing.assert_allclose(mean[:2], centre - 0.5, atol=1.5)
        np.testing.assert_allclose(index.descriptors[row], mean, atol=1e-3)
        name = "berne_{:.6f}_{:.6f}".format(*place.coordinates)
        assert place.id == place.image.stem == name
    assert len(list((tmp_path / "moved").rglob("*.jpg"))) == built.count


def test_killed_and_resumed(tmp_path, map_path):
    build(map_path, tmp_path / "whole")
    for batches in (2, 1, 1):
        with pytest.raises(KeyboardInterrupt):
            stopped = failing(KeyboardInterrupt, batches, None, mean_colour)
            build(map_path, tmp_path / "index", stopped)
    assert not (tmp_path / "index").exists()
    build(map_path, tmp_path / "index")
    assert everything(tmp_path / "index") == everything(tmp_path / "whole")


def test_a_map_that_changed_is_another_one(map_path):
    first = find(map_path, SETTINGS)
    before = first.stamp()
    assert find(map_path, SETTINGS).stamp() == before
    os.utime(map_path, ns=(0, 1))
    assert find(map_path, SETTINGS).stamp() != before
    description = first.describe()
    assert description == json.loads(json.dumps(description))
    assert description["crop_metres"] == 20.0


def test_tiles_and_files_and_maps_together(tmp_path, map_path):
    write_tiles(tmp_path / "oslo")
    (tmp_path / "images").mkdir()
    cv2.imwrite(
        str(tmp_path / "images/a.png"), np.full((9, 9, 3), 200, np.uint8)
    )
    paths = [map_path, tmp_path / "oslo", tmp_path / "images"]
    both = find_images(
        paths, None, "", {"crop_metres": 20.0, "metres_per_pixel": 0.5}
    )
    built = build_gallery(both, tmp_path / "index")
    index = load_index(tmp_path / "index")
    ids = list(index.ids)
    assert ids[0] == "a" and index.places[0].coordinates is None
    assert {name.split("_")[0] for name in ids[1:]} == {"berne", "oslo"}
    assert built.count == len(ids)
    assert all(place.image.is_file() for place in index.places)


def test_wrong_inputs_are_one_line(tmp_path, map_path):
    (tmp_path / "other").mkdir()
    twin = write_map(tmp_path / "other/berne.tif", *UTM)
    for paths, side, message in (
        ([map_path], 200.0, "no crop of 200 m fits on this map"),
        ([map_path, twin], 20.0, "both called 'berne'"),
        ([map_path, map_path], 20.0, "both called 'berne'"),
        ([tmp_path / "none.tif"], None, "no such file or folder"),
    ):
        flags = {"crop_metres": side}
        with pytest.raises(UserError, match=message) as error:
            find_images(paths, None, "procedural", flags)
        assert "\n" not in str(error.value)


def test_a_map_without_any_data(tmp_path):
    path = write_map(
        tmp_path / "empty.tif", *UTM, pixels=own_coordinates() * 0, nodata=0
    )
    with pytest.raises(UserError, match="no data under any of [0-9]+ crops"):
        build(path, tmp_path / "index")
    assert {p.name for p in tmp_path.iterdir()} == {"empty.tif"}


def test_a_tiff_without_position_is_an_image(tmp_path):
    """Nobody needs to say how it is cut."""
    path = tmp_path / "chip.tif"
    cv2.imwrite(str(path), np.zeros((16, 16, 3), np.uint8))
    found = find_images([path])
    assert isinstance(found, FileSource)
    assert found.place(0, tmp_path) == Place("chip", path)


def test_without_rasterio_one_line_says_what_to_install(
    tmp_path, map_path, monkeypatch
):
    folder = write_tiles(tmp_path / "oslo")
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(UserError, match=r"pip install -e '.\[tiles\]'"):
        find(map_path)
    assert len(find(folder, SETTINGS))  # Tiles need none.


def test_a_crop_the_disk_does_not_take(tmp_path, map_path, monkeypatch):
    """Is no image that can't be read: the work stops and says so."""
    write = Path.write_bytes

    def full(self, data):
        if "crops" not in self.parts:
            return write(self, data)
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="index: cannot be written .No space"):
        build(map_path, tmp_path / "index")
