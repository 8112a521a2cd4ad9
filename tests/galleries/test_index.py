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
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtl_tf.galleries.builder import build_index
from mgtl_tf.galleries.encoder import UnreadableImage
from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.galleries.manifest import FILES, write_manifest
from mgtl_tf.galleries.place_table import open_places, write_places
from mgtl_tf.galleries.places import Place
from mgtl_tf.utils import checksums
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import sealed_text
from polar.image_files import read_image
from tests.galleries.wide_images import widths, write_wide
from tests.retrieval.identity_inputs import IdentityInputs

REFUSED = 99


class CountingEncoder(IdentityInputs):
    """Descriptors that tell the width of each image; 99 is refused."""

    model_hash = "f" * 64
    dimension = 3

    def __init__(self):
        self.batches = []

    def satellite_input(self, pixels):
        if pixels.shape[1] == REFUSED:
            raise UnreadableImage("an aerial image must be square")
        return pixels

    def encode_satellite(self, images):
        self.batches.append(len(images))
        return np.float32([[width, 0, 1] for width in widths(images)])


@pytest.fixture
def places(tmp_path):
    (tmp_path / "images").mkdir()
    made = []
    for i in range(1, 8):
        image = tmp_path / "images" / f"{i}.jpg"
        write_wide(image, i)
        where = (38.1 + i / 3, -77.0) if i % 2 else None
        made.append(Place(str(i), image, where))
    return made


def test_comes_back_as_it_was_built(tmp_path, places):
    encoder = CountingEncoder()
    built = build_index(encoder, places, tmp_path / "index", 3, False)
    assert (built.count, built.skipped, built.empty) == (7, (), 0)
    assert encoder.batches == [3, 3, 1]
    index = load_index(tmp_path / "index")
    assert list(index.places) == places
    assert [index.places[n] for n in range(-7, 0)] == places
    assert index.places[2:5] == places[2:5]
    assert list(index.ids) == [p.id for p in places]
    assert [index.ids[n] for n in range(7)] == list(index.ids)
    assert (index.row("3"), index.row("none")) == (2, None)
    known = [p.coordinates or (np.nan, np.nan) for p in places]
    np.testing.assert_array_equal(index.coordinates, np.float64(known))
    with pytest.raises(IndexError):
        index.places[7]
    assert index.model_hash == encoder.model_hash
    assert index.descriptors.dtype == np.float32
    np.testing.assert_array_equal(index.descriptors[:, 0], range(1, 8))


def test_index_and_images_may_move_together(tmp_path, places):
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "images").rename(home / "images")
    moved = [Place(p.id, home / "images" / p.image.name) for p in places]
    build_index(CountingEncoder(), moved, home / "index", progress=False)
    home.rename(tmp_path / "elsewhere")
    for place in load_index(tmp_path / "elsewhere" / "index").places:
        assert read_image(place.image).shape[1] == int(place.id)


def test_unreadable_images_are_left_out_and_named(tmp_path, places):
    places[1].image.write_bytes(b"bad")
    places[4].image.unlink()
    write_wide(places[6].image, REFUSED)
    # 48 KB that would fill 1.2 GB, and a pipe that nobody writes to.
    large = cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1].tobytes()
    large = large[:16] + struct.pack(">II", 20_000, 20_000) + large[24:]
    places[2].image.write_bytes(large)
    places[5].image.unlink()
    os.mkfifo(places[5].image)
    built = build_index(CountingEncoder(), places, tmp_path / "index", 3, False)
    assert [(s.image.name, s.reason) for s in built.skipped] == [
        ("2.jpg", "is neither JPEG nor PNG nor TIFF"),
        (
            "3.jpg",
            "20000 x 20000 pixels: more than 134,217,728 are refused",
        ),
        ("5.jpg", "No such file or directory"),
        ("6.jpg", "is a folder or device, not a file"),
        ("7.jpg", "an aerial image must be square"),
    ]
    index = load_index(tmp_path / "index")
    assert [p.id for p in index.places] == ["1", "4"]
    np.testing.assert_array_equal(index.descriptors[:, 0], [1, 4])


def test_nothing_is_written_when_nothing_is_readable(tmp_path, places):
    for place in places:
        place.image.write_bytes(b"bad")
    with pytest.raises(UserError, match="none of 7 images.*1.jpg: is neither"):
        build_index(CountingEncoder(), places, tmp_path / "index", 3, False)
    assert [p.name for p in tmp_path.iterdir()] == ["images"]


def test_an_interrupt_leaves_the_older_index(tmp_path, places):
    build_index(CountingEncoder(), places[:2], tmp_path / "index", 3, False)

    class Interrupted(CountingEncoder):
        def encode_satellite(self, images):
            if self.batches:
                raise KeyboardInterrupt
            return super().encode_satellite(images)

    with pytest.raises(KeyboardInterrupt):
        build_index(Interrupted(), places, tmp_path / "index", 3, False)
    assert len(load_index(tmp_path / "index").places) == 2
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {"images", "index", ".index.unfinished"}
    encoder = CountingEncoder()
    build_index(encoder, places, tmp_path / "index", 3, False)
    assert encoder.batches == [3, 1]
    assert len(load_index(tmp_path / "index").places) == 7
    assert {p.name for p in tmp_path.iterdir()} == {"images", "index"}


def test_refuses_a_folder_with_other_files(tmp_path, places):
    for target in (tmp_path / "images", places[0].image):
        with pytest.raises(UserError, match="; name a "):
            build_index(CountingEncoder(), places, target, 3, False)
    assert len(list((tmp_path / "images").iterdir())) == 7


