"""Writes a searchable index of a gallery of aerial images.

    python -m experiments.index --model=export --images=gallery \
        --locations=locations.csv --output_dir=index

Images that can't be read are left out and listed; the exit status is then 1.
"""

from __future__ import annotations

import sys

from absl import flags

from mgtl_tf.errors import UserError
from polar.program import run

_MODEL = flags.DEFINE_string(
    "model", None, "folder that experiments.export wrote", required=True
)
_IMAGES = flags.DEFINE_multi_string(
    "images",
    None,
    "folder of square aerial images, north up, one such file, or a CSV list"
    " whose first column names them (CVUSA's splits/val-19zl.csv); may be"
    " given several times",
    required=True,
)
_LOCATIONS = flags.DEFINE_string(
    "locations",
    None,
    "CSV with a header id,latitude,longitude (degrees); an id is the stem of"
    " an image's file name",
)
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "new folder for the index", required=True
)
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 32, "images encoded together", lower_bound=1
)


def main(argv: list[str]) -> int:
    """Reads the flags, indexes, tells what was indexed and what was not."""
    if len(argv) > 1:
        raise flags.Error(f"{argv[1]}: unexpected; all inputs are flags")
    from mgtl_tf.workflows.index import index_gallery

    count, skipped = index_gallery(
        _MODEL.value,
        _IMAGES.value,
        _OUTPUT_DIR.value,
        _LOCATIONS.value,
        _BATCH_SIZE.value,
    )
    for image in skipped:
        print(f"left out {image.image}: {image.reason}", file=sys.stderr)
    print(f"{count} places indexed in {_OUTPUT_DIR.value}")
    return 1 if skipped else 0


if __name__ == "__main__":
    run(main, errors=(UserError,))
