"""Retrieval pictures: the right images in the right order, the true framed."""

import numpy as np
import pytest

from mgtl_tf.retrieval.report.thumbnails import fixed_rows, retrieval_thumbnails

TRUE, WRONG = [22, 163, 74], [203, 213, 225]


class Source:
    """Pixels that tell view and row: ground 10 + row, satellite 100 + row."""

    def __init__(self, size):
        self.size = size
        self.asked = []

    def load(self, rows):
        self.asked += rows.tolist()
        shape = (len(rows), *self.size, 3)
        flat = np.asarray(rows)[:, None, None, None]
        blank = np.zeros(shape, np.uint8)
        return blank + (10 + flat).astype("u1"), blank + (100 + flat).astype(
            "u1"
        )


def descriptors():
    """Query i is nearest to place i, then to i - 1, i + 1, i - 2, ..."""
    angles = np.arange(8) * 0.1
    satellite = np.stack([np.cos(angles), np.sin(angles)], 1)
    turned = angles - 0.01
    ground = np.stack([np.cos(turned), np.sin(turned)], 1)
    return ground.astype("float32"), satellite.astype("float32")


def strips(picture, height):
    """Colour of the frame and of the middle of every strip."""
    parts = picture.reshape(6, height, *picture.shape[1:])
    return [
        (p[0, 0].tolist(), int(p[height // 2, p.shape[1] // 2, 0]))
        for p in parts
    ]


def test_query_over_its_nearest_with_the_true_place_framed():
    source = Source((4, 20))
    ground, satellite = descriptors()
    rows = np.array([3, 7])
    pictures = retrieval_thumbnails(rows, ground, satellite, source)
    assert pictures.dtype == np.uint8
    assert pictures.shape == (2, 6 * 10, 26, 3)
    query, *answers = strips(pictures[0], 10)
    assert query[1] == 13
    assert [value for _, value in answers] == [103, 102, 104, 101, 105]
    assert [color for color, _ in answers] == [TRUE, *[WRONG] * 4]
    _, *answers = strips(pictures[1], 10)
    assert [value for _, value in answers] == [107, 106, 105, 104, 103]
    # Nothing is read twice.
    assert sorted(source.asked) == sorted(set(source.asked))


def test_a_true_place_that_is_far_is_not_shown():
    ground, satellite = descriptors()
    pictures = retrieval_thumbnails(
        np.array([0]), ground[::-1], satellite, Source((4, 20))
    )
    colors = [color for color, _ in strips(pictures[0], 10)[1:]]
    assert colors == [WRONG] * 5


def test_large_images_are_shown_small():
    ground, satellite = descriptors()
    pictures = retrieval_thumbnails(
        np.array([0]), ground, satellite, Source((112, 616))
    )
    assert pictures.shape == (1, 6 * (58 + 6), 326, 3)


def test_fewer_places_than_answers():
    ground, satellite = (x[:2] for x in descriptors())
    pictures = retrieval_thumbnails(
        np.array([0]), ground, satellite, Source((4, 20))
    )
    assert pictures.shape == (1, 3 * 10, 26, 3)


@pytest.mark.parametrize(
    ("count", "pictures", "rows"),
    [(10, 4, [0, 3, 6, 9]), (3, 4, [0, 1, 2]), (1, 4, [0]), (9, 1, [0])],
)
def test_fixed_rows(count, pictures, rows):
    assert fixed_rows(count, pictures).tolist() == rows
