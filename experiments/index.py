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

Killed or stopped, the same command resumes at the last complete batch. With
--runner=ray, Ray shares the work among this machine's cores or, with
--ray_address=HOST:PORT, those of a cluster, whose machines see all folders
under the same paths; the index is the same. --verify reads a whole index
again.

--engine=ivfpq (or float16, int8, pca) also builds that search engine, and
--backend=milvus --uri=FILE.db (or http://HOST:19530) fills Milvus; without
--model and --images, of the index that is in OUTPUT_DIR already.

Images that can't be read are left out and listed; the exit status is then 1.
"""

from __future__ import annotations

from typing import Any

from absl import flags

from experiments.flags import MODEL_TEXT, define_shared, run_program
from polar.program import print_stderr, print_stdout

_MAP_FLAGS = [
    flags.DEFINE_float(
        "crop_metres",
        None,
        "ground that a crop of a map covers a side; default: as much as the"
        " model's training images, where that is known",
    ),
    flags.DEFINE_float(
        "metres_per_pixel",
        None,
        "of the crops, on the ground; default: as the model's training images",
    ),
    flags.DEFINE_float(
        "step_metres",
        None,
        "from one crop's centre to the next one's, both ways; default: half a"
        " crop, so that they overlap",
    ),
    flags.DEFINE_float(
        "most_missing",
        None,
        "share of a crop's pixels that a map may lack (no data, transparent, no"
        " tile); they are filled from around them; default: 0.05",
    ),
    flags.DEFINE_enum(
        "tile_rows",
        None,
        ["xyz", "tms"],
        "Y of Z/X/Y tiles counted from the north (xyz) or from the south"
        " (tms); default: as tilemapresource.xml or metadata.json beside them"
        " says, else xyz",
    ),
]

_ENGINE_FLAGS = [
    *define_shared("engine", "backend", "uri"),
    flags.DEFINE_string(
        "training_gallery",
        None,
        "index of the training split's aerial images, from which FAISS'"
        " engines learn; default: the gallery itself",
    ),
]

PROGRAM_FLAGS = [
    *_MAP_FLAGS,
    *_ENGINE_FLAGS,
    flags.DEFINE_string("model", None, MODEL_TEXT),
    flags.DEFINE_multi_string(
        "images",
        None,
        "folder of square aerial images, north up, one such file, or a CSV"
        " list whose first column names them (CVUSA's splits/val-19zl.csv); or"
        " a map to be cut into such images: a georeferenced raster (GeoTIFF,"
        " .vrt, .jp2; JPEG or PNG with world file and .aux.xml), a folder of"
        " such sheets, a folder of Z/X/Y.jpg or .png tiles; may be given"
        " several times",
    ),
    flags.DEFINE_string(
        "locations",
        None,
        "CSV with a header id,latitude,longitude (degrees); an id is the stem"
        " of an image's file name",
    ),
    flags.DEFINE_string(
        "output_dir", None, "new folder for the index", required=True
    ),
    flags.DEFINE_integer(
        "batch_size",
        0,
        "images encoded together; 0: as many as take an eighth of the memory,"
        " by an estimate, at most 128",
        lower_bound=0,
    ),
    *define_shared("runner", "ray_address"),
    flags.DEFINE_boolean(
        "restart", False, "throw away what an earlier command began"
    ),
    flags.DEFINE_boolean(
        "verify",
        False,
        "only compare the index in OUTPUT_DIR with its checksums",
    ),
]


def main(verify: bool, output_dir: str, **given: Any) -> int:
    """Indexes; prints what was indexed and what was left out."""
    search = {flag.name: given.pop(flag.name) for flag in _ENGINE_FLAGS}
    wanted = search["engine"] != "exact" or search["backend"] != "faiss"
    sources = [given["model"], given["images"]]
    from mgtl_tf.workflows import engines, index

    skipped = False
    if verify or (wanted and not any(sources)):
        _refuse_map_flags(given)
        if verify:
            print_stdout(index.verify_gallery(output_dir))
    else:
        _require(given, "model", "images")
        engines.require_gallery_engine(**search)
        done = index.index_gallery(output_dir=output_dir, **given)
        print_stderr(*done.faults())
        print_stdout(*done.lines(output_dir))
        skipped = bool(done.built.skipped)
    if wanted:
        print_stdout(*engines.build_gallery_engine(output_dir, **search))
    return int(skipped)


def _refuse_map_flags(given: dict[str, Any]) -> None:
    for flag in _MAP_FLAGS:
        if (value := given[flag.name]) is not None:
            raise flags.Error(
                f"flag --{flag.name}={value}: goes with --images, not with an"
                " index that is there already"
            )


def _require(given: dict[str, Any], *names: str) -> None:
    for name in names:
        if not given[name]:
            raise flags.Error(f"flag --{name}: must be given")


if __name__ == "__main__":
    run_program(main, PROGRAM_FLAGS)
