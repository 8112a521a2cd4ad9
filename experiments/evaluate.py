"""Recall of a trained run, on its own data or on another data set.

    python -m experiments.evaluate --run_dir=runs/first
    python -m experiments.evaluate --run_dir=runs/first --protocol=fov_90
    python -m experiments.evaluate --run_dir=runs/cvusa --dataset=cvact
        --data_dir=CVACT
    python -m experiments.evaluate --run_dir=runs/first
        --also=cvusa:CVUSA,cvact:CVACT

The protocol's name heads every table and stands in every file: figures of
different protocols answer different questions.

With --runner=ray, Ray shares the descriptors among this machine's cores or,
with --ray_address=HOST:PORT, those of a cluster, whose machines see the run
and the data under the same paths; the figures are the same.
"""

from __future__ import annotations

from typing import Any

from absl import flags

from experiments.flags import (
    VIGOR_FLAGS,
    define_also,
    define_shared,
    define_vigor,
    run_program,
)
from mgtl_tf.config import DATASETS
from mgtl_tf.datasets.protocols import DEGREES, KNOWLEDGE
from mgtl_tf.utils.tf_setup import load_tensorflow

PROGRAM_FLAGS = [
    *define_shared("run_dir", "data_dir", "split", "checkpoint"),
    flags.DEFINE_enum(
        "dataset",
        None,
        DATASETS,
        "layout of --data_dir; default: the run's own",
    ),
    flags.DEFINE_string(
        "data_cache",
        None,
        "what experiments.prepare wrote of --data_dir; default: the run's own"
        " where its own data are measured",
    ),
    flags.DEFINE_string(
        "feature_cache",
        None,
        "folder of the output of the run's fixed blocks, to which that of"
        " --data_dir is added; default: the run's own where its own data are"
        " measured",
    ),
    flags.DEFINE_boolean(
        "partial",
        None,
        "use the pairs that --data_cache holds, where others were left out of"
        " it; default: as the run was trained",
    ),
    flags.DEFINE_enum(
        "protocol",
        "aligned",
        list(DEGREES),
        "how panoramas are shown: aligned (whole, north in the centre; the"
        " paper's), unknown_orientation (turned by a random azimuth), or so"
        " many degrees of field of view about a random azimuth (DSM's), the"
        " rest of the strip in the mean colour; no search over orientations is"
        " made",
    ),
    flags.DEFINE_integer(
        "protocol_seed", 0, "decides the random azimuths, each by its pair's id"
    ),
    flags.DEFINE_enum(
        "knowledge",
        "",
        ["", *KNOWLEDGE],
        "mgtl only, an experiment: attention reads the other view's true tokens"
        " (true; no gallery could be built so), or what was generated of"
        " another pair (shuffled), in place of what the model generates",
    ),
    flags.DEFINE_float(
        "hit_metres",
        None,
        "0: only a query's own pair is right; otherwise any answer within so"
        " many metres; default: 5 for CVACT_test (its authors' rule), else 0",
    ),
    define_also(),
    *define_vigor("the run's own"),
    *define_shared("runner", "ray_address"),
    flags.DEFINE_boolean(
        "own",
        True,
        "measure the run's own data, or --data_dir; --own=false leaves --also",
    ),
]


_OF_ALSO = (
    "run_dir",
    "checkpoint",
    "protocol",
    "protocol_seed",
    "runner",
    "ray_address",
)


def main(also: tuple[tuple[str, str], ...], own: bool, **given: Any) -> None:
    """Evaluates and prints a table, and a second one of further sets."""
    if not also and not own:
        raise flags.IllegalFlagValueError("--own=false: needs --also")
    if not own:
        _require_unused(given)
    load_tensorflow()
    from mgtl_tf.workflows.evaluate import evaluate_run
    from mgtl_tf.workflows.further_sets import measure_further

    if own:
        of_own = dict(given)
        if any(name == "vigor" for name, _ in also):
            of_own |= dict.fromkeys(VIGOR_FLAGS)  # they are of --also
        print(evaluate_run(**of_own))
    if also:
        asked = {name: given[name] for name in (*_OF_ALSO, *VIGOR_FLAGS)}
        print("\n" * own + measure_further(sets=also, **asked))


def _require_unused(given: dict[str, Any]) -> None:
    """Refuses flags that choose the data which --own=false leaves out."""
    for flag in PROGRAM_FLAGS:
        name, of_also = flag.name, flag.name in (*_OF_ALSO, *VIGOR_FLAGS)
        value = given.get(name, flag.default)
        if not of_also and value != flag.default:
            raise flags.IllegalFlagValueError(
                f"--{name}={value}: is of the pairs that --own=false leaves"
                " out; give one of the two"
            )


if __name__ == "__main__":
    run_program(main, PROGRAM_FLAGS)
