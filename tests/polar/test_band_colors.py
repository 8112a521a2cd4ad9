"""Samples to true colours, by the definitions of TIFF's tags."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polar.band_colors import (
    Bands,
    inks_to_rgb,
    kind_of_grey,
    require_bright,
    stated_highest,
    true_colors,
)


def _rgb(seed=0, size=12):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (size, size, 3), dtype=np.uint8)


@settings(max_examples=30)
@given(depth=st.integers(8, 15), seed=st.integers(0, 9))
def test_any_depth_in_16_bits_gives_the_same_colours(depth, seed):
    image = _rgb(seed)
    highest = 2**depth - 1
    deep = np.rint(image * (highest / 255)).astype(np.uint16)
    assert np.array_equal(true_colors(deep, Bands("rgb", highest)), image)


def test_16_bits_keep_the_upper_8():
    image = _rgb()
    deep = image.astype(np.uint16) * 256 + 200
    assert np.array_equal(true_colors(deep, Bands("rgb", 65535)), image)


def test_premultiplied_colours_are_divided_again():
    image = _rgb()
    alpha = np.random.default_rng(1).integers(128, 256, image.shape[:2])
    alpha[0] = 0
    share = alpha[..., None] / 255
    stored = np.rint(np.concatenate([image * share, alpha[..., None]], -1))
    found = true_colors(stored.astype(np.uint8), Bands("rgb", 255, True))
    assert np.abs(found[1:].astype(int) - image[1:]).max() <= 1
    assert not found[0].any()


def test_straight_alpha_and_further_bands_are_left_out():
    image = _rgb()
    more = np.concatenate([image, image[..., :1] // 3], axis=-1)
    assert np.array_equal(true_colors(more, Bands("rgb")), image)


def test_grey_inverted_grey_palette_and_inks():
    grey = _rgb()[..., :1]
    as_rgb = np.repeat(grey, 3, axis=2)
    assert np.array_equal(true_colors(grey, Bands("grey")), as_rgb)
    turned = true_colors(255 - grey, Bands("white_is_zero"))
    assert np.array_equal(turned, as_rgb)
    bits = true_colors((grey > 127).astype(np.uint8), Bands("grey", 1))
    assert np.array_equal(bits, np.where(as_rgb > 127, 255, 0))
    palette = np.random.default_rng(2).integers(0, 256, (256, 3), np.uint8)
    found = true_colors(grey, Bands("palette", palette=palette))
    assert np.array_equal(found, palette[grey[..., 0]])
    with pytest.raises(ValueError, match="palette lacks"):
        true_colors(grey, Bands("palette", palette=palette[:9]))
    # No black: cyan, magenta, yellow are what red, green, blue lack.
    inks = np.concatenate([255 - _rgb(), np.zeros_like(grey)], axis=-1)
    assert np.array_equal(true_colors(inks, Bands("cmyk")), _rgb())
    assert not inks_to_rgb(np.zeros((2, 2, 4), np.uint8)).any()


@pytest.mark.parametrize(
    ("bits", "stated", "most", "highest"),
    [
        (8, None, None, 255),
        (12, None, None, 4095),
        (16, 11, None, 2047),
        (16, None, 4095, 4095),
        (16, 16, None, 65535),
        (16, None, 65535, 65535),
        (16, None, None, None),
        (16, None, 3017, None),
    ],
)
def test_depth_as_far_as_it_is_said(bits, stated, most, highest):
    assert stated_highest(bits, stated, most) == highest


def test_what_cannot_be_known_is_refused():
    require_bright(0)
    require_bright(65535)
    with pytest.raises(ValueError, match="none above 2,047: .*11.* not stated"):
        require_bright(2047)
    assert [kind_of_grey(n) for n in (1, 2, 3, 4)] == 2 * ["grey"] + 2 * ["rgb"]
    with pytest.raises(ValueError, match="8 bands without a colour"):
        kind_of_grey(8)
