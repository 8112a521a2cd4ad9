"""Makes a seeded town and pictures of it, in the layout of CVUSA or VIGOR.

    python -m experiments.make_world --output_dir=demo/world

The same command resumes a world that was interrupted.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from absl import flags, logging

from experiments.flags import define_parsed, run_program
from mgtl_tf.synthetic.settings import (
    LAYOUTS,
    STYLES,
    WorldSettings,
    cvusa_form,
    vigor_form,
)
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.world import make_world
from polar.parallel import usable_cores

_DEFAULT = WorldSettings()


def _size(text: str) -> tuple[int, int]:
    height, width = text.lower().split("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise ValueError(text)
    return int(height), int(width)


_SETTINGS = {
    "train_pairs": "pairs to train on, of several maps",
    "val_pairs": "pairs to evaluate on, of one other map",
    "aerial_size": "side of an aerial image, pixels",
    "seed": "which world",
    "appearance_change": "how far light and season of the two views differ; 0"
    " not at all",
    "noise": "strength of sensor noise and JPEG loss",
    "aerial_metres": "ground that an aerial image covers a side, metres;"
    " CVUSA's and CVACT's cover about 150",
    "aerial_metres_min": "the least that one covers, where they differ; 0: all"
    " the same",
    "horizon_min": "row of a panorama's horizon as a share of its height, at"
    " least; a crop that left more sky than ground has it above 0.5",
    "horizon_max": "the same, at most",
    "pairs_per_map": "training pairs from one map; fewer give more maps",
    "spacing_min": "metres from a place to its nearest one, at least",
    "spacing_max": "the same, at most",
    "camera_height": "of the panorama camera above the ground, metres",
    "position_error_min": "metres from the centre of its aerial image to a"
    " panorama, at least",
    "position_error_max": "the same, at most",
    "heading_error_min": "degrees between north and the centre column of a"
    " panorama, at least",
    "heading_error_max": "the same, at most",
    "cars": "in view on average, others in each view",
    "labels": "also write what every pixel shows, in CVUSA's classes: of"
    " panoramas to streetview/annotations, of aerial images to"
    " bingmap/annotations",
}


def _define_setting(name: str) -> flags.FlagHolder:
    default = getattr(_DEFAULT, name)
    text = f"{_SETTINGS[name]}; default: {default}"
    if isinstance(default, bool):
        return flags.DEFINE_boolean(name, None, text)
    if isinstance(default, int):
        return flags.DEFINE_integer(name, None, text)
    return flags.DEFINE_float(name, None, text)


PROGRAM_FLAGS = [
    *map(_define_setting, _SETTINGS),
    flags.DEFINE_enum(
        "style",
        None,
        STYLES,
        "standard: all maps alike; varied: of every kind of landscape and"
        " colour, to train for real images; held_out: the same kinds in"
        " colours and textures that varied never has, to choose by",
    ),
    flags.DEFINE_enum(
        "layout",
        "cvusa",
        LAYOUTS,
        "cvusa: an aerial image around each panorama; vigor: four cities of"
        " overlapping aerial images, 120 panoramas to train on and 120 to test,"
        " anywhere in them, in VIGOR's own files",
    ),
    flags.DEFINE_string(
        "output_dir", None, "folder to write the world to", required=True
    ),
    define_parsed(
        "ground_size",
        None,
        "height x width of a panorama, pixels; the width spans 360 degrees;"
        f" default: {_DEFAULT.ground_height}x{_DEFAULT.ground_width}",
        _size,
        "height x width, such as 64x320",
    ),
    flags.DEFINE_integer(
        "processes", 0, "how many work at once; 0: one a core", lower_bound=0
    ),
    flags.DEFINE_boolean(
        "full",
        False,
        "CVUSA's own counts and sizes: 35532 + 8884 pairs, 750x750 and"
        " 224x1232; other flags given change that",
    ),
]


def main(
    output_dir: str,
    ground_size: tuple[int, int] | None,
    processes: int,
    full: bool,
    layout: str,
    **given: Any,
) -> None:
    """Makes the world; what was given changes the default or --full."""
    if ground_size is not None:
        given["ground_height"], given["ground_width"] = ground_size
    given = {name: v for name, v in given.items() if v is not None}
    if full and layout == "vigor":
        raise flags.IllegalFlagValueError("--full is of --layout=cvusa alone")
    form = cvusa_form(_DEFAULT) if full else _DEFAULT
    try:
        form = vigor_form(form) if layout == "vigor" else form
        settings = dataclasses.replace(form, **given)
    except UserError as error:
        raise flags.IllegalFlagValueError(str(error)) from error
    sheet = make_world(settings, output_dir, processes or usable_cores())
    logging.info("finished: see %s", sheet)


if __name__ == "__main__":
    run_program(main, PROGRAM_FLAGS)
