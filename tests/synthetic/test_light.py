"""Shadows and slopes against trigonometry."""

import numpy as np
import pytest

from mgtl_tf.synthetic.cameras.light import hazed, scaled, shadows, slope_light


def sun_at(azimuth, elevation):
    a, e = np.radians((azimuth, elevation))
    up = np.sin(e)
    return np.array([np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), up])


@pytest.mark.parametrize(
    "azimuth, row, column",
    [
        (180, -1, 0),
        (90, 0, -1),
        (270, 0, 1),
        (0, 1, 0),
    ],
)
def test_a_shadow_falls_away_from_the_sun_as_far_as_it_should(
    azimuth, row, column
):
    step, height = 0.25, 6.0
    surface = np.zeros((201, 201), np.float32)
    surface[96:105, 96:105] = height
    dark = shadows(surface, surface, step, sun_at(azimuth, 40)) > 0.5
    reach = np.arange(5, 96)
    line = dark[100 + row * reach, 100 + column * reach]
    length = np.count_nonzero(line) * step
    assert length == pytest.approx(height / np.tan(np.radians(40)), abs=0.9)
    assert not dark[100 - row * reach, 100 - column * reach].any()
    assert not dark[100, 100]


def test_flat_ground_gets_the_sine_of_the_suns_height():
    level = slope_light(np.zeros((9, 9), np.float32), 0.5, sun_at(120, 35))
    assert level == pytest.approx(np.full((9, 9), np.sin(np.radians(35))))


def test_a_slope_towards_the_sun_is_brighter_by_lamberts_law():
    east = np.arange(9, dtype=np.float32) * 0.5
    rising_west = np.repeat(-0.5 * east[None], 9, 0)
    sun = sun_at(90, 45)
    normal = np.array([0.5, 0, 1]) / np.hypot(0.5, 1)
    level = slope_light(rising_west, 0.5, sun)[4, 4]
    assert level == pytest.approx(normal @ sun, abs=1e-5)


@pytest.mark.parametrize("shape", [(7,), (3, 5), (1, 1)])
def test_scaled_and_hazed_against_broadcasting(shape):
    rng = np.random.default_rng(1)
    colours = rng.uniform(0, 255, (*shape, 3)).astype(np.float32)
    level = rng.uniform(0, 2, shape).astype(np.float32)
    haze = np.array([200, 210, 220], np.float32)
    assert np.allclose(scaled(colours, level), colours * level[..., None])
    clear = np.exp(-level / 0.7)[..., None]
    expected = haze + (colours - haze) * clear
    assert np.allclose(hazed(colours, level, haze, 0.7), expected, atol=1e-3)