def test_descriptors_that_are_not_finite(tmp_path, places):
    class Broken(CountingEncoder):
        def encode_satellite(self, images):
            return np.full((len(images), 3), np.nan, np.float32)

    with pytest.raises(UserError, match="not finite"):
        build_index(Broken(), places, tmp_path / "index", 3, False)
    assert not (tmp_path / "index").exists()


def flip_last_byte(path: Path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", FILES)
def test_damage_of_any_file_is_one_line(tmp_path, places, name):
    build_index(CountingEncoder(), places, tmp_path / "index", 3, False)
    path = tmp_path / "index" / name
    whole = path.read_bytes()
    for damage, message in (
        (
            lambda: flip_last_byte(path),
            f"{name}: damaged .not what was",
        ),
        (lambda: path.write_bytes(whole[:-1]), f"{name}: damaged .* bytes, no"),
        (lambda: path.write_bytes(b""), f"{name}: damaged .0 bytes, not"),
        (path.unlink, f"{name}: missing"),
    ):
        path.write_bytes(whole)
        damage()
        with pytest.raises(UserError, match=message) as error:
            load_index(tmp_path / "index")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "json: damaged"),
        ("{}", "json: damaged"),
        ("[]", "json: damaged"),
        ("null", "json: damaged"),
        ('{"format": 2, "sha256": {}}', "of format 2, this version reads 3"),
        ('{"format": 3, "sha256": ""}', "not what it was written as"),
    ],
)
def test_a_damaged_or_old_manifest(tmp_path, places, text, message):
    build_index(CountingEncoder(), places, tmp_path / "index", 3, False)
    (tmp_path / "index/index.json").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        load_index(tmp_path / "index")
    assert "\n" not in str(error.value)


def test_files_of_two_indexes_do_not_fit(tmp_path, places):
    """Each is whole, but they are not of one gallery."""
    folder = tmp_path / "index"
    build_index(CountingEncoder(), places, folder, 3, False)
    np.save(folder / "descriptors.npy", np.zeros((7, 3), np.float64))
    write_manifest(folder, places, folder, "f" * 64)
    with pytest.raises(UserError, match="float64.* do not fit"):
        load_index(folder)
    with pytest.raises(ValueError, match="6 places for 7 descriptors"):
        write_manifest(folder, places[1:], folder, "f" * 64)


def _seal_again(folder):
    """Writes index.json anew, so that its checksums agree."""
    details = json.loads((folder / "index.json").read_text())
    del details["sha256"]
    details["files"] = {
        name: dataclasses.asdict(checksums.block_checksums(folder / name))
        for name in FILES
    }
    (folder / "index.json").write_text(sealed_text(details))


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("descriptors.npy", (4, 1), np.nan, "row 4 is not finite"),
        ("descriptors.npy", (6, 0), np.inf, "row 6 is not finite"),
        ("coordinates.npy", (2, 0), np.inf, "row 2 is no latitude"),
        ("coordinates.npy", (3, 1), np.nan, "row 3 is no latitude"),
        ("coordinates.npy", (0, 0), 90.5, "row 0 is no latitude"),
    ],
)
def test_crafted_values_are_one_line(
    tmp_path, places, name, place, value, message
):
    """The checksums agree: somebody wrote it so."""
    known = [dataclasses.replace(p, coordinates=(46.9, 7.4)) for p in places]
    build_index(CountingEncoder(), known, tmp_path / "index", 3, False)
    path = tmp_path / "index" / name
    array = np.load(path)
    array[place] = value
    np.save(path, array)
    _seal_again(tmp_path / "index")
    with pytest.raises(UserError, match=message) as error:
        load_index(tmp_path / "index")
    assert "\n" not in str(error.value)


def test_of_a_large_file_only_a_sample_is_read_at_loading(
    tmp_path, places, monkeypatch
):
    monkeypatch.setattr(checksums, "BLOCK_BYTES", 64)
    monkeypatch.setattr(checksums, "_SMALL_BYTES", 4000)
    folder = tmp_path / "index"
    build_index(CountingEncoder(), places, folder, 3, False)
    rows = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
    np.save(folder / "descriptors.npy", rows)
    write_manifest(folder, [places[0]] * 1000, folder, "f" * 64)
    path = folder / "descriptors.npy"
    for byte, seen in ((130, False), (11_000, False), (12_127, True)):
        data = bytearray(path.read_bytes())
        data[byte] ^= 1
        path.write_bytes(data)
        if seen:
            with pytest.raises(UserError, match="npy: damaged"):
                load_index(folder)
        else:
            load_index(folder)
        with pytest.raises(UserError, match="npy: damaged"):
            load_index(folder, verify=True)
        data[byte] ^= 1
        path.write_bytes(data)


NAMES = st.text(st.characters(exclude_characters="/\0"), min_size=1)


# Files are written: on a busy machine, that may take longer than 0.2 s.
@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            NAMES,
            st.one_of(
                st.none(),
                st.tuples(st.floats(-90, 90), st.floats(-180, 180)),
            ),
        )
    )
)
def test_any_id_and_position_comes_back(rows):
    rows = [(os.fsdecode(n.encode("utf-8", "replace")), w) for n, w in rows]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wanted = [Place(n, folder / "a", where) for n, where in rows]
        assert write_places(folder, wanted, folder)[0] == len(rows)
        found = open_places(folder)
        assert list(found) == wanted
        assert [found[n] for n in range(len(found))] == wanted


def test_another_model_or_folder_is_refused(tmp_path, places):
    build_index(CountingEncoder(), places, tmp_path / "index", 3, False)
    index = load_index(tmp_path / "index")
    index.require_model("f" * 64, "export")
    with pytest.raises(UserError, match="another model.*ffffffffffff, not 0"):
        index.require_model("0" * 64, "export")
    with pytest.raises(UserError, match="no such folder"):
        load_index(tmp_path / "none")
