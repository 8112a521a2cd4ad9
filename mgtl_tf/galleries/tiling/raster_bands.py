"""Which bands of a raster are its colours, and where it has no data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.utils.errors import UserError
from polar.band_colors import Bands, kind_of_grey, stated_highest, true_colors

_BLOCKS_A_SIDE, _BLOCK = 8, 64
_COLORS = ("red", "green", "blue")
_UNNAMED = {"undefined", "gray", "alpha"}
_BITS = {"uint8": 8, "uint16": 16}
# Of the greatest value: JPEG changes transparency a little as well.
_NEAR = 0.03
# Feathered edges are neither clear nor opaque.
_LEAST_SHARE = 0.95
_REMEDY = (
    "choose them with gdal_translate -b R -b G -b B, or name them with"
    " gdal_edit.py -colorinterp_1 red ..."
)


class RasterBands:
    """Colours and transparency of a raster, by what it calls its bands.

    Red, green and blue by name, else by the bands' descriptions, else the
    first of up to four. Alpha only where it behaves as one: 95 % of its
    values, sampled, are within 3 % of 0 or of the greatest, and it does not
    hide all of a picture.

    Args:
        path: of the raster; begins messages.
        dataset: it, opened by rasterio.

    Attributes:
        colors: numbers, from 1, of red, green and blue, or of a single one.
        alpha: number of the band of transparency, or None.
        palette: RGBA of each value, uint8 [V, 4], or None.
        brightest: sampled, where the depth of 16 bits is unknown; else None.
        note: what was ignored, a phrase; or "".

    Raises:
        UserError: where it can't be known which bands are the colours, or
            they aren't of 8 or 16 bits.
    """

    def __init__(self, path: Path, dataset: Any):
        names = [color.name for color in dataset.colorinterp]
        self.colors = _colors(path, dataset, names)
        self.alpha: int | None = None
        self.note = ""
        self._opaque = 0.0
        bits = _bits(path, dataset, self.colors)
        if "alpha" in names:
            band = names.index("alpha") + 1
            if opaque := _opaque(dataset, self.colors, band):
                self.alpha, self._opaque = band, opaque
            else:
                self.note = (
                    f"{path}: band {band} is called alpha, but its values are"
                    " not those of transparency: ignored"
                )
        self.palette = (
            _palette(path, dataset) if names[0] == "palette" else None
        )
        highest = _stated_highest(dataset, self.colors[0], bits)
        self.brightest: int | None = None
        if highest is None:
            self.brightest = int(_sampled(dataset, self.colors).max())
        self._bands = self._meaning(dataset, highest or 2**bits - 1)

    def _meaning(self, dataset: Any, highest: int) -> Bands:
        if self.palette is not None:
            return Bands("palette", palette=self.palette[:, :3])
        kind = kind_of_grey(len(self.colors))
        if kind == "grey" and "MINISWHITE" in _structure(dataset, 0):
            kind = "white_is_zero"
        premultiplied = self.alpha is not None and (
            _structure(dataset, self.alpha).get("ALPHA") == "PREMULTIPLIED"
        )
        return Bands(kind, highest, premultiplied, int(self._opaque) or None)

    def read(self, dataset: Any, part: dict[str, Any]) -> np.ndarray:
        """RGBA uint8 [h, w, 4] of a part, as rasterio's `read` takes it.

        A pixel has no data where every colour is no data, each by its own
        band's value; or where the file's mask, its transparency or its
        palette's says so.
        """
        alpha = [] if self.alpha is None else [self.alpha]
        samples = dataset.read([*self.colors, *alpha], **part)
        samples = np.moveaxis(samples, 0, 2)
        mask = self._mask(dataset, part, samples.shape[:2])
        if alpha:
            opaque = 2.0 * samples[..., -1] >= self._opaque
            mask = np.where(opaque, mask, 0)
        if self.palette is not None:
            # What it lacks is black, and what it calls transparent is missing.
            samples = np.minimum(samples.astype(int), len(self.palette) - 1)
            mask = np.where(self.palette[samples[..., 0], 3] > 127, mask, 0)
        colors = true_colors(samples, self._bands)
        return np.dstack([colors, mask.astype(np.uint8)])

    def _mask(
        self, dataset: Any, part: dict[str, Any], shape: tuple[int, ...]
    ) -> np.ndarray:
        """By values of no data and by the file's own mask."""
        kinds = {
            flag.name
            for band in self.colors
            for flag in dataset.mask_flag_enums[band - 1]
        }
        # GDAL's mask is then the alpha band, which is used or not.
        if "nodata" not in kinds and kinds & {"alpha", "all_valid"}:
            return np.full(shape, 255, np.uint8)
        return dataset.read_masks(self.colors, **part).max(axis=0)


