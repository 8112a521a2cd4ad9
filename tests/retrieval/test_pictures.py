"""Pictures of queries and pairs, checked by what can be seen in them."""

import dataclasses
import errno
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from mgtl_tf.datasets.preprocess import read_image
from mgtl_tf.datasets.records import Pair
from mgtl_tf.galleries.places import Place
from mgtl_tf.retrieval.answers import Answer, Located
from mgtl_tf.retrieval.report.charts import chart
from mgtl_tf.retrieval.report.pictures import (
    draw_located,
    draw_polar_pairs,
    require_picture_name,
)
from mgtl_tf.utils.errors import UserError
from tests.large.bad_images import noted

GREEN = np.array([0x16, 0xA3, 0x4A])


@pytest.fixture
def query(tmp_path):
    cv2.imwrite(str(tmp_path / "q$1$.jpg"), np.full((60, 200, 3), 90, "u1"))
    answers = []
    for i in range(5):
        image = tmp_path / f"{i}.png"
        cv2.imwrite(str(image), np.full((50, 50, 3), 40 * i, "u1"))
        place = Place(f"{i}_$x$", image, (1.0, 2.0) if i % 2 else None)
        answers.append(Answer(i + 1, place, 0.9 - 0.1 * i))
    return Located(tmp_path / "q$1$.jpg", tuple(answers), answers[3])


def green_columns(picture):
    """Where the picture has the colour of the true place's frame."""
    near = np.abs(picture.astype(int) - GREEN).max(axis=2) < 40
    return np.flatnonzero(near.sum(axis=0) > 40) / picture.shape[1]


def test_the_true_place_is_framed(query, tmp_path):
    draw_located(query, tmp_path / "out.jpg")
    columns = green_columns(read_image(tmp_path / "out.jpg"))
    # The fourth of five crops.
    assert columns.size and 0.58 < columns.min() < columns.max() < 0.82
    unknown = Located(query.image, query.answers)
    draw_located(unknown, tmp_path / "out.png")
    assert not green_columns(read_image(tmp_path / "out.png")).size
    assert not list(tmp_path.glob(".*"))


def test_a_true_place_beyond_the_answers_is_shown_behind_them(query, tmp_path):
    beyond = Answer(1234, query.answers[4].place, 0.1)
    draw_located(
        Located(query.image, query.answers[:4] + query.answers[:1], beyond),
        tmp_path / "out.png",
    )
    columns = green_columns(read_image(tmp_path / "out.png"))
    # The last of six crops.
    assert columns.size and columns.min() > 0.82


def test_one_answer_and_several_pairs(query, tmp_path):
    few = Located(query.image, query.answers[:1])
    draw_located(few, tmp_path / "out.png", lambda size: (0.25, 0.75))
    aerials = [answer.place.image for answer in query.answers]
    pairs = [Pair("a", query.image, aerial) for aerial in aerials[1:3]]
    draw_polar_pairs(pairs, tmp_path / "two.jpg")
    draw_polar_pairs(pairs[:1], tmp_path / "one.jpg")
    two, one = (read_image(tmp_path / f"{n}.jpg") for n in ("two", "one"))
    assert two.shape[0] == 2 * one.shape[0]


def test_the_rows_are_those_of_the_panoramas_own_size(query, tmp_path):
    """Blue above and below what the model sees, which is red."""
    image = np.zeros((100, 200, 3), np.uint8)
    image[:], image[30:70] = (255, 0, 0), (0, 0, 255)
    cv2.imwrite(str(tmp_path / "sphere.png"), image)
    asked = []

    def crop(size):
        asked.append(size)
        return 0.3, 0.7

    sphere = Located(tmp_path / "sphere.png", query.answers)
    draw_located(sphere, tmp_path / "out.png", crop)
    assert asked == [(100, 200)]
    shown = read_image(tmp_path / "out.png").astype(int)
    red, blue = shown[..., 0] - shown[..., 2], shown[..., 2] - shown[..., 0]
    assert (red > 200).mean() > 0.1 and not (blue > 200).any()


@pytest.mark.parametrize("heading", [0.0, 90.0, 252.0])
@pytest.mark.parametrize("said", [None, 90.0])
def test_north_is_in_the_centre_of_the_panorama(query, tmp_path, said, heading):
    """As of the same pixels turned by hand, whose north is known."""
    image = np.random.default_rng(0).integers(0, 256, (20, 40, 3), np.uint8)
    data = cv2.imencode(".png", image)[1].tobytes()
    first = dataclasses.replace(query.answers[0], heading=heading)
    drawn = []
    for name, pixels, answers, read in (
        ("stored", data, (first, *query.answers[1:]), said),
        ("turned", None, query.answers, None),
    ):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "p.png"
        if pixels is None:
            columns = round(heading * 40 / 360)
            cv2.imwrite(str(path), np.roll(image, columns, axis=1))
        else:
            path.write_bytes(pixels if read is None else noted(pixels, read))
        located = Located(path, answers, heading_read=read)
        draw_located(located, tmp_path / name / "out.png")
        drawn.append(read_image(tmp_path / name / "out.png"))
    np.testing.assert_array_equal(*drawn)


def test_unreadable_image_is_named_and_nothing_is_left(query, tmp_path):
    query.answers[2].place.image.unlink()
    with pytest.raises(UserError, match="2.png"):
        draw_located(query, tmp_path / "out.jpg")
    assert not list(tmp_path.glob("*out*"))


def test_names_that_cannot_be_written(tmp_path):
    require_picture_name(tmp_path / "a.JPG")
    with pytest.raises(UserError, match="must end in .jpg"):
        require_picture_name(tmp_path / "a.txt")
    with pytest.raises(UserError, match="folder does not exist"):
        require_picture_name(tmp_path / "none" / "a.jpg")


ODD_NAME = os.fsdecode(b"q\xff\x1b[31m\n$1$.jpg")


def test_any_name_may_be_in_a_picture(query, tmp_path):
    image = tmp_path / ODD_NAME
    image.write_bytes(query.image.read_bytes())
    odd = dataclasses.replace(query.answers[0].place, id=ODD_NAME)
    answers = (dataclasses.replace(query.answers[0], place=odd),)
    out = tmp_path / os.fsdecode(b"o\xff.jpg")
    draw_located(Located(image, answers, answers[0]), out)
    assert read_image(out).std() > 0
    draw_polar_pairs([Pair(ODD_NAME, image, odd.image)], out)
    assert read_image(out).std() > 0


def test_what_cannot_be_written_is_named_and_nothing_is_lost(
    query, tmp_path, monkeypatch
):
    out = tmp_path / "out.jpg"
    out.write_bytes(b"older")

    def full(figure, path, **settings):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(UserError, match=r"out.jpg: cannot be written \(No sp"):
        draw_located(query, out)
    with pytest.raises(UserError, match=r"out.svg: cannot be written \(No sp"):
        with chart(tmp_path / "out.svg", "value", "over"):
            pass
    assert out.read_bytes() == b"older"
    assert not list(tmp_path.glob(".*")) + list(tmp_path.glob("*.svg"))
