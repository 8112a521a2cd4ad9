"""One camera's day: sun, season, and how the camera renders colour.

Each view draws its own, as an aerial survey and a street camera never come
on the same day.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from mgtl_tf.synthetic.town.palette import FIELDS, Material


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
    """One day.

    Args:
        rng: random source.
        change: strength of the differences between days.
        noise: strength of sensor noise and JPEG loss.
    """
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
    """The camera's gains, tone curve and noise, uint8 [H, W, 3].

    Args:
        image: float32 [H, W, 3], linear light as 0..255 RGB.
        appearance: the camera.
        rng: of the noise.
    """
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
