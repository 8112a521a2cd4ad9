"""A prior: the query was taken within so many metres of a known point."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import earth_centred, geodesic_metres


@dataclass(frozen=True)
class Prior:
    """A circle on the map.

    Args:
        near: (latitude, longitude) of its centre, degrees.
        radius: metres, above 0.

    Raises:
        UserError: for values that are none, naming the flag.
    """

    near: tuple[float, float]
    radius: float

    def __post_init__(self) -> None:
        latitude, longitude = self.near
        if not (abs(latitude) <= 90 and abs(longitude) <= 180):
            raise UserError(
                f"--near={latitude:g},{longitude:g}: must be latitude (-90 to"
                " 90) and longitude (-180 to 180), degrees"
            )
        if not 0 < self.radius < math.inf:
            raise UserError(
                f"--radius={self.radius:g}: must be a number of metres above 0"
            )

    @classmethod
    def of(
        cls, near: tuple[float, float] | None, radius: float | None
    ) -> Prior | None:
        """The prior that two settings give together; None without both.

        Raises:
            UserError: where one comes without the other.
        """
        if near is None and radius is None:
            return None
        if near is None or radius is None:
            given, lacking = (
                ("radius", "near")
                if near is None
                else (
                    "near",
                    "radius",
                )
            )
            raise UserError(
                f"--{given}: needs --{lacking} too; together they are a circle"
                " to search in"
            )
        return cls((float(near[0]), float(near[1])), float(radius))

    def rows(self, coordinates: np.ndarray) -> np.ndarray:
        """The gallery's places inside; those without position are not.

        Args:
            coordinates: degrees, [N, 2], NaN where unknown.

        Returns:
            int64 [n], ascending, at least one.

        Raises:
            UserError: where there is none, telling the nearest.
        """
        chords = np.linalg.norm(
            earth_centred(*coordinates.T) - earth_centred(*self._centre()),
            axis=1,
        )
        if not np.isfinite(chords).any():
            raise UserError(
                "--near: no place of the gallery has a position; index it with"
                " --locations"
            )
        # No chord is longer than its geodesic: these are all, and some more.
        rows = np.flatnonzero(chords <= self.radius)
        inside = (
            geodesic_metres(self._centre(), coordinates[rows]) <= self.radius
        )
        if not inside.any():
            nearest = np.nanargmin(chords)
            metres = geodesic_metres(self._centre(), coordinates[[nearest]])[0]
            raise UserError(
                f"--radius={self.radius:g}: no place of the gallery lies so"
                f" near to {self.near[0]:g},{self.near[1]:g}; the nearest is"
                f" {metres:,.0f} m away"
            )
        return rows[inside]

    def _centre(self) -> np.ndarray:
        return np.array(self.near)
