"""Panorama geometry against the polar transform's, and against itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgtl_tf.synthetic.cameras.rays import Rays, fan_out
from polar.transform import polar_transform


@pytest.mark.parametrize(
    "column, azimuth", [(0, 180), (80, 270), (160, 360), (240, 450)]
)
def test_compass(column, azimuth):
    rays = Rays(64, 320, 1)
    assert np.degrees(rays.azimuths[column]) == pytest.approx(azimuth, abs=1e-3)


@pytest.mark.parametrize("samples", [1, 2, 3])
@pytest.mark.parametrize("width", [320, 322, 1232])
def test_samples_of_a_pixel_surround_its_azimuth(width, samples):
    fine = Rays(64, width, samples).azimuths.reshape(width, samples).mean(1)
    assert fine == pytest.approx(Rays(64, width, 1).azimuths, abs=1e-5)


def test_rows_have_the_columns_angle_and_the_horizon_in_the_middle():
    rays = Rays(64, 320, 1)
    elevation = np.degrees(np.arctan(rays.slopes))
    assert np.diff(elevation) == pytest.approx(
        np.full(63, -360 / 320), abs=1e-4
    )
    assert elevation == pytest.approx(-elevation[::-1], abs=1e-4)


@given(st.floats(-20, 20), st.integers(1, 3))
def test_column_of_undoes_azimuths(azimuth, samples):
    rays = Rays(16, 90, samples)
    column = int(round(rays.column_of(np.array(azimuth)))) % rays.columns
    gap = np.angle(np.exp(1j * (rays.azimuths[column] - azimuth)))
    assert abs(gap) <= rays.step / 2 + 1e-5


@pytest.mark.parametrize("bearing", [3, 77, 145, 201, 290, 359])
def test_a_landmark_stands_in_the_polar_views_column(bearing):
    side = 401
    row, column = np.mgrid[:side, :side] - side / 2
    angle = np.radians(bearing)
    distance = np.hypot(column - 120 * np.sin(angle), row + 120 * np.cos(angle))
    aerial = np.repeat((distance < 6)[..., None] * np.uint8(255), 3, 2)
    polar = polar_transform(aerial, 64, 320)[..., 0].sum(0, dtype=float)
    seen = np.angle(polar @ np.exp(2j * np.pi * np.arange(320) / 320))
    rays = Rays(64, 320, 1)
    centre = 10 * np.array([[np.sin(angle), np.cos(angle)]], np.float32)
    fan = fan_out(rays, 0.0, centre, np.array([1.0], np.float32))
    ours = np.angle(np.exp(2j * np.pi * fan.column / 320).sum())
    assert abs(np.angle(np.exp(1j * (seen - ours)))) < 2 * np.pi / 320


def test_a_circle_around_the_camera_is_in_all_columns():
    rays = Rays(16, 64, 1)
    fan = fan_out(
        rays, 0.1, np.array([[0.5, 0.2]], np.float32), np.ones(1, np.float32)
    )
    assert sorted(fan.column) == list(range(64))
