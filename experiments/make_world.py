"""Makes a seeded town and pictures of it, in the layout of CVUSA.

    python -m experiments.make_world --output_dir=demo/world

The same command goes on with a world that was interrupted.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from absl import flags, logging

from mgtl_tf.synthetic.settings import WorldSettings, cvusa_form
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.world import make_world
from polar.parallel import usable_cores
from polar.program import run

_DEFAULT = WorldSettings()

_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "folder to write the world to", required=True
)
_TRAIN_PAIRS = flags.DEFINE_integer(
    "train_pairs", _DEFAULT.train_pairs, "pairs to train on, of several maps"
)
_VAL_PAIRS = flags.DEFINE_integer(
    "val_pairs", _DEFAULT.val_pairs, "pairs to evaluate on, of one other map"
)
_AERIAL_SIZE = flags.DEFINE_integer(
    "aerial_size", _DEFAULT.aerial_size, "side of an aerial image, pixels"
)
_GROUND_SIZE = flags.DEFINE_string(
    "ground_size",
    f"{_DEFAULT.ground_height}x{_DEFAULT.ground_width}",
    "height x width of a panorama, pixels; the width spans 360 degrees",
)
_SEED = flags.DEFINE_integer("seed", _DEFAULT.seed, "which world")
_PROCESSES = flags.DEFINE_integer(
    "processes", 0, "how many work at once; 0: one a core", lower_bound=0
)
_FULL = flags.DEFINE_boolean(
    "full",
    False,
    "CVUSA's own counts and sizes: 35532 + 8884 pairs, 750x750 and 224x1232;"
    " other flags given change that",
)
_APPEARANCE_CHANGE = flags.DEFINE_float(
    "appearance_change",
    _DEFAULT.appearance_change,
    "how far light and season of the two views differ; 0 not at all",
)
_NOISE = flags.DEFINE_float(
    "noise", _DEFAULT.noise, "strength of sensor noise and JPEG loss"
)


def main(argv: list[str]) -> None:
    """Reads the flags and makes the world."""
    if len(argv) > 1:
        raise flags.Error(f"{argv[1]}: unexpected; all inputs are flags")
    processes = _PROCESSES.value or usable_cores()
    sheet = make_world(_settings(), _OUTPUT_DIR.value, processes)
    logging.info("finished: see %s", sheet)


def _settings() -> WorldSettings:
    """The world that the flags describe; what was typed goes over --full."""
    given: dict[str, Any] = {
        flag.name: flag.value
        for flag in (
            _SEED,
            _TRAIN_PAIRS,
            _VAL_PAIRS,
            _AERIAL_SIZE,
            _APPEARANCE_CHANGE,
            _NOISE,
        )
        if flag.present
    }
    if _GROUND_SIZE.present:
        height, width = _size(_GROUND_SIZE.value)
        given.update(ground_height=height, ground_width=width)
    form = cvusa_form(_DEFAULT) if _FULL.value else _DEFAULT
    try:
        return dataclasses.replace(form, **given)
    except UserError as error:
        raise flags.IllegalFlagValueError(str(error)) from error


def _size(text: str) -> tuple[int, int]:
    """Height and width from text such as 64x320."""
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise flags.IllegalFlagValueError(
            f"--ground_size={text}: give height x width, such as 64x320"
        )
    return int(height), int(width)


if __name__ == "__main__":
    run(main, errors=(UserError,))
