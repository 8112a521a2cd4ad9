"""One camera's day: sun, season, tone; and sunlight on a raster.

Each view draws its own day, as an aerial survey and a street camera never come
on the same one.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from mgtl_tf.synthetic.town.things import FIELDS, Material

# Metres at which the way to the sun is probed: close together near the
# ground point, where low things cast, wider where only houses reach up.
PROBES = [0.6, 1.2, 1.8, 2.5, 3.3, 4.2, 5.2, 6.4, 7.8, 9.4]
PROBES += [11.3, 13.5, 16.0, 19.0, 22.5, 26.5]


@dataclasses.dataclass(frozen=True)
class Appearance:
    """Light, season and camera of one picture."""

    sun: np.ndarray  # float32 [3], unit vector to the sun (east, north, up)
    sunlight: float  # strength of the direct light
    skylight: float  # strength of the light from all around
    tints: np.ndarray  # float32 [materials, 3], factors on their colours
    gains: np.ndarray  # float32 [3], white balance and exposure
    gamma: float  # exponent of the tone curve
    noise: float  # deviation of the sensor noise, grey levels
    jpeg_quality: int  # 1..100
    haze: float  # metres at which haze hides 63 per cent
    cloud: float  # 0 clear .. 1 overcast


def draw_appearance(
    rng: np.random.Generator, change: float, noise: float
) -> Appearance:
    """One day; `change` and `noise` are strengths, as of `WorldSettings`."""
    azimuth = np.radians(180 + rng.uniform(-75, 75) * min(change, 1.0))
    height = np.radians(48 + rng.uniform(-18, 16) * min(change, 1.0))
    cloud = float(rng.beta(0.8, 1.4))
    flat = np.cos(height)
    sun = (np.sin(azimuth) * flat, np.cos(azimuth) * flat, np.sin(height))
    warmth = rng.normal(0, 0.035 * change)
    balance = np.array(
        [1 + warmth, 1 + rng.normal(0, 0.012 * change), 1 - warmth]
    )
    exposure = np.exp(rng.normal(0, 0.13 * change))
    return Appearance(
        np.asarray(sun, np.float32),
        0.85 * (1 - 0.8 * cloud),
        0.52 + 0.36 * cloud,
        _tints(rng, change),
        (balance * exposure).astype(np.float32),
        float(np.exp(rng.normal(0, 0.09 * change))),
        float(noise * rng.uniform(1.0, 4.0)),
        int(np.clip(96 - noise * rng.uniform(4, 22), 10, 100)),
        float(rng.uniform(140, 420)),
        cloud,
    )


def expose(
    image: np.ndarray, appearance: Appearance, rng: np.random.Generator
) -> np.ndarray:
    """Linear light, float32 [H, W, 3], as the camera renders it, uint8."""
    level = np.maximum(image * (appearance.gains * np.float32(1 / 255)), 0)
    level = cv2.pow(level, appearance.gamma)
    # A soft shoulder in place of hard clipping keeps white walls white.
    bright = np.maximum(level - np.float32(0.8), 0)
    level = cv2.divide(level, 1 + bright * np.float32(0.6))
    grain = np.zeros_like(image)
    cv2.setRNGSeed(int(rng.integers(1 << 31)))
    cv2.randn(grain, np.zeros(1), np.ones(1))
    level = cv2.addWeighted(level, 255, grain, appearance.noise, 0.5)
    return np.clip(level, 0, 255, out=level).astype(np.uint8)


def _tints(rng: np.random.Generator, change: float) -> np.ndarray:
    """The season's factor on each material's colour."""
    tints = np.ones((len(Material), 3), np.float32)
    dry, autumn = rng.beta(1.0, 1.6, 2) * change
    dry_tint = np.array([1.38, 1.12, 0.86]) ** dry
    tints[Material.GRASS] = dry_tint * np.exp(rng.normal(0, 0.08 * change))
    tints[Material.HEDGE] = np.array([1.1, 1.0, 0.95]) ** dry
    leaf = np.array([1.55, 1.02, 0.72]) ** autumn
    tints[Material.LEAF] = leaf * np.exp(rng.normal(0, 0.08 * change))
    for field in FIELDS:
        # Ploughed, green or ripe: a field's colour is the day's, not its own.
        crop = np.array([[0.72, 1.0, 0.62], [1.0, 0.9, 0.85], [1.3, 1.2, 0.85]])
        choice = crop[int(rng.integers(3))] ** min(change, 1.5)
        tints[field] = choice * np.exp(rng.normal(0, 0.08 * change))
    for material in (Material.WATER, Material.ASPHALT, Material.PAVING):
        tints[material] = np.exp(rng.normal(0, 0.1 * change))
    tints[Material.ROOF] = np.exp(rng.normal(0, 0.07 * change))
    return tints


def shadows(
    casters: np.ndarray, receivers: np.ndarray | float, step: float, sun
) -> np.ndarray:
    """How much of the sun is hidden, float32 [H, W], 1 in the shade.

    Args:
        casters: float32 [H, W], height of the surface, metres.
        receivers: float32 [H, W], or one number: height of the lit points.
        step: metres a cell.
        sun: float32 [3], unit vector to the sun.
    """
    flat = float(np.hypot(sun[0], sun[1]))
    rise = float(sun[2]) / flat
    rows, columns = casters.shape
    blocked = casters.copy()
    for probe in PROBES:
        down = round(-float(sun[1]) / flat * probe / step)
        right = round(float(sun[0]) / flat * probe / step)
        if abs(down) >= rows or abs(right) >= columns:
            break
        target = blocked[_range(-down, rows), _range(-right, columns)]
        source = casters[_range(down, rows), _range(right, columns)]
        np.maximum(target, source - np.float32(probe * rise), out=target)
    hidden = (blocked - receivers) * np.float32(1.4) - np.float32(0.25)
    return np.clip(hidden, 0, 1, out=hidden)


def slope_light(height: np.ndarray, step: float, sun: np.ndarray) -> np.ndarray:
    """Lambert's cosine on a height raster, float32 [H, W], 0..1."""
    east = cv2.filter2D(height, -1, _EAST / np.float32(2 * step))
    north = cv2.filter2D(height, -1, _EAST.T / np.float32(-2 * step))
    # Sheer walls show no face from above: their gradient is no slope.
    np.clip(east, -1.2, 1.2, out=east)
    np.clip(north, -1.2, 1.2, out=north)
    length = cv2.sqrt(east * east + north * north + np.float32(1))
    cosine = sun[2] - east * sun[0] - north * sun[1]
    cosine /= length
    return np.maximum(cosine, 0, out=cosine)


