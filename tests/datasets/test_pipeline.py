"""Batches against the source's own pixels: order, masks, padding, errors."""

import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.datasets.negatives import Places
from mgtl_tf.datasets.pipeline import eval_batches, train_batches
from mgtl_tf.datasets.taking import raising_user_errors
from mgtl_tf.utils.errors import UserError


class Arrays:
    """A source of random pixels; `bad` rows cannot be read."""

    def __init__(self, count, size=(3, 8), bad=(), satellite=None):
        rng = np.random.default_rng(0)
        self.ground, self.satellite = (
            rng.integers(0, 256, (count, *own, 3), np.uint8)
            for own in (size, satellite or size)
        )
        self.bad = set(bad)

    def __len__(self):
        return len(self.ground)

    def load(self, rows):
        for row in rows:
            if int(row) in self.bad:
                raise UserError(f"/data/{row}.jpg: truncated; fetch it again")
        return self.ground[rows], self.satellite[rows]


def listed(batches):
    return list(batches.as_numpy_iterator())


def train(source, order, **changes):
    arguments = {"augment": False, "seed": 1, "epoch": 0, **changes}
    return train_batches(source, np.array(order), **arguments)


ORDER = [[3, 1, 5], [0, 2, 4], [6, 8, 7], [9, 11, 10]]


def test_square_aerial_images_are_cropped_and_turned_alone():
    source = Arrays(12, size=(4, 8), satellite=(6, 6))
    changes = {
        "satellite_form": "square",
        "satellite_crop": 0.5,
        "satellite_quarter_turns": True,
    }
    moved = 0
    for batch, rows in zip(
        listed(train(source, ORDER, **changes)), ORDER, strict=True
    ):
        np.testing.assert_array_equal(batch["ground"], source.ground[rows])
        before, after = source.satellite[rows], batch["satellite"]
        assert after.dtype == np.uint8 and after.shape == before.shape
        moved += (before != after).any(axis=(1, 2, 3)).sum()
    # Each alone leaves half, and two in five, as they are.
    assert 4 < moved < 12


def test_plain_training_batches_are_the_source_in_the_order_given():
    source = Arrays(12)
    batches = train(source, ORDER)
    assert batches.element_spec["ground"].shape == (3, 3, 8, 3)
    found = listed(batches)
    assert len(found) == 4
    for batch, rows in zip(found, ORDER, strict=True):
        assert batch["ground"].dtype == batch["satellite"].dtype == np.uint8
        np.testing.assert_array_equal(batch["ground"], source.ground[rows])
        np.testing.assert_array_equal(
            batch["satellite"], source.satellite[rows]
        )
        np.testing.assert_array_equal(
            batch["negatives"], ~np.eye(3, dtype=bool)
        )


