"""Panorama geometry against the polar transform's; rays against terrain."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgtl_tf.synthetic.cameras.rays import (
    LAST_METRES,
    Camera,
    fan_out,
    march,
)
from mgtl_tf.synthetic.town.terrain import STEP_METRES, Terrain, make_terrain
from polar.transform import polar_transform


def rays_of(height, width, samples=1, eye=(0, 0, 0), heading=0.0):
    eye = np.array(eye, np.float32)
    return Camera(height, width, samples, eye, heading)


@pytest.mark.parametrize(
    "column, azimuth", [(0, 180), (80, 270), (160, 360), (240, 450)]
)
def test_compass(column, azimuth):
    rays = rays_of(64, 320)
    assert np.degrees(rays.azimuths[column]) == pytest.approx(azimuth, abs=1e-3)


@pytest.mark.parametrize("samples", [1, 2, 3])
@pytest.mark.parametrize("width", [320, 322, 1232])
def test_samples_of_a_pixel_surround_its_azimuth(width, samples):
    fine = rays_of(64, width, samples).azimuths.reshape(width, samples).mean(1)
    assert fine == pytest.approx(rays_of(64, width).azimuths, abs=1e-5)


def test_rows_have_the_columns_angle_and_the_horizon_in_the_middle():
    rays = rays_of(64, 320)
    elevation = np.degrees(np.arctan(rays.slopes))
    assert np.diff(elevation) == pytest.approx(
        np.full(63, -360 / 320), abs=1e-4
    )
    assert elevation == pytest.approx(-elevation[::-1], abs=1e-4)


@pytest.mark.parametrize("horizon", [0.25, 0.5, 0.6])
@pytest.mark.parametrize("samples", [1, 2])
def test_a_crop_moves_the_horizon_and_nothing_else(horizon, samples):
    rays = Camera(40, 320, samples, np.zeros(3, np.float32), 0.0, horizon)
    row = round(40 * horizon * samples)
    assert rays.slopes[row - 1] > 0 > rays.slopes[row]
    assert rays.first_row_below(np.float32(0)) == row
    angle = np.arctan(rays.slopes)
    assert np.diff(angle) == pytest.approx(np.diff(angle)[0], abs=1e-5)
    for slope in (-0.3, 0.01, 0.2):
        below = rays.slopes <= slope
        assert rays.first_row_below(np.float32(slope)) == below.argmax()


@given(st.floats(-20, 20), st.integers(1, 3))
def test_column_of_undoes_azimuths(azimuth, samples):
    rays = rays_of(16, 90, samples)
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
    rays = rays_of(64, 320)
    centre = 10 * np.array([[np.sin(angle), np.cos(angle)]], np.float32)
    fan = fan_out(rays, centre, np.array([1.0], np.float32))
    ours = np.angle(np.exp(2j * np.pi * fan.column / 320).sum())
    assert abs(np.angle(np.exp(1j * (seen - ours)))) < 2 * np.pi / 320


def test_a_circle_around_the_camera_is_in_all_columns():
    centre = np.array([[0.5, 0.2]], np.float32)
    rays = rays_of(16, 64, heading=0.1)
    fan = fan_out(rays, centre, np.ones(1, np.float32))
    assert sorted(fan.column) == list(range(64))


@pytest.mark.parametrize("height", [1.5, 2.2])
def test_level_ground_lies_at_height_over_slope(height):
    flat = Terrain(np.full((80, 80), 5, np.float32), 80 * STEP_METRES)
    rays = rays_of(48, 240, 1, (160, 160, 5 + height), 0.3)
    depth = march(rays, flat)
    down = rays.slopes < -height / LAST_METRES
    expected = -height / rays.slopes[down]
    assert np.allclose(depth[down], expected[:, None], rtol=1e-3)
    assert np.all(np.isinf(depth[rays.slopes > 0]))


def test_hills_agree_with_a_dense_march():
    terrain = make_terrain(np.random.default_rng(5), 640.0)
    steep = Terrain(terrain.heights * 2, terrain.side)
    floor = float(steep.at(np.array([320.0]), np.array([320.0]))[0, 0])
    rays = rays_of(48, 240, 1, (320.0, 320.0, floor + 2.0))
    eye, depth = rays.eye, march(rays, steep)
    reach = np.arange(1, 300, 0.1)
    right = wrong = 0
    for column in range(0, rays.columns, 12):
        azimuth = rays.azimuths[column]
        ground = steep.at(
            eye[0] + reach * np.sin(azimuth), eye[1] + reach * np.cos(azimuth)
        )[0]
        for row in range(0, rays.rows, 3):
            under = ground >= eye[2] + reach * rays.slopes[row]
            exact = reach[np.argmax(under)] if under.any() else np.inf
            ours = depth[row, column]
            if exact == np.inf:
                agrees = ours > 250
            else:
                agrees = abs(ours - exact) < 0.05 * exact + 0.2
            right, wrong = right + agrees, wrong + (not agrees)
    assert right / (right + wrong) > 0.97
