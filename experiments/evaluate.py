"""Recall of a trained run, on its own data or on another data set.

python -m experiments.evaluate --run_dir=runs/first
"""

from __future__ import annotations

from absl import flags

from mgtl_tf.config import DATASETS
from mgtl_tf.errors import UserError
from mgtl_tf.quiet import load_tensorflow
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
_SPLIT = flags.DEFINE_enum(
    "split", "validation", ["train", "validation"], "which pairs"
)
_CHECKPOINT = flags.DEFINE_enum(
    "checkpoint", "best", ["best", "last"], "which checkpoint of the run"
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
    )
    print(table)
    return 0


if __name__ == "__main__":
    run(main, errors=(UserError,))