def test_a_resumed_epoch_goes_on_with_the_same_batches():
    source = Arrays(12)
    settings = {"augment": True, "color_jitter": 0.3, "epoch": 5}
    whole = listed(train(source, ORDER, **settings))
    rest = listed(train(source, ORDER, first_step=2, **settings))
    assert len(rest) == 2
    for a, b in zip(whole[2:], rest, strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def test_seeds_epochs_and_steps_are_augmented_differently():
    seen = set()
    for change in ({}, {"seed": 2}, {"epoch": 1}):
        found = listed(
            train(Arrays(3), [[0, 1, 2]] * 8, augment=True, **change)
        )
        seen |= {batch["ground"].tobytes() for batch in found}
    assert len(seen) > 20  # of 24


def test_augmentation_moves_whole_columns_of_both_views_alike():
    source = Arrays(12)
    for batch, rows in zip(
        listed(train(source, ORDER, augment=True)), ORDER, strict=True
    ):
        for i, row in enumerate(rows):
            moves = [
                [
                    next(
                        k
                        for k in range(8)
                        if (image[:, j] == original[:, k]).all()
                    )
                    for j in range(8)
                ]
                for image, original in (
                    (batch["ground"][i], source.ground[row]),
                    (batch["satellite"][i], source.satellite[row]),
                )
            ]
            assert moves[0] == moves[1]


EVERYTHING = {
    "augment": True,
    "color_jitter": 0.3,
    "blur": 1.2,
    "jpeg_quality": 40,
}


@pytest.mark.parametrize("workers", [2, 3])
def test_parts_of_all_workers_are_the_whole_batch_to_the_bit(workers):
    source, order = Arrays(12), [[3, 1, 5, 0, 2, 4], [6, 8, 7, 9, 11, 10]]
    whole = listed(train(source, order, **EVERYTHING))
    parts = [
        listed(train(source, order, share=(i, workers), **EVERYTHING))
        for i in range(workers)
    ]
    for step, batch in enumerate(whole):
        for view in ("ground", "satellite"):
            together = np.concatenate([p[step][view] for p in parts])
            np.testing.assert_array_equal(together, batch[view])
        for part in parts:
            np.testing.assert_array_equal(
                part[step]["negatives"], batch["negatives"]
            )


@pytest.mark.parametrize(
    "change", [{"color_jitter": 0.3}, {"blur": 1.5}, {"jpeg_quality": 20}]
)
def test_each_view_is_changed_by_itself(change):
    source = Arrays(3, (16, 32))
    source.satellite = source.ground
    batch = listed(train(source, [[0, 1, 2]], **change))[0]
    assert (batch["ground"] != batch["satellite"]).mean() > 0.5
    assert (batch["ground"] != source.ground).mean() > 0.5
    assert batch["ground"].min() >= 0 and batch["ground"].max() <= 255


def test_negatives_are_of_other_images_and_far_enough():
    positions = np.array([[0, 0], [24.9, 0], [25.0, 0], [np.nan, 0]])
    images = np.array([0, 1, 2, 2])
    settings = {"places": Places(images, positions, 25.0)}
    for share in ((0, 1), (1, 2)):  # every worker has the mask of the batch
        batch = listed(
            train(Arrays(4), [[3, 1, 0, 2]], share=share, **settings)
        )[0]
        wanted = [[0, 1, 1, 0], [1, 0, 0, 0], [1, 0, 0, 1], [0, 0, 1, 0]]
        assert batch["negatives"].tolist() == wanted


@pytest.mark.parametrize(("count", "size"), [(7, 3), (6, 3), (1, 4), (5, 1)])
def test_evaluation_sees_every_pair_once_in_full_batches(count, size):
    source = Arrays(count)
    batches = eval_batches(source, size)
    assert batches.element_spec["ground"].shape == (size, 3, 8, 3)
    found = listed(batches)
    assert len(found) == -(-count // size)
    assert all(b["ground"].shape == (size, 3, 8, 3) for b in found)
    valid = np.concatenate([b["valid"] for b in found])
    assert valid.sum() == count and valid[:count].all()
    for view in ("ground", "satellite"):
        images = np.concatenate([b[view] for b in found])
        np.testing.assert_array_equal(images[valid], getattr(source, view))
        # Padding shows the last pair: what reads a neighbour's row, as
        # exchanged knowledge does, reads no black image.
        wanted = np.broadcast_to(images[count - 1], images[~valid].shape)
        np.testing.assert_array_equal(images[~valid], wanted)


def test_padding_is_not_read_from_files():
    source, read = Arrays(5), []
    load = source.load
    source.load = lambda rows: (read.extend(rows.tolist()), load(rows))[1]
    batches = eval_batches(source, 4)
    read.clear()  # the size was looked up
    listed(batches)
    assert sorted(read) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("training", [True, False])
def test_an_unreadable_file_is_one_line(training):
    source = Arrays(6, bad=[4])
    batches = (
        train(source, [[0, 1], [2, 3], [4, 5]])
        if training
        else eval_batches(source, 2)
    )
    seen = []
    with pytest.raises(UserError) as raised:
        for batch in raising_user_errors(batches):
            seen.append(batch)
    assert str(raised.value) == "/data/4.jpg: truncated; fetch it again"
    assert len(seen) == 2


def test_other_errors_pass_through():
    def broken():
        yield 1
        raise tf.errors.InternalError(None, None, "something else")

    with pytest.raises(tf.errors.InternalError):
        list(raising_user_errors(broken()))


@pytest.mark.parametrize(
    ("order", "changes", "words"),
    [
        ([[0, 12]], {}, "rows 0 to 12; the source has rows 0 to 11"),
        ([[-1, 2]], {}, "rows -1 to 2"),
        ([0, 1], {}, r"shape \(2,\)"),
        (np.zeros((0, 2)), {}, r"shape \(0, 2\)"),
        ([[0, 1]], {"places": Places(np.arange(3))}, "3 places, and the"),
    ],
)
def test_arguments_that_do_not_fit(order, changes, words):
    with pytest.raises(ValueError, match=words):
        train(Arrays(12), order, **changes)


def test_nothing_to_evaluate():
    with pytest.raises(ValueError, match="no pair"):
        eval_batches(Arrays(0), 2)
    with pytest.raises(ValueError, match="batch_size=0"):
        eval_batches(Arrays(2), 0)


def test_square_satellite_images_of_another_size():
    source = Arrays(12, satellite=(5, 5))
    given = {"satellite_form": "square", "blur": 1.0, "color_jitter": 0.1}
    batch = listed(train(source, ORDER, augment=True, **given))[0]
    assert batch["ground"].shape == (3, 3, 8, 3)
    assert batch["satellite"].shape == (3, 5, 5, 3)
    # A worker's share is its part of the whole batch.
    twelve = [list(range(12))]
    whole = listed(train(source, twelve, augment=True, **given))[0]
    for part in range(2):
        share = {"share": (part, 2), **given}
        found = listed(train(source, twelve, augment=True, **share))[0]
        own = slice(6 * part, 6 * part + 6)
        for view in ("ground", "satellite"):
            np.testing.assert_array_equal(found[view], whole[view][own])
    padded = listed(eval_batches(source, 8))[1]["satellite"]
    np.testing.assert_array_equal(padded[:4], source.satellite[8:])
    last = np.broadcast_to(source.satellite[11], padded[4:].shape)
    np.testing.assert_array_equal(padded[4:], last)
