"""Locates panoramas: the gallery's most similar places.

    python -m experiments.locate --model=export --gallery=index \
        --picture=located.jpg panorama.jpg
    python -m experiments.locate --model=export --gallery=index \
        --near=46.948,7.447 --radius=500 --format=csv panoramas/
    python -m experiments.locate --model=export --gallery=index \
        --sequence --metres_per_frame=8 --format=geojson frames/

How sure an answer is stands below it, once experiments.calibrate was run on
the gallery. An image that can't be read is named on stderr, the others are
answered; the exit status is then 1.
"""

from __future__ import annotations

from typing import Any

from absl import flags

from experiments.flags import define_parsed, define_shared, run_program
from polar.program import print_stderr


def _position(text: str) -> tuple[float, float]:
    latitude, longitude = map(float, text.split(","))
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise ValueError(text)
    return latitude, longitude


PROGRAM_FLAGS = [
    *define_shared("model", "gallery", "engine", "backend", "uri"),
    flags.DEFINE_integer(
        "top_k", 5, "how many places for each image", lower_bound=1
    ),
    flags.DEFINE_enum(
        "format",
        "table",
        ["table", "json", "geojson", "csv"],
        "form of the answer",
    ),
    flags.DEFINE_bool(
        "raw_csv",
        False,
        "with --format=csv, names that a spreadsheet would take for formulas"
        " (they begin with =, +, -, @, a tab or a line break) stay as they are;"
        " otherwise they get an apostrophe first",
    ),
    flags.DEFINE_string(
        "picture",
        None,
        "file (.jpg or .png) for the query over its five places",
    ),
    flags.DEFINE_string(
        "truth",
        None,
        "id of the true place, framed in the picture; default: the image's own"
        " stem where the gallery has such an id",
    ),
    define_parsed(
        "near",
        None,
        "latitude,longitude in degrees (WGS 84) near which the images were"
        " taken; only places within --radius of it are candidates",
        _position,
        "latitude,longitude in degrees, -90 to 90 and -180 to 180, such as"
        " 46.948,7.447",
    ),
    flags.DEFINE_float("radius", None, "metres around --near"),
    flags.DEFINE_bool(
        "sequence",
        False,
        "the images are frames of one drive, in order: each is answered in the"
        " light of those before (the gallery must be calibrated); geojson then"
        " holds the path too. --near and --radius say where the drive began",
    ),
    flags.DEFINE_float(
        "metres_per_frame",
        10.0,
        "m: with --sequence, about what the camera moves between two frames;"
        " from one place to another at a distance d it comes with a weight of"
        " exp(-d^2 / (2 m^2)) up to d = 3 m, and in 1 % of frames anywhere",
    ),
    flags.DEFINE_bool(
        "unknown_heading",
        False,
        "north may be anywhere in a panorama, not just in its centre column or"
        " where the file's GPano notes say: all turns are tried (20 times the"
        " work), and each answer holds the heading of the centre column",
    ),
]


def main(*images: str, raw_csv: bool, format: str, **given: Any) -> int:
    """Locates the images and prints the answers."""
    if not images:
        raise flags.Error("IMAGE: none given; name one panorama or more")
    if raw_csv and format != "csv":
        raise flags.Error(f"--raw_csv: --format={format} is no CSV")
    from mgtl_tf.workflows.locate import locate_images

    form = "raw_csv" if raw_csv else format
    result = locate_images(images=images, output_format=form, **given)
    print(result.text)
    print_stderr(*result.notes)
    return 1 if result.unreadable else 0


if __name__ == "__main__":
    run_program(main, PROGRAM_FLAGS, takes_arguments=True)