def lit(
    colour: np.ndarray,
    material: np.ndarray,
    sunshine: np.ndarray,
    appearance: Appearance,
) -> np.ndarray:
    """Colour under the day's light and season, float32 [H, W, 3].

    Args:
        colour, material: uint8 [H, W, 3] and [H, W].
        sunshine: float32 [H, W], cosine times the visible share of the sun.
        appearance: the day.
    """
    level = sunshine * np.float32(appearance.sunlight)
    level += np.float32(appearance.skylight)
    table = np.zeros((1, 256, 3), np.float32)
    table[0, : len(appearance.tints)] = appearance.tints
    tints = cv2.LUT(cv2.merge([material] * 3), table)
    return scaled(cv2.multiply(colour, tints, dtype=cv2.CV_32F), level)


def scaled(colours: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Colours float32 [..., 3] times level [...].

    NumPy takes six times as long to spread a level over three channels.
    """
    factor = cv2.merge([np.asarray(level, np.float32).reshape(-1, 1)] * 3)
    product = cv2.multiply(colours.reshape(-1, 1, 3), factor)
    return product.reshape(colours.shape)


def hazed(
    colours: np.ndarray, distance: np.ndarray, haze: np.ndarray, reach: float
) -> np.ndarray:
    """Colours [..., 3] that fade into `haze` [3] over `distance` [...] metres.

    At `reach` metres 63 per cent of the way is done.
    """
    clear = np.exp(distance * np.float32(-1 / reach))
    own = scaled(colours, clear).reshape(-1, 1, 3)
    air = cv2.merge([(1 - clear).reshape(-1, 1) * part for part in haze])
    return cv2.add(own, air).reshape(colours.shape)


_EAST = np.array([[-1, 0, 1]], np.float32)


def _range(shift: int, count: int) -> slice:
    """The part of a range that stays inside it when shifted back."""
    return slice(max(shift, 0), count + min(shift, 0))