def _structure(dataset: Any, band: int) -> dict[str, str]:
    """GDAL's metadata of how a band, or of 0 the file, is stored."""
    return dataset.tags(band, ns="IMAGE_STRUCTURE")


def _sampled(dataset: Any, bands: Sequence[int]) -> np.ndarray:
    """Values of B bands [B, P], in at most 8 x 8 blocks of 64 x 64 pixels."""
    from rasterio.windows import Window

    height, width = dataset.shape
    tall, wide = min(height, _BLOCK), min(width, _BLOCK)
    rows, columns = (
        np.unique(np.linspace(0, end, _BLOCKS_A_SIDE).astype(int)).tolist()
        for end in (height - tall, width - wide)
    )
    parts = [
        dataset.read(list(bands), window=Window(column, row, wide, tall))
        for row in rows
        for column in columns
    ]
    return np.concatenate([p.reshape(len(bands), -1) for p in parts], axis=1)


def _colors(path: Path, dataset: Any, names: list[str]) -> list[int]:
    described = [(text or "").strip().lower() for text in dataset.descriptions]
    for known in (names, described):
        if set(_COLORS) <= set(known):
            return [known.index(color) + 1 for color in _COLORS]
    rest = [n for n, name in enumerate(names, 1) if name != "alpha"]
    if names[0] == "palette":
        return [1]
    other = set(names) - _UNNAMED
    if "gray" in names and (len(rest) < 3 or other):
        return [names.index("gray") + 1]
    try:
        if other or not rest:
            raise ValueError(
                f"has the bands {', '.join(names)}: which of them are red,"
                " green and blue is not stated"
            )
        return rest[:3] if kind_of_grey(len(rest)) == "rgb" else rest[:1]
    except ValueError as error:
        raise UserError(f"{path}: {error}; {_REMEDY}") from error


def _bits(path: Path, dataset: Any, bands: list[int]) -> int:
    kinds = {dataset.dtypes[band - 1] for band in bands}
    if len(kinds) > 1 or not kinds <= _BITS.keys():
        raise UserError(
            f"{path}: bands of {', '.join(sorted(kinds))}, whose"
            " colours are unknown; convert it with gdal_translate -ot Byte"
            " -scale LEAST GREATEST 0 255"
        )
    return _BITS[kinds.pop()]


def _stated_highest(dataset: Any, band: int, bits: int) -> int | None:
    """The value of full intensity; None for 16 bits of unknown depth."""
    used = _structure(dataset, band).get("NBITS", "")
    greatest = dataset.tags().get("TIFFTAG_MAXSAMPLEVALUE", "")
    return stated_highest(
        bits,
        int(used) if used.isdecimal() else None,
        int(greatest) if greatest.isdecimal() else None,
    )


def _palette(path: Path, dataset: Any) -> np.ndarray:
    """RGBA of each value, uint8 [V, 4]."""
    try:
        entries = dataset.colormap(1)
    except ValueError as error:
        raise UserError(
            f"{path}: its palette is missing; convert it with"
            " gdal_translate -expand rgb"
        ) from error
    table = np.full((max(entries) + 2, 4), (0, 0, 0, 255), np.uint8)
    for value, color in entries.items():
        table[value] = color
    return table


def _opaque(dataset: Any, color_bands: Sequence[int], band: int) -> float:
    """The value of what is opaque in a band of transparency; 0: it is none."""
    *colors, alpha = _sampled(dataset, [*color_bands, band])
    kind = dataset.dtypes[band - 1]
    opaque = float(alpha.max(initial=0))
    # Some write 1; some 255 beside colours of 16 bits.
    if opaque not in (1.0, 255.0):
        opaque = 1.0 if kind.startswith("float") else 255.0
        if kind.startswith("uint"):
            bits = _structure(dataset, band).get("NBITS", kind[4:])
            opaque = float(2 ** int(bits) - 1)
    clear = alpha <= _NEAR * opaque
    ends = clear | (alpha >= (1 - _NEAR) * opaque)
    # One that nobody filled lies over a picture.
    unused = clear.all() and np.ptp(np.stack(colors)) > 0
    return opaque if ends.mean() >= _LEAST_SHARE and not unused else 0.0
