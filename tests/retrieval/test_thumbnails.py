"""Retrieval pictures: the right images in the right order, the true framed."""

import numpy as np
import pytest

from mgtl_tf.retrieval.report.thumbnails import fixed_rows, retrieval_thumbnails

TRUE, WRONG = [22, 163, 74], [203, 213, 225]


class Source:
    """Pixels by view and row: ground 10 + row, satellite 100 + row."""

    def __init__(self, size, satellite=None):
        self.sizes = size, satellite or size
        self.asked = []

    def load(self, rows):
        self.asked += rows.tolist()
        value = np.asarray(rows, np.uint8)[:, None, None, None]
        ground, satellite = (
            np.zeros((len(rows), *size, 3), np.uint8) for size in self.sizes
        )
        return ground + 10 + value, satellite + 100 + value


# Query i is nearest to place i, then to i - 1, i + 1, i - 2, ...
ANGLES = np.arange(8) * 0.1
SATELLITE = np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1).astype("f4")
GROUND = np.stack([np.cos(ANGLES - 0.01), np.sin(ANGLES - 0.01)], 1).astype(
    "f4"
)


def pictures(rows, ground=GROUND, satellite=SATELLITE, size=(4, 20), own=None):
    source = Source(size, own)
    images = np.arange(len(satellite))
    made = retrieval_thumbnails(
        np.array(rows), ground, satellite, source, images
    )
    # Nothing is read twice.
    assert sorted(source.asked) == sorted(set(source.asked))
    return made


def strips(picture):
    """Colour of the frame and of the middle of every strip, 10 pixels high."""
    parts = picture.reshape(6, 10, *picture.shape[1:])
    return [(p[0, 0].tolist(), int(p[5, p.shape[1] // 2, 0])) for p in parts]


def test_query_over_its_nearest_with_the_true_place_framed():
    made = pictures([3, 7])
    assert made.dtype == np.uint8
    assert made.shape == (2, 6 * 10, 26, 3)
    query, *answers = strips(made[0])
    assert query[1] == 13
    assert [value for _, value in answers] == [103, 102, 104, 101, 105]
    assert [color for color, _ in answers] == [TRUE, *[WRONG] * 4]
    _, *answers = strips(made[1])
    assert [value for _, value in answers] == [107, 106, 105, 104, 103]
    # A true place that is far is not shown.
    (far,) = pictures([0], ground=GROUND[::-1])
    assert [color for color, _ in strips(far)[1:]] == [WRONG] * 5


def test_large_images_and_small_galleries():
    assert pictures([0], size=(112, 616)).shape == (1, 6 * (58 + 6), 326, 3)
    few = pictures([0], GROUND[:2], SATELLITE[:2])
    assert few.shape == (1, 3 * 10, 26, 3)


def test_square_images_stand_side_by_side():
    (made,) = pictures([3], size=(32, 160), own=(64, 64))
    side = 166 // 5
    assert made.shape == (32 + 6 + side, 166, 3)
    answers = made[38:]
    middles = answers[side // 2, side // 2 :: side, 0][:5]
    assert middles.tolist() == [103, 102, 104, 101, 105]
    assert answers[0, 0].tolist() == TRUE
    assert answers[0, side].tolist() == WRONG
    assert (answers[:, 5 * side :] == 255).all()


@pytest.mark.parametrize(
    ("count", "pictures", "rows"),
    [(10, 4, [0, 3, 6, 9]), (3, 4, [0, 1, 2]), (1, 4, [0]), (9, 1, [0])],
)
def test_fixed_rows(count, pictures, rows):
    assert fixed_rows(count, pictures).tolist() == rows
