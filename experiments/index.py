"""Writes a searchable index of a gallery of aerial images.

    python -m experiments.index --model=export --images=gallery \\
        --locations=locations.csv --output_dir=index

    python -m experiments.index --model=export --images=map.tif \\
        --crop_metres=60 --metres_per_pixel=0.5 --step_metres=20 \\
        --output_dir=index

A map is cut into square, overlapping crops with north up, each with the
position of its centre; they are written to OUTPUT_DIR/crops as JPEG, because
an answer is shown by its image. Crops of which the map lacks more than
--most_missing are left out and counted; a smaller share is filled from around
it, and counted too.

Killed or stopped, the same command goes on from the last whole batch.
Several machines share the work with --shard=1/4, 2/4 ... and one --output_dir
(or copies of it, brought together); the last one joins the shards, or --join
does. --verify reads a whole index again.

--engine=ivfpq (or float16, int8, pca) also builds that search engine, and
--backend=milvus --uri=FILE.db (or http://HOST:19530) fills Milvus; without
--model and --images, of the index that is in OUTPUT_DIR already.

Images that can't be read are left out and listed; the exit status is then 1.
"""

from __future__ import annotations

from typing import Any

from absl import flags

from mgtl_tf.utils.errors import UserError
from polar.program import run, tell, tell_done

_MODEL = flags.DEFINE_string(
    "model", None, "folder that experiments.export wrote"
)
_IMAGES = flags.DEFINE_multi_string(
    "images",
    None,
    "folder of square aerial images, north up, one such file, or a CSV list"
    " whose first column names them (CVUSA's splits/val-19zl.csv); or a map to"
    " be cut into such images: a georeferenced raster (GeoTIFF, .vrt, .jp2;"
    " JPEG or PNG with world file and .aux.xml), a folder of such sheets, a"
    " folder of Z/X/Y.jpg or .png tiles; may be given several times",
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
_CROP_METRES = flags.DEFINE_float(
    "crop_metres",
    None,
    "ground that a crop of a map covers a side; default: as much as the"
    " model's training images, where that is known",
)
_METRES_PER_PIXEL = flags.DEFINE_float(
    "metres_per_pixel",
    None,
    "of the crops, on the ground; default: as the model's training images",
)
_STEP_METRES = flags.DEFINE_float(
    "step_metres",
    None,
    "from one crop's centre to the next one's, both ways; default: half a"
    " crop, so that they overlap",
)
_MOST_MISSING = flags.DEFINE_float(
    "most_missing",
    None,
    "share of a crop's pixels that a map may lack (no data, transparent, no"
    " tile); they are filled from around them; default: 0.05",
)
_TILE_ROWS = flags.DEFINE_enum(
    "tile_rows",
    None,
    ["xyz", "tms"],
    "Y of Z/X/Y tiles counted from the north (xyz) or from the south (tms);"
    " default: as tilemapresource.xml or metadata.json beside them says, else"
    " xyz",
)
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size",
    0,
    "images encoded together; 0: as many as take an eighth of the memory, by"
    " an estimate, at most 128",
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
_ENGINE = flags.DEFINE_string(
    "engine",
    "exact",
    "search engine to build: exact (needs nothing), float16, int8, pca, ivfpq;"
    " of Milvus exact, int8, hnsw",
)
_BACKEND = flags.DEFINE_enum(
    "backend", "faiss", ["faiss", "milvus"], "what will search the gallery"
)
_URI = flags.DEFINE_string(
    "uri", None, "of Milvus: a local file FILE.db, or http://HOST:19530"
)
_TRAINING_GALLERY = flags.DEFINE_string(
    "training_gallery",
    None,
    "index of the training split's aerial images, from which FAISS' engines"
    " learn; default: the gallery itself",
)


def main(argv: list[str]) -> int:
    """Reads the flags, indexes, tells what was indexed and what was not."""
    if len(argv) > 1:
        raise flags.Error(f"{argv[1]}: unexpected; all inputs are flags")
    if _JOIN.value or _VERIFY.value or _only_engine():
        _refuse_crops("an index that is there already")
        return _look_after(_OUTPUT_DIR.value)
    from mgtl_tf.workflows.index import index_gallery

    _require_engine()
    done = index_gallery(
        _given(_MODEL),
        _given(_IMAGES),
        _OUTPUT_DIR.value,
        _LOCATIONS.value,
        _BATCH_SIZE.value,
        shard=_SHARD.value,
        restart=_RESTART.value,
        **_crops(),
    )
    tell(*done.faults())
    tell_done(*done.lines(_OUTPUT_DIR.value))
    if not done.missing:
        _build_engine()
    return 1 if done.built.skipped else 0


def _wants_engine() -> bool:
    return _ENGINE.value != "exact" or _BACKEND.value != "faiss"


def _only_engine() -> bool:
    return _wants_engine() and not _MODEL.value and not _IMAGES.value


def _require_engine() -> None:
    from mgtl_tf.workflows.engines import require_gallery_engine

    require_gallery_engine(
        _ENGINE.value, _BACKEND.value, _URI.value, _TRAINING_GALLERY.value
    )


def _build_engine() -> None:
    if not _wants_engine():
        return
    from mgtl_tf.workflows.engines import build_gallery_engine

    lines = build_gallery_engine(
        _OUTPUT_DIR.value,
        _ENGINE.value,
        _BACKEND.value,
        _URI.value,
        _TRAINING_GALLERY.value,
    )
    tell_done(*lines)


def _crops() -> dict[str, Any]:
    crops = (
        _CROP_METRES,
        _METRES_PER_PIXEL,
        _STEP_METRES,
        _MOST_MISSING,
        _TILE_ROWS,
    )
    return {flag.name: flag.value for flag in crops}


def _refuse_crops(where: str) -> None:
    for name, value in _crops().items():
        if value is not None:
            raise flags.Error(
                f"flag --{name}={value}: goes with --images, not with {where}"
            )


def _given(flag: flags.FlagHolder) -> Any:
    if not flag.value:
        raise flags.Error(f"flag --{flag.name}: must be given")
    return flag.value


def _look_after(folder: str) -> int:
    from mgtl_tf.workflows.index import join_gallery, verify_gallery

    if _JOIN.value:
        tell_done(f"{join_gallery(folder):,} places joined in {folder}")
    if _VERIFY.value:
        count = verify_gallery(folder)
        tell_done(f"{folder}: all of {count:,} places is whole")
    _build_engine()
    return 0


if __name__ == "__main__":
    run(main, errors=(UserError,))
