"""Building a gallery index and opening it again."""

import dataclasses
import json
import os
import struct
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgtl_tf.galleries.encoder import UnreadableImage
from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.galleries.manifest import FILES, write_manifest
from mgtl_tf.galleries.place_table import open_places, write_places
from mgtl_tf.galleries.places import Place
from mgtl_tf.utils import checksums
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import sealed_text
from polar.image_files import read_image
from tests.galleries.encoders import (
    FakeEncoder,
    build,
    change_byte,
    failing,
    wide_places,
    write_wide,
)


@pytest.fixture
def places(tmp_path):
    return wide_places(tmp_path, 7)


@pytest.fixture
def index(tmp_path, places):
    """The folder of their index."""
    build(places, tmp_path / "index")
    return tmp_path / "index"


def refused(folder, message, **options):
    """Loading an index is one line."""
    with pytest.raises(UserError, match=message) as error:
        load_index(folder, **options)
    assert "\n" not in str(error.value)


def test_comes_back_as_it_was_built(tmp_path, places):
    encoder = FakeEncoder()
    built = build(places, tmp_path / "index", encoder, 3)
    assert (built.count, built.skipped, built.empty) == (7, (), 0)
    assert encoder.batches == [3, 3, 1]
    index = load_index(tmp_path / "index")
    assert list(index.places) == places
    assert [index.places[n] for n in range(-7, 0)] == places
    assert index.places[2:5] == places[2:5]
    assert list(index.ids) == [p.id for p in places]
    assert (index.row("0002"), index.row("none")) == (2, None)
    known = [p.coordinates or (np.nan, np.nan) for p in places]
    np.testing.assert_array_equal(index.coordinates, np.float64(known))
    with pytest.raises(IndexError):
        index.places[7]
    assert index.descriptors.dtype == np.float32
    np.testing.assert_array_equal(index.descriptors[:, 0], range(1, 8))
    index.require_model("f" * 64, "export")
    with pytest.raises(UserError, match="another model.*ffffffffffff, not 0"):
        index.require_model("0" * 64, "export")
    refused(tmp_path / "none", "no such folder")


def test_index_and_images_may_move_together(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    build(wide_places(home, 7), home / "index")
    home.rename(tmp_path / "elsewhere")
    for place in load_index(tmp_path / "elsewhere" / "index").places:
        assert read_image(place.image).shape[1] == int(place.id) + 1


def test_unreadable_images_are_left_out_and_named(tmp_path, places):
    class Choosy(FakeEncoder):
        def satellite_input(self, pixels):
            if pixels.shape[1] == 99:
                raise UnreadableImage("an aerial image must be square")
            return pixels

    places[1].image.write_bytes(b"bad")
    places[4].image.unlink()
    write_wide(places[6].image, 99)
    # 48 KB that would fill 1.2 GB, and a pipe that nobody writes to.
    large = cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1].tobytes()
    large = large[:16] + struct.pack(">II", 20_000, 20_000) + large[24:]
    places[2].image.write_bytes(large)
    places[5].image.unlink()
    os.mkfifo(places[5].image)
    built = build(places, tmp_path / "index", Choosy())
    assert [(s.image.stem, s.reason) for s in built.skipped] == [
        ("0001", "is neither JPEG nor PNG nor TIFF"),
        ("0002", "20000 x 20000 pixels: more than 134,217,728 are refused"),
        ("0004", "No such file or directory"),
        ("0005", "is a folder or device, not a file"),
        ("0006", "an aerial image must be square"),
    ]
    index = load_index(tmp_path / "index")
    assert [p.id for p in index.places] == ["0000", "0003"]
    np.testing.assert_array_equal(index.descriptors[:, 0], [1, 4])


def test_nothing_is_written_when_nothing_is_readable(tmp_path, places):
    for place in places:
        place.image.write_bytes(b"bad")
    with pytest.raises(UserError, match="none of 7 images.*0000.jpg: is neith"):
        build(places, tmp_path / "index")
    assert [p.name for p in tmp_path.iterdir()] == ["images"]


def test_an_interrupt_leaves_the_older_index(tmp_path, places):
    build(places[:2], tmp_path / "index")
    with pytest.raises(KeyboardInterrupt):
        build(places, tmp_path / "index", failing(KeyboardInterrupt, 1), 3)
    assert len(load_index(tmp_path / "index").places) == 2
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {"images", "index", ".index.unfinished"}
    encoder = FakeEncoder()
    build(places, tmp_path / "index", encoder, 3)
    assert encoder.batches == [3, 1]
    assert len(load_index(tmp_path / "index").places) == 7
    assert {p.name for p in tmp_path.iterdir()} == {"images", "index"}


