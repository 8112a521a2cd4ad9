"""A flag that holds a point on the map."""

from __future__ import annotations

from absl import flags


class LatitudeLongitude(flags.ArgumentParser):
    """Reads "46.948,7.447" as latitude and longitude, degrees."""

    syntactic_help = "latitude,longitude in degrees, such as 46.948,7.447"

    def parse(self, argument: object) -> tuple[float, float]:
        """The two numbers.

        Raises:
            ValueError: where there are not two, or they are no degrees.
        """
        text = str(argument)
        try:
            latitude, longitude = map(float, text.split(","))
        except ValueError:
            raise ValueError(f"give {self.syntactic_help}") from None
        if not (abs(latitude) <= 90 and abs(longitude) <= 180):
            raise ValueError(
                "latitude is -90 to 90 degrees, longitude -180 to 180"
            )
        return latitude, longitude

    def flag_type(self) -> str:
        """What help calls the type."""
        return "latitude,longitude"
