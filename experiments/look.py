"""Attention and generated knowledge of a trained MGTL, as a page.

    python -m experiments.look --run_dir=runs/first

Writes look.html (open it in a browser), its pictures and look.json: how close
the generated knowledge is to the true one, beside controls; the attention of
every step and head; recall when stopping early.
"""

from __future__ import annotations

from typing import Any

from absl import flags

from experiments.flags import define_shared, run_program
from mgtl_tf.utils.tf_setup import load_tensorflow
from polar.program import print_stdout

PROGRAM_FLAGS = [
    *define_shared("run_dir", "data_dir", "split", "checkpoint"),
    flags.DEFINE_integer(
        "places",
        1000,
        "how many pairs, evenly spread over the split; all where it has fewer",
        lower_bound=2,
    ),
    flags.DEFINE_integer(
        "examples", 4, "how many single places are shown", lower_bound=0
    ),
    flags.DEFINE_string(
        "output_dir", None, "folder of the page; default: RUN/report/look"
    ),
]


def main(**given: Any) -> None:
    """Writes the page; prints its main figures and its path."""
    load_tensorflow()
    from mgtl_tf.workflows.look import look_at_run, look_lines

    page = look_at_run(**given)
    print_stdout(*look_lines(page), f"look: {page}")


if __name__ == "__main__":
    run_program(main, PROGRAM_FLAGS)
