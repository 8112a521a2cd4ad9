"""Checks a data set file by file and decodes it once for all trainings.

python -m experiments.prepare --dataset=cvusa --data_dir=CVUSA
    --output_dir=prepared/cvusa

What is missing or damaged stands in OUTPUT_DIR/report.csv, the first lines
also on the screen; the rest is prepared all the same. The same command goes
on with a preparation that was stopped. Then:

python -m experiments.train --preset=cvusa --data_dir=CVUSA
    --data_cache=prepared/cvusa --run_dir=runs/cvusa
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from absl import flags

from mgtl_tf.config import DATASETS, RunConfig
from mgtl_tf.datasets.decoded_cache.files import CacheSettings
from mgtl_tf.presets import load_preset
from mgtl_tf.utils.errors import UserError
from polar.program import run, tell, tell_done

if TYPE_CHECKING:
    from mgtl_tf.workflows.prepare import Prepared

_DATASET = flags.DEFINE_enum(
    "dataset", None, DATASETS, "layout of data_dir", required=True
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "folder that holds the data set", required=True
)
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "folder for the cache and the report", required=True
)
_IMAGE_SIZE = flags.DEFINE_list(
    "image_size",
    None,
    "height,width in pixels of both network inputs; default: the data set's"
    " preset",
)
_GROUND_CROP = flags.DEFINE_list(
    "ground_crop",
    None,
    "top,bottom of the rows kept of a panorama, as fractions of its height;"
    " default: the data set's preset",
)
_PROCESSES = flags.DEFINE_integer(
    "processes", None, "how many decode at once; default one a core", 1
)
_VERIFY = flags.DEFINE_boolean(
    "verify", False, "read what is prepared already, and compare its checksums"
)
_SHOWN = 10


def main(argv: list[str]) -> int:
    """Reads the flags, prepares; 1 where anything is wrong."""
    if len(argv) > 1:
        raise flags.Error(f"{argv[1]}: unexpected; all inputs are flags")
    # Its processes load this file too, and need no reader of data sets.
    from mgtl_tf.workflows.prepare import prepare

    config = _config()
    settings = CacheSettings(
        config.data.dataset, config.model.image_size, config.data.ground_crop
    )
    prepared = prepare(
        _DATA_DIR.value,
        _OUTPUT_DIR.value,
        settings,
        _PROCESSES.value,
        verify=_VERIFY.value,
    )
    _show(prepared)
    return int(bool(prepared.errors))


def _config() -> RunConfig:
    """The data set's preset with the given flags laid over it."""
    changes = {}
    for flag, kind in ((_IMAGE_SIZE, int), (_GROUND_CROP, float)):
        if flag.value is None:
            continue
        try:
            first, second = map(kind, flag.value)
        except ValueError:
            raise flags.IllegalFlagValueError(
                f"--{flag.name}={','.join(flag.value)}: give two numbers,"
                " separated by a comma"
            ) from None
        changes[flag.name] = (first, second)
    try:
        return load_preset(_DATASET.value).replace(**changes)
    except UserError as error:
        raise flags.IllegalFlagValueError(str(error)) from error


def _show(prepared: Prepared) -> None:
    tell_done(*(f"note: {note}" for note in prepared.notes))
    tell(*(f"{p.severity}: {p}" for p in prepared.problems[:_SHOWN]))
    more = len(prepared.problems) - _SHOWN
    if more > 0:
        tell(f"and {more:,} more: see {prepared.report}")
    ready = prepared.pairs - prepared.left_out
    tell_done(
        f"{ready:,} of {prepared.pairs:,} pairs are ready in"
        f" {prepared.report.parent}; {len(prepared.problems):,} lines in"
        f" {prepared.report.name}"
        + ("" if prepared.made else "; nothing was left to decode")
    )


if __name__ == "__main__":
    run(main, errors=(UserError,))
