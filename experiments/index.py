"""Writes a searchable index of a gallery of aerial images.

    python -m experiments.index --model=export --images=gallery \
        --locations=locations.csv --output_dir=index

Killed or stopped, the same command goes on from the last whole batch.
Several machines share the work with --shard=1/4, 2/4 ... and one --output_dir
(or copies of it, brought together); the last one joins the shards, or --join
does. --verify reads a whole index again.

Images that can't be read are left out and listed; the exit status is then 1.
"""

from __future__ import annotations

import sys
from typing import Any

from absl import flags

from mgtl_tf.errors import UserError
from polar.program import run

_MODEL = flags.DEFINE_string(
    "model", None, "folder that experiments.export wrote"
)
_IMAGES = flags.DEFINE_multi_string(
    "images",
    None,
    "folder of square aerial images, north up, one such file, or a CSV list"
    " whose first column names them (CVUSA's splits/val-19zl.csv); may be"
    " given several times",
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
    "batch_size",
    0,
    "images encoded together; 0: as many as take an eighth of the memory, at"
    " most 128",
    lower_bound=0,
)
_SHARD = flags.DEFINE_string(
    "shard",
    None,
    "i/n: index only the i-th of n parts, into OUTPUT_DIR/shard-i-of-n; every"
    " machine gives the same other flags",
)
_RESTART = flags.DEFINE_boolean(
    "restart", False, "throw away what an earlier command began"
)
_JOIN = flags.DEFINE_boolean(
    "join", False, "only join the shards that lie in OUTPUT_DIR"
)
_VERIFY = flags.DEFINE_boolean(
    "verify", False, "only compare the index in OUTPUT_DIR with its checksums"
)


def main(argv: list[str]) -> int:
    """Reads the flags, indexes, tells what was indexed and what was not."""
    if len(argv) > 1:
        raise flags.Error(f"{argv[1]}: unexpected; all inputs are flags")
    if _JOIN.value or _VERIFY.value:
        return _look_after(_OUTPUT_DIR.value)
    from mgtl_tf.workflows.index import index_gallery

    done = index_gallery(
        _given(_MODEL),
        _given(_IMAGES),
        _OUTPUT_DIR.value,
        _LOCATIONS.value,
        _BATCH_SIZE.value,
        shard=_SHARD.value,
        restart=_RESTART.value,
    )
    for image in done.built.skipped:
        print(f"left out {image.image}: {image.reason}", file=sys.stderr)
    print("\n".join(done.lines(_OUTPUT_DIR.value)))
    return 1 if done.built.skipped else 0


def _given(flag: flags.FlagHolder) -> Any:
    if not flag.value:
        raise flags.Error(f"flag --{flag.name}: must be given")
    return flag.value


def _look_after(folder: str) -> int:
    from mgtl_tf.workflows.index import join_gallery
    from mgtl_tf.workflows.index import verify_gallery

    if _JOIN.value:
        print(f"{join_gallery(folder):,} places joined in {folder}")
    if _VERIFY.value:
        print(f"{folder}: all of {verify_gallery(folder):,} places is whole")
    return 0


if __name__ == "__main__":
    run(main, errors=(UserError,))
