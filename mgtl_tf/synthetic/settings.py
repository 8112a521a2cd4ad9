"""What the procedural world is made with: one frozen value."""

from __future__ import annotations

import dataclasses

from mgtl_tf.utils.errors import UserError

# Raised whenever the same settings would draw other pictures, so that a
# folder begun by an older program is never continued by a newer one.
WORLD_VERSION = 1

CVUSA_TRAIN_PAIRS = 35532
CVUSA_VAL_PAIRS = 8884


@dataclasses.dataclass(frozen=True)
class WorldSettings:
    """Counts, sizes and strengths; lengths in metres, angles in degrees.

    Attributes:
        seed: the world; another seed is another world.
        train_pairs: pairs of the train split, over several maps.
        val_pairs: pairs of the val split, all from one further map.
        aerial_size: side of an aerial image, pixels.
        ground_height: height of a panorama, pixels.
        ground_width: width of a panorama, pixels; 360 degrees.
        aerial_metres: ground that an aerial image covers a side.
        metres_per_pixel: resolution of the map's rasters.
        pairs_per_map: train places taken from one map.
        spacing_min: least distance from a place to its nearest one.
        spacing_max: greatest distance from a place to its nearest one.
        camera_height: of the panorama camera above the ground.
        position_error_min: least error of the ground position.
        position_error_max: greatest error of the ground position.
        heading_error_min: least error of the ground heading.
        heading_error_max: greatest error of the ground heading.
        appearance_change: 0 gives both views one light and season, 1 is
            the standard difference, more is harder.
        noise: strength of sensor noise and JPEG loss; 1 is standard.
        cars: average number of cars in view, drawn anew in each view.
        supersampling: rays a pixel and axis.
    """

    seed: int = 0
    train_pairs: int = 6000
    val_pairs: int = 1000
    aerial_size: int = 128
    ground_height: int = 64
    ground_width: int = 320
    aerial_metres: float = 60.0
    metres_per_pixel: float = 0.25
    pairs_per_map: int = 1000
    spacing_min: float = 6.0
    spacing_max: float = 12.0
    camera_height: float = 2.2
    position_error_min: float = 1.0
    position_error_max: float = 3.0
    heading_error_min: float = 1.0
    heading_error_max: float = 3.0
    appearance_change: float = 0.5
    noise: float = 0.8
    cars: float = 3.0
    supersampling: int = 2

    def __post_init__(self) -> None:
        """Raises UserError for a value that no world can have."""
        smallest = {
            "seed": 0,
            "train_pairs": 0,
            "val_pairs": 0,
            "aerial_size": 16,
            "ground_height": 8,
            "ground_width": 16,
            "pairs_per_map": 1,
            "supersampling": 1,
            "noise": 0,
            "cars": 0,
            "appearance_change": 0,
        }
        for name, least in smallest.items():
            value = getattr(self, name)
            if value < least:
                raise UserError(f"--{name} is {value}: give at least {least}")
        if self.ground_height * 2 > self.ground_width:
            raise UserError(
                f"--ground_size is {self.ground_height}x{self.ground_width}:"
                " a panorama of 360 degrees is at least twice as wide as high"
            )
        if self.train_pairs + self.val_pairs == 0:
            raise UserError("--train_pairs and --val_pairs are both 0")
        if self.train_pairs + self.val_pairs > 9_999_999:
            raise UserError("an ID has seven digits: ask for fewer pairs")


def cvusa_form(settings: WorldSettings) -> WorldSettings:
    """The same world at CVUSA's own counts and image sizes."""
    return dataclasses.replace(
        settings,
        train_pairs=CVUSA_TRAIN_PAIRS,
        val_pairs=CVUSA_VAL_PAIRS,
        aerial_size=750,
        ground_height=224,
        ground_width=1232,
    )
