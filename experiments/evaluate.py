"""Recall of a trained run, on its own data or on another data set.

    python -m experiments.evaluate --run_dir=runs/first
    python -m experiments.evaluate --run_dir=runs/first --protocol=fov_90
    python -m experiments.evaluate --run_dir=runs/cvusa --dataset=cvact
        --data_dir=CVACT

The protocol's name heads every table and stands in every file: figures of
different protocols answer different questions.
"""

from __future__ import annotations

from absl import flags

from mgtl_tf.config import DATASETS
from mgtl_tf.datasets.protocols import DEGREES
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.tf_setup import load_tensorflow
from polar.program import run

_RUN_DIR = flags.DEFINE_string(
    "run_dir", None, "folder that experiments.train wrote", required=True
)
_DATASET = flags.DEFINE_enum(
    "dataset",
    None,
    DATASETS,
    "layout of --data_dir; default: the run's own",
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "folder of the data set; default: the run's own"
)
_DATA_CACHE = flags.DEFINE_string(
    "data_cache",
    None,
    "what experiments.prepare wrote of --data_dir; default: the run's own"
    " where its own data are measured",
)
_PARTIAL = flags.DEFINE_boolean(
    "partial",
    None,
    "use the pairs that --data_cache holds, where others were left out of it;"
    " default: as the run was trained",
)
_SPLIT = flags.DEFINE_enum(
    "split", "validation", ["train", "validation"], "which pairs"
)
_CHECKPOINT = flags.DEFINE_enum(
    "checkpoint", "best", ["best", "last"], "which checkpoint of the run"
)
_PROTOCOL = flags.DEFINE_enum(
    "protocol",
    "aligned",
    list(DEGREES),
    "how panoramas are shown: aligned (whole, north in the centre; the"
    " paper's), unknown_orientation (turned by a random azimuth), or so many"
    " degrees of field of view about a random azimuth (DSM's), the rest of"
    " the strip in the mean colour; no search over orientations is made",
)
_PROTOCOL_SEED = flags.DEFINE_integer(
    "protocol_seed", 0, "decides the random azimuths, each by its pair's id"
)
_HIT_METRES = flags.DEFINE_float(
    "hit_metres",
    None,
    "0: only a query's own pair is right; otherwise any answer within so many"
    " metres; default: 5 for CVACT_test (its authors' rule), else 0",
)


def main(argv: list[str]) -> int:
    """Reads the flags, evaluates, prints the table."""
    if len(argv) > 1:
        raise flags.Error(f"{argv[1]}: unexpected; all inputs are flags")
    load_tensorflow()
    from mgtl_tf.workflows.evaluate import evaluate_run

    table = evaluate_run(
        _RUN_DIR.value,
        dataset=_DATASET.value,
        data_dir=_DATA_DIR.value,
        split=_SPLIT.value,
        checkpoint=_CHECKPOINT.value,
        protocol=_PROTOCOL.value,
        protocol_seed=_PROTOCOL_SEED.value,
        hit_metres=_HIT_METRES.value,
        data_cache=_DATA_CACHE.value,
        partial=_PARTIAL.value,
    )
    print(table)
    return 0


if __name__ == "__main__":
    run(main, errors=(UserError,))
