"""A raster's samples to true colours: one rule for image files and maps."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

Kind = Literal["grey", "white_is_zero", "rgb", "palette", "cmyk"]

COLOR_SAMPLES: dict[str, int] = {
    "grey": 1,
    "white_is_zero": 1,
    "palette": 1,
    "rgb": 3,
    "cmyk": 4,
}
"""How many samples of a pixel are colour; those after it are not."""

_DIM = 4
"""16 bits whose brightest value is under 1/4 of the range hold fewer."""


class Bands(NamedTuple):
    """What a raster's samples mean.

    Attributes:
        kind: of its colours.
        highest: the value of full intensity: 255 of 8 bits, 2047 of 11. For
            "palette" it is not used.
        premultiplied: whether the sample after the colours is an alpha that
            the colours are already multiplied by ("associated").
        alpha_highest: the alpha of what is opaque; by default `highest`.
        palette: RGB uint8 [n, 3], of kind "palette".
    """

    kind: Kind
    highest: int = 255
    premultiplied: bool = False
    alpha_highest: int | None = None
    palette: np.ndarray | None = None


def kind_of_grey(samples: int) -> Kind:
    """The kind of bands that a file calls grey, or does not name.

    Three, or the first three of four, are red, green and blue: many programs
    leave TIFF's photometric tag at "black is zero".

    Args:
        samples: of a pixel; one is grey, two are grey and another.

    Raises:
        ValueError: where there are more than four.
    """
    if samples > 4:
        raise ValueError(
            f"has {samples} bands without a colour: which of them are red,"
            " green and blue is not stated; give these three alone"
        )
    return "rgb" if samples >= 3 else "grey"


def stated_highest(
    bits: int, stated_bits: int | None = None, stated_highest: int | None = None
) -> int | None:
    """The value of full intensity as far as a file states it.

    Args:
        bits: of a stored sample, 1 to 16.
        stated_bits: that are used, where the file says so (NBITS, sBIT).
        stated_highest: the file's own greatest value (MaxSampleValue), which
            counts only as 2^n - 1: others are of the pixels, not the scale.

    Returns:
        None for 16 bits of unknown depth; see `require_bright`.
    """
    if stated_bits and stated_bits < bits:
        return 2**stated_bits - 1
    full = 2**bits - 1
    if stated_highest and 255 <= stated_highest < full:
        if stated_highest & (stated_highest + 1) == 0:
            return stated_highest
    known = bits < 16 or stated_bits == bits or stated_highest == full
    return full if known else None


def require_bright(brightest: int) -> None:
    """Refuses 16 bits that seem to hold fewer, where no depth is stated.

    Sensors have 10 to 14 bits; taken as 16 their pictures are nearly black.

    Args:
        brightest: the greatest colour sample, of all of a raster where that
            is known; 0 is black at any depth.

    Raises:
        ValueError: where the depth is unknown, with a remedy.
    """
    if 0 < brightest < 65536 // _DIM:
        likely = max(int(brightest).bit_length(), 8)
        raise ValueError(
            f"has 16 bits a sample, but none above {brightest:,}: how many are"
            f" used ({likely}?) is not stated; convert it to 8 bits, or state"
            " the depth (GDAL: -co NBITS=...)"
        )


def true_colors(samples: np.ndarray, bands: Bands) -> np.ndarray:
    """Samples as RGB.

    Args:
        samples: uint8 or uint16 [h, w, c]; what follows the colours is left
            out, but for an alpha that they were multiplied by.
        bands: what they mean.

    Returns:
        RGB uint8 [h, w, 3].

    Raises:
        ValueError: where there are fewer samples than the kind has.
    """
    count = COLOR_SAMPLES[bands.kind]
    if samples.shape[2] < count:
        raise ValueError(
            f"has {samples.shape[2]} samples a pixel; {bands.kind} has {count}"
        )
    colors = samples[..., :count]
    if bands.kind == "palette":
        return _looked_up(colors[..., 0], bands.palette)
    if bands.premultiplied and samples.shape[2] > count:
        opaque = bands.alpha_highest or bands.highest
        colors = _divided(colors, samples[..., count], bands.highest, opaque)
    colors = to_8_bits(colors, bands.highest)
    if bands.kind == "white_is_zero":
        colors = 255 - colors
    if bands.kind == "cmyk":
        return inks_to_rgb(255 - colors)
    return np.repeat(colors, 3, axis=2) if count == 1 else colors


def to_8_bits(values: np.ndarray, highest: int) -> np.ndarray:
    """uint8 of whole numbers 0 to `highest`; what is above counts as that.

    Of 16 bits the upper 8 are kept, as decoders do; other depths are rounded
    to the nearest.
    """
    if highest == 255:
        return np.minimum(values, 255).astype(np.uint8)
    if highest == 65535:
        return (values >> 8).astype(np.uint8)
    table = np.minimum(np.arange(65536), highest) * 255.0 / highest
    return np.rint(table).astype(np.uint8)[values]


def inks_to_rgb(inks: np.ndarray) -> np.ndarray:
    """RGB uint8 [h, w, 3] of CMYK where 255 is no ink, uint8 [h, w, 4]."""
    black = inks[..., 3:].astype(np.uint16)
    return ((inks[..., :3] * black + 127) // 255).astype(np.uint8)


def _looked_up(indices: np.ndarray, palette: np.ndarray | None) -> np.ndarray:
    if palette is None or indices.max(initial=0) >= len(palette):
        raise ValueError("has colours that its palette lacks")
    return palette[indices]


def _divided(
    colors: np.ndarray, alpha: np.ndarray, highest: int, opaque: int
) -> np.ndarray:
    """Colours before they were multiplied by alpha; black where it is 0."""
    share = np.maximum(alpha, 1)[..., None].astype(np.float32) / opaque
    straight = np.minimum(np.rint(colors / share), highest)
    return np.where(alpha[..., None] > 0, straight, 0).astype(colors.dtype)
