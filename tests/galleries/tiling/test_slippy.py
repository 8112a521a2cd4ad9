"""Folders of z/x/y tiles: scale by latitude, holes, damage, zoom levels."""

import cv2
import numpy as np
import pytest

from mgtl_tf.galleries.tiling.crop_settings import CropSettings
from mgtl_tf.galleries.tiling.slippy import SlippyMap
from tests.galleries.tiling.maps import (
    FIRST,
    TILE,
    ZOOM,
    corner,
    crop_centres,
    cut_crop,
    errors,
    fates,
    tile_path,
    write_tiles,
)


def test_every_pixel_shows_its_own_place(tmp_path):
    """At 60 degrees north, by the published formula and the geodesic."""
    area = SlippyMap(write_tiles(tmp_path / "tiles"), 0.3)
    assert (area.zoom, area.width, area.height) == (ZOOM, 192, 192)
    settings = CropSettings(30.0, 0.3, 10.0)
    centres = crop_centres(area, settings)
    north_west = corner(FIRST, ZOOM)
    south_east = corner((FIRST[0] + 3, FIRST[1] + 3), ZOOM)
    assert 59 < north_west[0] < 61
    assert (centres < np.array(north_west) * [1, 9]).all()
    assert (south_east[0] < centres[:, 0]).all()
    assert len(centres) == 9
    for centre in centres[::4].tolist():
        crop = cut_crop(area, tuple(centre), settings).astype(float)
        x = FIRST[0] + (crop[..., 0] + 0.5) / TILE
        y = FIRST[1] + (crop[..., 1] + 0.5) / TILE
        latitude = np.degrees(
            np.arctan(np.sinh(np.pi * (1 - y / 2 ** (ZOOM - 1))))
        )
        longitude = x / 2**ZOOM * 360 - 180
        for error in errors(settings, centre, longitude, latitude):
            assert abs(error).max() < 0.22  # A tile's pixel is 0.3 m here.


def cut_all(folder, settings):
    """What became of each crop, by its centre's column and row in tiles."""
    source, found = fates(folder, settings, folder.parent / "crops")
    area = SlippyMap(folder, settings.metres_per_pixel)
    places = area.to_pixels(source.centres) / TILE
    return dict(zip(map(tuple, places.tolist()), found, strict=True))


def reaches(place, tile, metres):
    """Whether a crop around a place (in tiles) has pixels of a tile."""
    reach = metres / 2 / (0.3 * TILE)
    return all(
        t - reach < p < t + 1 + reach for p, t in zip(place, tile, strict=True)
    )


def test_a_missing_and_a_truncated_tile(tmp_path):
    folder = write_tiles(tmp_path / "tiles")
    tile_path(folder, 2, 0).unlink()
    cut = tile_path(folder, 0, 2)
    cut.write_bytes(cut.read_bytes()[:-30])
    fate = cut_all(folder, CropSettings(8.0, 0.3, 4.0, 0.0))
    assert len(fate) == 13 * 13
    for place, what in fate.items():
        if reaches(place, (2, 0), 7.5):
            assert what.startswith("no "), place
        elif reaches(place, (0, 2), 7.5):
            assert f"{FIRST[1] + 2}.png is cut off (PNG)" in what
        elif not (reaches(place, (2, 0), 10) or reaches(place, (0, 2), 10)):
            assert what == "ok", place


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: p.write_bytes(b""), "is empty"),
        (lambda p: p.write_text("<html>"), "web page"),
        (
            lambda p: cv2.imwrite(str(p), np.zeros((32, 32, 3), np.uint8)),
            "is 32 pixels a side, not 64",
        ),
        (
            lambda p: cv2.imwrite(str(p), np.zeros((64, 32, 3), np.uint8)),
            "is not square",
        ),
        (lambda p: (p.unlink(), p.mkdir()), "is a folder or device"),
    ],
)
def test_damaged_tiles_are_named(tmp_path, damage, message):
    folder = write_tiles(tmp_path / "tiles", 2)
    damage(tile_path(folder, 1, 1))
    fate = cut_all(folder, CropSettings(8.0, 0.3, 8.0))
    assert "ok" in fate.values()
    assert any(message in what for what in fate.values())


def test_the_zoom_level_that_is_enough(tmp_path):
    folder = tmp_path / "tiles"
    for zoom in (18, 19, 20):
        first = tuple(n >> (20 - zoom) for n in FIRST)
        write_tiles(folder, 1, zoom, first)
    # 256 pixels a tile: 0.3 m at zoom 18 and 60 degrees north.
    for pixel, zoom in ((0.31, 18), (0.2, 19), (0.08, 20), (0.01, 20), (9, 18)):
        assert SlippyMap(folder, pixel).zoom == zoom
    (folder / "21").mkdir()
    assert SlippyMap(folder, 0.01).zoom == 20


def test_a_coarse_crop_of_fine_tiles_takes_means(tmp_path):
    """Tiles are reduced one by one; what is missing lends no colour."""
    folder = write_tiles(tmp_path / "tiles")
    tile_path(folder, 0, 0).unlink()
    area = SlippyMap(folder, 0.3)
    window = area.read(70, 0, 192, 192, 9.0)
    assert (window.column, window.row, window.step) == (64, 0, (8.0, 8.0))
    assert window.pixels.shape == (24, 16, 4)
    columns = 64 + 8 * np.arange(16) + 3.5
    np.testing.assert_allclose(window.pixels[9, :, 0], columns, atol=0.51)
    mask = area.read(0, 0, 192, 192, 9.0).pixels[..., 3]
    assert not mask[:8, :8].any() and mask[8:].all()
