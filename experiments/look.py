"""Attention and generated knowledge of a trained MGTL, as a page.

    python -m experiments.look --run_dir=runs/first

Writes look.html (open it in a browser), its pictures and look.json: how close
the generated knowledge is to the true one, beside controls; the attention of
every step and head; recall when stopping early.
"""

from __future__ import annotations

from absl import flags

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.tf_setup import load_tensorflow
from polar.program import run, tell_done

_RUN_DIR = flags.DEFINE_string(
    "run_dir", None, "folder that experiments.train wrote", required=True
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
_PLACES = flags.DEFINE_integer(
    "places",
    1000,
    "how many pairs, evenly spread over the split; all where it has fewer",
    lower_bound=2,
)
_EXAMPLES = flags.DEFINE_integer(
    "examples", 4, "how many single places are shown", lower_bound=0
)
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "folder of the page; default: RUN/report/look"
)


def main(argv: list[str]) -> int:
    """Reads the flags, writes the page, prints its path."""
    if len(argv) > 1:
        raise flags.Error(f"{argv[1]}: unexpected; all inputs are flags")
    load_tensorflow()
    from mgtl_tf.workflows.look import look_at_run

    page = look_at_run(
        _RUN_DIR.value,
        data_dir=_DATA_DIR.value,
        split=_SPLIT.value,
        checkpoint=_CHECKPOINT.value,
        places=_PLACES.value,
        examples=_EXAMPLES.value,
        output_dir=_OUTPUT_DIR.value,
    )
    tell_done(f"look: {page}")
    return 0


if __name__ == "__main__":
    run(main, errors=(UserError,))
