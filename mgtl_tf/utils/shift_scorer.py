"""DSM's scorer: every circular shift is tried, by FFT (Shi et al. 2020)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from mgtl_tf.utils.scorers import Scorer, squares

# Correlations of a block of pairs stay in this many numbers.
_BLOCK_NUMBERS = 2**23
_BLOCK_ROWS = 512
_SMALLEST_ENERGY = 1e-24


@dataclass(frozen=True)
class ShiftScorer(Scorer):
    """DSM's: a panorama of any azimuth in a circle of w columns (3.9 there).

    c_s = sum over columns j of <g_j, a_(j + s mod w)>, by FFT; s* = argmax of
    c; the score is c_s* divided by the length of the columns s* ... of a that
    it was taken from: their cosine, as the ground vector has unit length.
    The argmax passes no gradient (Shi et al. 2020).

    Args:
        columns: w of a satellite descriptor, [w, P] flattened; a ground one
            is [w', P], w' <= w.
        ground_queries: whether queries are ground descriptors.
    """

    kind: ClassVar[str] = "shift"
    columns: int = 1
    ground_queries: bool = True

    @property
    def finds_headings(self) -> bool:
        """See `Scorer`."""
        return True

    def reversed(self) -> Self:
        """See `Scorer`."""
        return dataclasses.replace(self, ground_queries=not self.ground_queries)

    def fits(self, queries: int, gallery: int) -> bool:
        """See `Scorer`."""
        ground, satellite = self._by_view(queries, gallery)
        depth, rest = divmod(satellite, self.columns)
        return not rest and ground <= satellite and not ground % max(depth, 1)

    def of_batch(self, ground, satellite):
        """See `Scorer`."""
        from keras import ops

        depth = satellite.shape[1] // self.columns
        spectra, columns = [], []
        for x in (ground, satellite):
            x = ops.reshape(
                ops.cast(x, "float32"), (-1, x.shape[1] // depth, depth)
            )
            columns.append(x)
            missing = self.columns - x.shape[1]
            x = ops.pad(x, ((0, 0), (0, missing), (0, 0)))
            x = ops.transpose(x, (0, 2, 1))  # [B, P, w]
            spectra.append(ops.rfft(x))  # real, imaginary [B, P, f]
        (gr, gi), (ar, ai) = spectra
        pairs = "gpf,apf->gaf"
        real = ops.einsum(pairs, gr, ar) + ops.einsum(pairs, gi, ai)
        imaginary = ops.einsum(pairs, gr, ai) - ops.einsum(pairs, gi, ar)
        correlation = ops.irfft((real, imaginary), self.columns)  # [B, B, w]
        best = ops.stop_gradient(ops.argmax(correlation, axis=-1))
        best = ops.one_hot(best, self.columns)
        energies = ops.sum(ops.square(columns[1]), axis=-1)  # [B, w]
        windows = ops.matmul(energies, self._windows(columns[0].shape[1]))
        energy = ops.sum(best * windows, axis=-1)  # [B, B]
        return ops.sum(best * correlation, axis=-1) / ops.sqrt(
            ops.maximum(energy, _SMALLEST_ENERGY)
        )

    def tile(
        self, queries: np.ndarray, gallery: np.ndarray, out: np.ndarray
    ) -> None:
        """See `Scorer`; in blocks, as each pair has w correlations."""
        ground, satellite = self._by_view(queries, gallery)
        out = out if self.ground_queries else out.T
        height = min(len(ground), _BLOCK_ROWS)
        width = max(1, _BLOCK_NUMBERS // (self.columns * height))
        for n in range(0, len(satellite), width):
            some = satellite[n : n + width]
            spectrum = self._spectrum(some, satellite.shape[1])
            for q in range(0, len(ground), height):
                rows = ground[q : q + height]
                theirs = self._spectrum(rows, satellite.shape[1])
                products = np.matmul(
                    theirs.conj().transpose(1, 0, 2),
                    spectrum.transpose(1, 2, 0),
                )  # [f, q, n]
                c = np.fft.irfft(products, self.columns, axis=0)
                # Along rows an argmax takes a fifth of the time.
                best = np.moveaxis(c, 0, -1).copy().argmax(axis=-1)  # [q, n]
                energy = self._energies(some, rows.shape[1])  # [n, w]
                energy = energy[np.arange(len(some)), best]
                top = np.take_along_axis(c, best[None], axis=0)[0]
                out[q : q + height, n : n + width] = _over_root(top, energy)

    def exact(self, queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        """See `Scorer`."""
        return self._pairs(queries, gallery)[0]

    def shifts(self, queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        """s* of row i of both, [P, D] each: int [P], 0 to w - 1."""
        return self._pairs(queries, gallery)[1]

    def headings(self, ground: np.ndarray, satellite: np.ndarray) -> np.ndarray:
        """Where the centre columns of panoramas look, of row i of both.

        Returns:
            degrees clockwise from north, [P], 0 to 360.
        """
        shifts = self.shifts(*self._by_view(ground, satellite))
        # A narrow panorama's own first column is not that of a whole one.
        share = ground.shape[1] / satellite.shape[1]
        return (360 * (shifts / self.columns + (share - 1) / 2)) % 360

    def _pairs(self, queries, gallery) -> tuple[np.ndarray, np.ndarray]:
        """Scores float64 and shifts of pairs, [P] each."""
        ground, satellite = (
            x.astype(np.float64) for x in self._by_view(queries, gallery)
        )
        spectra = [
            self._spectrum(x, satellite.shape[1]) for x in (ground, satellite)
        ]
        products = (spectra[0].conj() * spectra[1]).sum(axis=-1)  # [P, f]
        c = np.fft.irfft(products, self.columns, axis=1)
        best = c.argmax(axis=1)
        own = np.arange(len(c)), best
        energies = self._energies(satellite, ground.shape[1])
        return _over_root(c[own], energies[own]), best

    def _by_view(self, queries, gallery):
        """Ground first, then satellite; the same again gives them back."""
        return (queries, gallery) if self.ground_queries else (gallery, queries)

    def _spectrum(self, rows: np.ndarray, length: int) -> np.ndarray:
        """Fourier transforms along azimuth of [n, w' P], complex [n, f, P]."""
        columns = rows.reshape(len(rows), -1, length // self.columns)
        return np.fft.rfft(columns, self.columns, axis=1)

    def _energies(self, satellite: np.ndarray, ground: int) -> np.ndarray:
        """Squared lengths of the columns that each shift takes, [n, w]."""
        columns = satellite.reshape(len(satellite), self.columns, -1)
        width = ground // columns.shape[2]
        return squares(columns) @ self._windows(width).astype(satellite.dtype)

    def _windows(self, width: int) -> np.ndarray:
        """[w, w]: 1 where a column is one of those that a shift takes."""
        column, shift = np.indices((self.columns, self.columns))
        inside = (column - shift) % self.columns < width
        return inside.astype(np.float32)


def _over_root(values: np.ndarray, energy: np.ndarray) -> np.ndarray:
    return values / np.sqrt(np.maximum(energy, _SMALLEST_ENERGY))