def test_refuses_a_folder_with_other_files(tmp_path, places):
    for target in (tmp_path / "images", places[0].image):
        with pytest.raises(UserError, match="; name a "):
            build(places, target)
    assert len(list((tmp_path / "images").iterdir())) == 7


def test_descriptors_that_are_not_finite(tmp_path, places):
    with pytest.raises(UserError, match="not finite"):
        build(places, tmp_path / "index", FakeEncoder(lambda _: [np.nan] * 3))
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize("name", FILES)
def test_damage_of_any_file_is_one_line(index, name):
    path = index / name
    whole = path.read_bytes()
    for damage, message in (
        (lambda: change_byte(path), f"{name}: damaged .not what was"),
        (lambda: path.write_bytes(whole[:-1]), f"{name}: damaged .* bytes, no"),
        (lambda: path.write_bytes(b""), f"{name}: damaged .0 bytes, not"),
        (path.unlink, f"{name}: missing"),
    ):
        path.write_bytes(whole)
        damage()
        refused(index, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *((text, "json: damaged") for text in ("{", "{}", "[]", "null")),
        ('{"format": 2, "sha256": {}}', "of format 2, this version reads 3"),
        ('{"format": 3, "sha256": ""}', "not what it was written as"),
    ],
)
def test_a_damaged_or_old_manifest(index, text, message):
    (index / "index.json").write_text(text)
    refused(index, message)


def test_files_of_two_indexes_do_not_fit(index, places):
    """Each is whole, but they are not of one gallery."""
    np.save(index / "descriptors.npy", np.zeros((7, 3), np.float64))
    write_manifest(index, places, index, "f" * 64)
    refused(index, "float64.* do not fit")
    with pytest.raises(ValueError, match="6 places for 7 descriptors"):
        write_manifest(index, places[1:], index, "f" * 64)


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("descriptors.npy", (4, 1), np.nan, "row 4 is not finite"),
        ("descriptors.npy", (6, 0), np.inf, "row 6 is not finite"),
        ("coordinates.npy", (2, 0), np.inf, "row 2 is no latitude"),
        ("coordinates.npy", (4, 1), np.nan, "row 4 is no latitude"),
        ("coordinates.npy", (1, 0), 90.5, "row 1 is no latitude"),
    ],
)
def test_crafted_values_are_one_line(index, name, place, value, message):
    """The checksums agree: somebody wrote it so."""
    array = np.load(index / name)
    array[place] = value
    np.save(index / name, array)
    details = json.loads((index / "index.json").read_text())
    del details["sha256"]
    sums = checksums.block_checksums(index / name)
    details["files"][name] = dataclasses.asdict(sums)
    (index / "index.json").write_text(sealed_text(details))
    refused(index, message)


def test_of_a_large_file_only_a_sample_is_read_at_loading(
    index, places, monkeypatch
):
    monkeypatch.setattr(checksums, "BLOCK_BYTES", 64)
    monkeypatch.setattr(checksums, "_SMALL_BYTES", 4000)
    rows = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
    path = index / "descriptors.npy"
    np.save(path, rows)
    write_manifest(index, [places[0]] * 1000, index, "f" * 64)
    for byte, seen in ((130, False), (11_000, False), (12_127, True)):
        change_byte(path, byte)
        if seen:
            refused(index, "npy: damaged")
        else:
            load_index(index)
        refused(index, "npy: damaged", verify=True)
        change_byte(path, byte)


NAMES = st.text(st.characters(exclude_characters="/\0"), min_size=1)
SIDES = st.floats(0.1, 1e6)
DEGREES = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


# Files are written: on a busy machine, that may take longer than 0.2 s.
@given(st.lists(st.tuples(NAMES, st.none() | DEGREES, st.none() | SIDES)))
def test_any_id_position_and_side_comes_back(rows):
    rows = [(os.fsdecode(n.encode("utf-8", "replace")), *w) for n, *w in rows]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wanted = [
            Place(n, folder / "a", where, side_metres=side)
            for n, where, side in rows
        ]
        count, files = write_places(folder, wanted, folder)
        assert count == len(rows)
        with_sides = any(side is not None for *_, side in rows)
        assert ("side_metres.npy" in files) == with_sides
        found = open_places(folder, with_sides)
        assert list(found) == wanted
        assert [found[n] for n in range(len(found))] == wanted
