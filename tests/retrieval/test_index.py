"""Building a gallery index and opening it again."""

import json
from pathlib import Path

import numpy as np
import pytest

from mgtl_tf.errors import UserError
from mgtl_tf.retrieval.build import build_index
from mgtl_tf.retrieval.encoder import UnreadableImage
from mgtl_tf.retrieval.index import load_index
from mgtl_tf.retrieval.places import Place


class CountingEncoder:
    """Descriptors that tell the length of each file; b"bad" is refused."""

    model_hash = "f" * 64
    dimension = 3

    def __init__(self):
        self.batches = []

    def encode_satellite(self, images):
        self.batches.append(len(images))
        if b"bad" in images:
            raise UnreadableImage("not a whole JPEG or PNG image")
        return np.float32([[len(i), 0, 1] for i in images])


@pytest.fixture
def places(tmp_path):
    (tmp_path / "images").mkdir()
    made = []
    for i in range(1, 8):
        image = tmp_path / "images" / f"{i}.jpg"
        image.write_bytes(b"x" * i)
        where = (38.1 + i / 3, -77.0) if i % 2 else None
        made.append(Place(str(i), image, where))
    return made


def test_comes_back_as_it_was_built(tmp_path, places):
    encoder = CountingEncoder()
    assert build_index(encoder, places, tmp_path / "index", 3, False) == []
    assert encoder.batches == [3, 3, 1]
    index = load_index(tmp_path / "index")
    assert index.places == places
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
        assert place.image.read_bytes() == b"x" * int(place.id)


def test_unreadable_images_are_left_out_and_named(tmp_path, places):
    places[1].image.write_bytes(b"bad")
    places[4].image.unlink()
    places[6].image.write_bytes(b"bad")
    skipped = build_index(
        CountingEncoder(), places, tmp_path / "index", 3, False
    )
    assert [(s.image.name, s.reason) for s in skipped] == [
        ("2.jpg", "not a whole JPEG or PNG image"),
        ("5.jpg", "No such file or directory"),
        ("7.jpg", "not a whole JPEG or PNG image"),
    ]
    index = load_index(tmp_path / "index")
    assert [p.id for p in index.places] == ["1", "3", "4", "6"]
    np.testing.assert_array_equal(index.descriptors[:, 0], [1, 3, 4, 6])


def test_nothing_is_written_when_nothing_is_readable(tmp_path, places):
    for place in places:
        place.image.write_bytes(b"bad")
    with pytest.raises(UserError, match="none of 7 images.*1.jpg: not a whole"):
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
    assert names == {"images", "index"}
    build_index(CountingEncoder(), places, tmp_path / "index", 3, False)
    assert len(load_index(tmp_path / "index").places) == 7
    assert {p.name for p in tmp_path.iterdir()} == names


def test_refuses_a_folder_with_other_files(tmp_path, places):
    for target in (tmp_path / "images", places[0].image):
        with pytest.raises(UserError, match="--output_dir"):
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


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "index.json").unlink(), "no index.json"),
        (lambda f: (f / "places.csv").unlink(), "places.csv: missing"),
        (lambda f: flip_last_byte(f / "descriptors.npy"), "npy: damaged"),
        (lambda f: flip_last_byte(f / "places.csv"), "csv: damaged"),
        (lambda f: (f / "index.json").write_text("{"), "json: damaged"),
        (lambda f: (f / "index.json").write_text("{}"), "json: damaged"),
        (lambda f: (f / "index.json").write_text("[]"), "json: damaged"),
    ],
)
def test_damage_is_one_line(tmp_path, places, damage, message):
    build_index(CountingEncoder(), places, tmp_path / "index", 3, False)
    damage(tmp_path / "index")
    with pytest.raises(UserError, match=message) as error:
        load_index(tmp_path / "index")
    assert "\n" not in str(error.value)


def test_counts_that_do_not_fit(tmp_path, places):
    build_index(CountingEncoder(), places, tmp_path / "index", 3, False)
    path = tmp_path / "index" / "index.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"image_count": 8}))
    with pytest.raises(UserError, match="do not fit"):
        load_index(tmp_path / "index")


def test_another_model_is_refused(tmp_path, places):
    build_index(CountingEncoder(), places, tmp_path / "index", 3, False)
    index = load_index(tmp_path / "index")
    index.require_model("f" * 64, "export")
    with pytest.raises(UserError, match="another model.*ffffffffffff, not 0"):
        index.require_model("0" * 64, "export")


def test_missing_folder(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        load_index(tmp_path / "none")
