"""Which rows of full spheres a model of strips is given."""

import pytest

from mgtl_tf.datasets.panorama_shape import WHOLE, crop_of, squeezed

# H, W of the paper, and of Sample4Geo, both of whole strips of CVUSA.
PAPER, SAMPLE4GEO = (112, 616), (140, 768)


@pytest.mark.parametrize(
    "size, image_size, kept",
    [
        # 112 rows of 616 columns are 65.5 of 360 degrees: so of 180.
        ((832, 1664), PAPER, (0.318, 0.682)),
        ((500, 1010), (32, 160), (0.3, 0.7)),
        ((500, 1051), (32, 160), WHOLE),
        ((224, 1232), PAPER, WHOLE),
        ((512, 512), PAPER, WHOLE),
        ((300, 600), (100, 200), WHOLE),
    ],
)
def test_a_full_sphere_gives_its_middle_rows(size, image_size, kept):
    crop = crop_of(size, image_size, dataset="cvusa")
    assert crop == pytest.approx(kept, abs=5e-4)
    if crop != WHOLE:
        degrees = 180 * (crop[1] - crop[0])
        assert degrees == pytest.approx(360 * image_size[0] / image_size[1])
    # Another crop was trained on, and stays.
    middle = (0.25, 0.75)
    assert crop_of(size, image_size, middle, "cvusa") == middle


def test_models_of_whole_spheres_are_given_them_whole():
    """Sample4Geo's of CVACT, whose panoramas are 1664 x 832."""
    sphere = (832, 1664)
    assert crop_of(sphere, SAMPLE4GEO, WHOLE, "cvact") == WHOLE
    assert crop_of(sphere, SAMPLE4GEO, WHOLE, "cvusa") != WHOLE
    assert squeezed(sphere, WHOLE, SAMPLE4GEO, "cvact") == ""


@pytest.mark.parametrize(
    "size, dataset, named",
    [
        ((224, 1232), "cvusa", ""),
        ((200, 1150), "cvusa", ""),
        ((832, 1664), "vigor", "1664 x 832 pixels"),
        ((400, 1200), "cvusa", "1200 x 400 pixels"),
        ((400, 1200), "procedural", ""),
        ((400, 1200), "", ""),
    ],
)
def test_other_shapes_are_named(size, dataset, named):
    phrase = squeezed(size, WHOLE, PAPER, dataset)
    assert phrase.startswith(named) and bool(phrase) == bool(named)
    assert not named or "the network input is 5.50 times as wide" in phrase
