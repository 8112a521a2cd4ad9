"""Batches for training and for evaluation: the order of operations.

Training: the places of each batch are decided beforehand (batch_sampler.py),
so there is nothing to shuffle. One call loads a batch as uint8, because a call
into Python for every image would cost more than the images. It is turned and
mirrored as uint8, and square aerial images are cropped and turned alone; then
it is changed in the order in which a picture is made: light (colour), lens
(blur), file (JPEG). Prefetching comes last, so that it holds ready batches.
Without such changes images stay uint8, a quarter of the bytes to move and to
hold; the step casts them.

Evaluation: every pair once, in order, the last batch padded to the full
size and marked, so that the encoders are traced once and no pair is lost.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from mgtl_tf.datasets.augmentation import world
from mgtl_tf.datasets.augmentation.aerial import centre_crop, quarter_turns
from mgtl_tf.datasets.augmentation.camera import camera
from mgtl_tf.datasets.augmentation.offsets import (
    crop_offsets,
    move_offsets,
    quarter_turn_offsets,
)
from mgtl_tf.datasets.directions import with_directions, with_maps
from mgtl_tf.datasets.negatives import Places
from mgtl_tf.datasets.pair_loader import PairLoader
from mgtl_tf.datasets.sources import PairSource

_PREFETCHED_BATCHES = 4
# Folded into a view's seed, for random numbers of their own; 1 and 2 are the
# camera's.
_CROP, _QUARTER, _TURN = 3, 4, 5


def train_batches(
    source: PairSource,
    batches: np.ndarray,
    *,
    augment: bool,
    seed: int,
    epoch: int,
    first_step: int = 0,
    color_jitter: float = 0.0,
    blur: float = 0.0,
    jpeg_quality: int = 0,
    places: Places | None = None,
    share: tuple[int, int] = (0, 1),
    mirror: bool = True,
    satellite_form: str = "polar",
    satellite_crop: float = 1.0,
    satellite_quarter_turns: bool = False,
    orientation_noise: float = 0.0,
    directions: bool = False,
    offsets: np.ndarray | None = None,
) -> tf.data.Dataset:
    """One epoch's batches, a function of the arguments alone.

    Args:
        source: the pixels, or cached feature maps.
        batches: int [steps, B], source rows of every batch of the epoch.
        augment: whether each pair's world is turned and mirrored at random.
        seed, epoch: with the step they decide all random numbers, so a
            resumed epoch continues with the same batches.
        first_step: batches before it are left out.
        color_jitter: strength of each view's own colour changes; 0: none.
        blur: largest standard deviation of each view's own blur, pixels;
            0: none.
        jpeg_quality: lowest quality of the JPEG that each view goes through
            by itself; 0: none.
        places: decide the negatives (R15); by default all others are.
        share: (i, n): only the i-th of n equal parts of each batch's images
            is read, for a worker that has n - 1 others beside it.
        mirror: whether `augment` mirrors; feature maps cannot be.
        satellite_form: of the aerial images: polar, or square.
        satellite_crop: smallest share of a square image's side that random
            crops of it alone keep; 1: none.
        satellite_quarter_turns: whether square images alone are turned by
            right angles at random.
        orientation_noise: panoramas alone are turned evenly by 0 to so many
            degrees.
        directions: whether images come with two maps of their pixels'
            directions, which follow the changes of one view alone.
        offsets: d0, d1 of each row's panorama in its aerial image
            (`records.offsets_of`), float32 [N, 2]; they follow all that moves
            these images.

    Returns:
        Dataset of {"ground", "satellite": [B / n, H, W, 3] RGB 0..255, each
        of its view's size, uint8, or float32 where colour, blur or JPEG
        changed them (of feature maps [B / n, h, w, C] in their own dtype;
        with `directions` float32 [B / n, H, W, 5]; of a `LabelledSource`
        aerial images of six channels),
        "negatives": bool [B, B], True where a pair may be one, and
        "offsets": float32 [B / n, 2] where they are given}.

    Raises:
        ValueError: for shapes that do not fit the source.
    """
    places = places or Places(np.arange(len(source)))
    batches = _checked(batches, len(source), len(places))
    batch_size = batches.shape[1]
    own_size = batch_size // share[1]
    own = slice(share[0] * own_size, (share[0] + 1) * own_size)
    load = PairLoader(source, own_size)

    def alone(
        satellite: tf.Tensor, moved: tf.Tensor | None, random: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Aerial images changed alone, and offsets that follow them."""
        if satellite_crop < 1:
            seed = tf.random.fold_in(random, _CROP)
            satellite = centre_crop(satellite, satellite_crop, seed, share)
            if moved is not None:
                moved = crop_offsets(moved, satellite_crop, seed, share)
        if satellite_quarter_turns:
            seed = tf.random.fold_in(random, _QUARTER)
            satellite = quarter_turns(satellite, seed, share)
            if moved is not None:
                moved = quarter_turn_offsets(moved, seed, share)
        return satellite, moved

    def seen(
        images: tf.Tensor, random: tf.Tensor, form: str = "polar"
    ) -> tf.Tensor:
        settings = color_jitter, blur, jpeg_quality
        return camera(images, random, share, form, *settings)

    def prepare(step: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.constant(batches)[step]
        ground, satellite = load(rows[own])
        random = _seeds(seed, epoch, step)
        moved = None
        if offsets is not None:
            moved = tf.gather(tf.constant(offsets, tf.float32), rows[own])
        if augment and moved is not None:
            steps = world.turn_steps(ground, satellite, satellite_form)
            moved = move_offsets(moved, steps, random[0], share, mirror)
        if augment:
            ground, satellite = world.turn_and_mirror(
                ground, satellite, random[0], share, mirror, satellite_form
            )
        if directions:
            ground = with_maps(ground, "ground", satellite_form)
            satellite = with_maps(satellite, "satellite", satellite_form)
        satellite, moved = alone(satellite, moved, random[2])
        if orientation_noise:
            turning = tf.random.fold_in(random[0], _TURN)
            ground = world.turn(ground, orientation_noise, turning, share)
        if directions and satellite_form == "square":
            satellite = with_directions(satellite)
        mask = tf.numpy_function(places.negatives, [rows], tf.bool)
        return {
            "ground": seen(ground, random[1]),
            "satellite": seen(satellite, random[2], satellite_form),
            "negatives": tf.ensure_shape(mask, (batch_size, batch_size)),
            **({} if moved is None else {"offsets": moved}),
        }

    steps = tf.data.Dataset.range(first_step, len(batches))
    return _mapped(steps, prepare)


def eval_batches(
    source: PairSource, batch_size: int, rows: range | None = None
) -> tf.data.Dataset:
    """Pairs of a source once, in order.

    Args:
        source: the pixels; N pairs.
        batch_size: B; the last batch is padded with its last pair.
        rows: one after another, at least one; by default all of them.

    Returns:
        Dataset of ceil(n / B) batches {"ground", "satellite": [B, H, W, 3]
        RGB 0..255 uint8 or as the source has them, "valid": bool [B], False
        for padding}.

    Raises:
        ValueError: where there is no row, or a batch size is below 1.
    """
    part = range(len(source)) if rows is None else rows
    if not part:
        raise ValueError("the source holds no pair to evaluate")
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: must be 1 or more")
    load = PairLoader(source, None)

    def prepare(start: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = start + tf.range(batch_size, dtype=tf.int64)
        valid = batch < part.stop
        ground, satellite = load(tf.boolean_mask(batch, valid))
        return {
            "ground": _padded(ground, batch_size),
            "satellite": _padded(satellite, batch_size),
            "valid": valid,
        }

    starts = tf.data.Dataset.range(part.start, part.stop, batch_size)
    return _mapped(starts, prepare)


def _padded(images: tf.Tensor, batch_size: int) -> tf.Tensor:
    """[n, H, W, C], the last repeated after it, [B, H, W, C]."""
    rows = tf.minimum(tf.range(batch_size), tf.shape(images)[0] - 1)
    padded = tf.gather(images, rows)
    return tf.ensure_shape(padded, (batch_size, *images.shape[1:]))


def _mapped(steps: tf.data.Dataset, prepare) -> tf.data.Dataset:
    # Nothing here depends on AutoGraph, which would take two seconds.
    batches = steps.map(
        tf.autograph.experimental.do_not_convert(prepare),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    return batches.prefetch(_PREFETCHED_BATCHES)


def _seeds(seed: int, epoch: int, step: tf.Tensor) -> tf.Tensor:
    """int32 [3, 2]: three seeds that only (seed, epoch, step) decide."""
    base = tf.constant([seed % 2**31, epoch], tf.int32)
    step_seed = tf.random.fold_in(base, tf.cast(step, tf.int32))
    return tf.random.split(step_seed, 3)


def _checked(batches: np.ndarray, count: int, places: int) -> np.ndarray:
    batches = np.asarray(batches, np.int64)
    if batches.ndim != 2 or not batches.size:
        raise ValueError(
            f"batches has shape {batches.shape}; must be [steps, B], neither 0"
        )
    if batches.min() < 0 or batches.max() >= count:
        raise ValueError(
            f"batches holds rows {batches.min()} to {batches.max()}; the"
            f" source has rows 0 to {count - 1}"
        )
    if places != count:
        raise ValueError(f"{places} places, and the source has {count} rows")
    return batches
