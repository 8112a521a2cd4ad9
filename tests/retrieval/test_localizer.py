"""The localizer's own part: kinds of images, batches, priors, errors."""

import io
import os

import cv2
import numpy as np
import pytest
from PIL import Image

import mgtl_tf
from mgtl_tf.galleries.gallery import load_index
from mgtl_tf.galleries.places import Place
from mgtl_tf.retrieval.ann import open_engine
from mgtl_tf.retrieval.localizer import Localizer
from mgtl_tf.utils.errors import UserError
from polar.image_files import decode
from tests.galleries.encoders import FakeEncoder, build

LATITUDE = 46.9
METRES_A_DEGREE = 111_000.0
COUNT = 12


def descriptor(image):
    """A unit vector from the mean colour of an image's quarters."""
    parts = [
        part for half in np.split(image, 2) for part in np.split(half, 2, 1)
    ]
    values = np.concatenate([p.mean(axis=(0, 1)) for p in parts]) - 127.5
    return np.float32(values / np.linalg.norm(values))


def colour_encoder():
    return FakeEncoder(descriptor, 12)


def picture(seed):
    return np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)


@pytest.fixture
def gallery(tmp_path):
    """Twelve places on a line to the north, 100 m apart; the last nowhere."""
    places = []
    for i in range(COUNT):
        path = tmp_path / f"{i}.png"
        cv2.imwrite(
            str(path), picture(i)[..., ::-1].repeat(20, 0).repeat(20, 1)
        )
        where = (LATITUDE + i * 100 / METRES_A_DEGREE, 7.4)
        places.append(Place(str(i), path, where if i < COUNT - 1 else None))
    build(places, tmp_path / "index", colour_encoder())
    return tmp_path


@pytest.fixture
def localizer(gallery):
    index = load_index(gallery / "index")
    return Localizer(colour_encoder(), index, open_engine(index))


def test_every_kind_of_image_has_the_same_answer(gallery, localizer):
    path = gallery / "3.png"
    pixels = cv2.imread(str(path))[..., ::-1]
    images = [
        path,
        str(path),
        path.read_bytes(),
        bytearray(path.read_bytes()),
        pixels,  # not contiguous
        Image.open(path),
        Image.fromarray(np.ascontiguousarray(pixels)).convert("RGBA"),
    ]
    first = localizer.locate(images[0], top_k=4)
    assert first.answers[0].place.id == "3"
    assert first.answers[0].similarity == pytest.approx(1, abs=1e-6)
    for image in images[1:]:
        assert localizer.locate(image, top_k=4).answers == first.answers
    names = [str(f.image) for f in localizer.locate_many(images)]
    assert names[:3] == [str(path), str(path), "image 3"]
    assert names[5:] == [str(path), "image 7"]


def test_exif_turns_pil_images_too(localizer):
    image = Image.fromarray(picture(5).repeat(20, 0).repeat(20, 1))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    data = io.BytesIO()
    image.rotate(180).save(data, "PNG", exif=exif)
    turned = Image.open(io.BytesIO(data.getvalue()))
    assert localizer.locate(turned).answers[0].place.id == "5"


def test_answers_by_brute_force(gallery, localizer):
    queries = [gallery / f"{i}.png" for i in range(COUNT)] * 3
    found = localizer.locate_many(queries, top_k=COUNT)
    matrix = np.stack([descriptor(decode(q.read_bytes())) for q in queries])
    expected = np.argsort(-(matrix @ matrix[:COUNT].T), axis=1, kind="stable")
    got = [[int(a.place.id) for a in f.answers] for f in found]
    assert got == expected.tolist()
    # 36 images are not 36 runs of the network.
    assert max(localizer.encoder.batches) == 16
    assert all(f.seconds > 0 for f in found)
    assert all(f.confidence is None and f.no_confidence for f in found)


