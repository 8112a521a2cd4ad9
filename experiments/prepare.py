"""Checks a data set file by file and decodes it once for all trainings.

python -m experiments.prepare --dataset=cvusa --data_dir=CVUSA
    --output_dir=prepared/cvusa

What is missing or damaged stands in OUTPUT_DIR/report.csv, the first lines
also on the screen; the rest is prepared all the same. The same command
resumes a preparation that was stopped. With --runner=ray, Ray shares the work
among this machine's cores or, with --ray_address=HOST:PORT, those of a
cluster, whose machines see both folders under the same paths. Then:

python -m experiments.train --preset=cvusa --data_dir=CVUSA
    --data_cache=prepared/cvusa --run_dir=runs/cvusa
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from absl import flags

from experiments.config_flags import define_fields, run_config
from experiments.flags import define_shared, run_program
from mgtl_tf.config import DATASETS, SATELLITE_FORMS, SYSTEMS
from mgtl_tf.datasets.decoded_cache.blocks import write_block
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.utils.ray_jobs import by_ray, connect_ray
from polar.program import print_stderr, print_stdout

if TYPE_CHECKING:
    from mgtl_tf.workflows.prepare import Prepared

PROGRAM_FLAGS = [
    flags.DEFINE_enum(
        "dataset", None, DATASETS, "layout of data_dir", required=True
    ),
    flags.DEFINE_string(
        "data_dir", None, "folder that holds the data set", required=True
    ),
    flags.DEFINE_string(
        "output_dir", None, "folder for the cache and the report", required=True
    ),
    flags.DEFINE_integer(
        "processes",
        None,
        "how many decode at once, on this machine or of Ray's actors; default"
        " one a core",
        1,
    ),
    *define_shared("runner", "ray_address"),
    flags.DEFINE_boolean(
        "verify",
        False,
        "read what is prepared already, and compare its checksums",
    ),
]
flags.DEFINE_enum(
    "system", None, list(SYSTEMS), "for which system; it decides the sizes"
)
flags.DEFINE_list(
    "image_size",
    None,
    "height,width in pixels of panoramas, and of aerial images but for"
    " satellite_size; default: the preset's, or the system's",
)
flags.DEFINE_list(
    "satellite_size",
    None,
    "height,width in pixels of aerial images; default: the system's",
)
flags.DEFINE_enum(
    "satellite_form",
    None,
    SATELLITE_FORMS,
    "polar: transformed; square: as they are; default: the system's",
)
flags.DEFINE_list(
    "ground_crop",
    None,
    "top,bottom of the rows kept of a panorama, as fractions of its height;"
    " default: the data set's preset",
)
define_fields("vigor_labels", "vigor_protocol")
_SHOWN = 10


def main(dataset: str, runner: str, ray_address: str, **given: Any) -> int:
    """Prepares; 1 where anything is wrong."""
    # Its processes load this file too, and need no reader of data sets.
    from mgtl_tf.workflows.prepare import prepare

    make = None
    if runner == "ray":
        connect_ray(ray_address)
        make = partial(by_ray, write_block, most=given["processes"])
    config = run_config(dataset)
    settings = CacheSettings.of(
        config.data.dataset, config.model.input_form, config.data.ground_crop
    )
    prepared = prepare(
        settings=settings,
        options=config.data.reader_options,
        make=make,
        **given,
    )
    _show(prepared)
    return int(bool(prepared.errors))


def _show(prepared: Prepared) -> None:
    print_stdout(*(f"note: {note}" for note in prepared.notes))
    print_stderr(*(f"{p.severity}: {p}" for p in prepared.problems[:_SHOWN]))
    more = len(prepared.problems) - _SHOWN
    if more > 0:
        print_stderr(f"and {more:,} more: see {prepared.report}")
    ready = prepared.pairs - prepared.left_out
    print_stdout(
        f"{ready:,} of {prepared.pairs:,} pairs are ready in"
        f" {prepared.report.parent}; {len(prepared.problems):,} lines in"
        f" {prepared.report.name}"
        + ("" if prepared.made else "; nothing was left to decode")
    )


if __name__ == "__main__":
    run_program(main, PROGRAM_FLAGS)
