"""Tells where panoramas were taken: the gallery's most similar places.

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

from experiments.positions import LatitudeLongitude
from mgtl_tf.utils.errors import UserError
from polar.program import run, tell

_MODEL = flags.DEFINE_string(
    "model", None, "folder that experiments.export wrote", required=True
)
_GALLERY = flags.DEFINE_string(
    "gallery", None, "folder that experiments.index wrote", required=True
)
_TOP_K = flags.DEFINE_integer(
    "top_k", 5, "how many places for each image", lower_bound=1
)
_FORMAT = flags.DEFINE_enum(
    "format",
    "table",
    ["table", "json", "geojson", "csv"],
    "form of the answer",
)
_RAW_CSV = flags.DEFINE_bool(
    "raw_csv",
    False,
    "with --format=csv, names that a spreadsheet would take for formulas (they"
    " begin with =, +, -, @, a tab or a line break) stay as they are; otherwise"
    " they get an apostrophe first",
)
_PICTURE = flags.DEFINE_string(
    "picture", None, "file (.jpg or .png) for the query over its five places"
)
_TRUTH = flags.DEFINE_string(
    "truth",
    None,
    "id of the true place, framed in the picture; default: the image's own"
    " stem where the gallery has such an id",
)
_NEAR = flags.DEFINE(
    LatitudeLongitude(),
    "near",
    None,
    "latitude,longitude in degrees (WGS 84) near which the images were taken;"
    " only places within --radius of it are candidates",
)
_RADIUS = flags.DEFINE_float("radius", None, "metres around --near")
_SEQUENCE = flags.DEFINE_bool(
    "sequence",
    False,
    "the images are frames of one drive, in order: each is answered in the"
    " light of those before (the gallery must be calibrated); geojson then"
    " holds the path too. --near and --radius tell where the drive began",
)
_METRES_PER_FRAME = flags.DEFINE_float(
    "metres_per_frame",
    10.0,
    "m: with --sequence, about what the camera moves between two frames; from"
    " one place to another at a distance d it comes with a weight of"
    " exp(-d^2 / (2 m^2)) up to d = 3 m, and in 1 % of frames anywhere",
)
_UNKNOWN_HEADING = flags.DEFINE_bool(
    "unknown_heading",
    False,
    "north may be anywhere in a panorama, not just in its centre column or"
    " where the file's GPano notes say: all"
    " turns are tried (20 times the work), and each answer holds the heading"
    " of the centre column",
)
_ENGINE = flags.DEFINE_string(
    "engine",
    "exact",
    "how the gallery is searched: exact, or one that experiments.index built"
    " (float16, int8, pca, ivfpq)",
)
_BACKEND = flags.DEFINE_enum(
    "backend", "faiss", ["faiss", "milvus"], "what searches the gallery"
)
_URI = flags.DEFINE_string(
    "uri", None, "of Milvus: a local file FILE.db, or http://HOST:19530"
)


def _format() -> str:
    if not _RAW_CSV.value:
        return _FORMAT.value
    if _FORMAT.value != "csv":
        raise flags.Error(f"--raw_csv: --format={_FORMAT.value} is no CSV")
    return "raw_csv"


def _circumstances() -> Any:
    from mgtl_tf.workflows.locate import Circumstances

    return Circumstances(
        _NEAR.value,
        _RADIUS.value,
        _UNKNOWN_HEADING.value,
        _SEQUENCE.value,
        _METRES_PER_FRAME.value,
    )


def main(argv: list[str]) -> int:
    """Reads flags and images, locates, prints the answer."""
    if len(argv) < 2:
        raise flags.Error("IMAGE: none given; name one panorama or more")
    from mgtl_tf.workflows.locate import locate_images

    told = locate_images(
        _MODEL.value,
        _GALLERY.value,
        argv[1:],
        _TOP_K.value,
        _format(),
        _PICTURE.value,
        _TRUTH.value,
        _circumstances(),
        searching=(_ENGINE.value, _BACKEND.value, _URI.value),
    )
    print(told.text)
    tell(*told.notes)
    return 1 if told.unreadable else 0


if __name__ == "__main__":
    run(main, errors=(UserError,))