def test_a_prior_leaves_what_lies_in_the_circle(gallery, localizer):
    near = (LATITUDE + 500 / METRES_A_DEGREE, 7.4)
    query = gallery / "0.png"
    found = localizer.locate(query, COUNT, near, radius=210)
    assert {a.place.id for a in found.answers} == {"3", "4", "5", "6", "7"}
    everywhere = localizer.locate(query, COUNT)
    similarity = {a.place.id: a.similarity for a in everywhere.answers}
    for answer in found.answers:
        assert answer.similarity == pytest.approx(
            similarity[answer.place.id], abs=1e-6
        )
    ordered = [a.similarity for a in found.answers]
    assert ordered == sorted(ordered, reverse=True)


@pytest.mark.parametrize(
    ("near", "radius", "message"),
    [
        ((46.9, 7.4), None, "near: needs radius"),
        (None, 100, "radius: needs near"),
        ((91, 0), 100, "near=91,0: must be latitude"),
        ((0, 181), 100, "near=0,181: must be latitude"),
        ((np.nan, 0), 100, "near=nan,0: must be latitude"),
        ((46.9, 7.4), 0, "radius=0: must be"),
        ((46.9, 7.4), np.inf, "radius=inf: must be"),
        ((-33, 151), 100, "the nearest is 16,[0-9]{3},[0-9]{3} m away"),
    ],
)
def test_wrong_priors(gallery, localizer, near, radius, message):
    with pytest.raises(UserError, match=message) as error:
        localizer.locate(gallery / "0.png", 5, near, radius)
    assert "\n" not in str(error.value)


def test_a_prior_where_no_place_has_a_position(gallery):
    places = [Place("a", gallery / "0.png"), Place("b", gallery / "1.png")]
    build(places, gallery / "bare", colour_encoder())
    index = load_index(gallery / "bare")
    localizer = Localizer(colour_encoder(), index, open_engine(index))
    with pytest.raises(UserError, match="no place of the gallery has a pos"):
        localizer.locate(gallery / "0.png", near=(46.9, 7.4), radius=100)


def bomb():
    """A PNG that says it is 60,000 pixels wide and high."""
    data = bytearray(cv2.imencode(".png", picture(0))[1].tobytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    return bytes(data)


def test_unreadable_images_are_named_and_the_others_answered(
    gallery, localizer
):
    whole = (gallery / "2.png").read_bytes()
    os.mkfifo(gallery / "pipe.jpg")
    images = [
        gallery / "1.png",
        gallery / "none.png",
        whole[:-30],
        b"",
        b"<svg/>",
        bomb(),
        gallery,
        gallery / "pipe.jpg",
        gallery / "2.png",
    ]
    told = {}
    found = localizer.locate_many(
        images, unreadable=lambda name, why: told.setdefault(str(name), why)
    )
    assert [f.answers[0].place.id for f in found] == ["1", "2"]
    assert told == {
        str(gallery / "none.png"): "No such file or directory",
        "image 3": "is cut off (PNG)",
        "image 4": "is empty",
        "image 5": told["image 5"],
        "image 6": "60000 x 60000 pixels: more than 134,217,728 are refused",
        str(gallery): "is a folder or device, not a file",
        str(gallery / "pipe.jpg"): "is a folder or device, not a file",
    }
    assert "web page or other text" in told["image 5"]
    for image in images[1:8]:
        with pytest.raises(UserError) as error:
            localizer.locate(image)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("image", "error"),
    [
        (None, TypeError),
        (7, TypeError),
        (picture(0).astype(np.float32), ValueError),
        (picture(0)[..., 0], ValueError),
        (np.zeros((4, 4, 4), np.uint8), ValueError),
        (np.zeros((0, 4, 3), np.uint8), UserError),
    ],
)
def test_what_is_no_image(localizer, image, error):
    with pytest.raises(error):
        localizer.locate(image)


def test_top_k(gallery, localizer):
    with pytest.raises(ValueError, match="top_k=0"):
        localizer.locate(gallery / "0.png", top_k=0)
    assert len(localizer.locate(gallery / "0.png", top_k=99).answers) == COUNT


def test_stands_at_the_packages_door():
    assert mgtl_tf.Localizer is Localizer
