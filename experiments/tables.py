"""The paper's tables: runs what is missing, shows ours beside the paper's.

python -m experiments.tables --table=2 --dataset=procedural
python -m experiments.tables --table=1,2,3,4 --dataset=cvusa
    --data_dir=CVUSA

Finished runs are used again; a command that was stopped goes on. On the
synthetic world it is a benchmark of our own, never a CVUSA or CVACT result.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from mgtl_tf.reproduction.benchmark import BENCHMARKS
from mgtl_tf.reproduction.rows import TABLES
from mgtl_tf.reproduction.study import Study, benchmark_study, data_study
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.tf_setup import load_tensorflow
from polar.program import run, tell_done

_TABLE = flags.DEFINE_list(
    "table", None, "which of the paper's tables, 1 to 4", required=True
)
_DATASET = flags.DEFINE_enum(
    "dataset",
    "procedural",
    ["procedural", "cvusa", "cvact"],
    "what is trained and measured on; procedural is a synthetic world",
)
_SIZE = flags.DEFINE_enum(
    "size",
    "small",
    ["small", "full"],
    "procedural only: small for two cores, full for a GPU",
)
_DATA_DIR = flags.DEFINE_string("data_dir", "", "folder of CVUSA or CVACT")
_STUDIES_DIR = flags.DEFINE_string(
    "studies_dir", "studies", "folder that holds a folder for every study"
)
_SEEDS = flags.DEFINE_list("seeds", [], "of every row; default: the study's")
_MAX_STEPS = flags.DEFINE_integer(
    "max_steps",
    None,
    "training steps of every run; default: the study's; other budgets need"
    " another --studies_dir",
    lower_bound=1,
)
_EPOCHS = flags.DEFINE_integer(
    "epochs", None, "the same in passes over the training pairs", lower_bound=1
)
_WORKERS = flags.DEFINE_integer(
    "workers",
    0,
    "runs at once; 0: one a GPU, or on a CPU one a core, at most four",
    lower_bound=0,
)
_CONTROLS = flags.DEFINE_bool(
    "controls",
    False,
    "procedural only: the control rows as well, and all rows measured among"
    " more distractors",
)
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "list the runs that are missing, and run nothing"
)
_ANY_CODE = flags.DEFINE_bool(
    "any_code", False, "accept finished runs of other versions of the code"
)
_COST = flags.DEFINE_bool(
    "cost", True, "measure parameters, multiply-adds, time and memory"
)
_PUBLISH = flags.DEFINE_bool(
    "publish", False, "write --docs_dir: results.md and results/"
)
_DOCS_DIR = flags.DEFINE_string("docs_dir", "docs", "where --publish writes")


def main(argv: list[str]) -> int:
    """Reads the flags, runs what is missing, prints the tables."""
    if len(argv) > 1:
        raise flags.Error(f"{argv[1]}: unexpected; all inputs are flags")
    numbers, seeds = _numbers(_TABLE, TABLES), _numbers(_SEEDS)
    study = _study(numbers)
    load_tensorflow(devices=False)
    from mgtl_tf.reproduction.tables import as_text
    from mgtl_tf.workflows import study_runs, tables

    asked = numbers, seeds or study.seeds, _CONTROLS.value, _ANY_CODE.value
    request = tables.TablesRequest(study, *asked, _COST.value)
    if _DRY_RUN.value:
        print("\n".join(study_runs.plan(study, request.runs, _ANY_CODE.value)))
        return 0
    tables.run_tables(request, _WORKERS.value)
    shown = tables.show_tables(request)
    print("\n\n".join(map(as_text, shown)))
    if _PUBLISH.value:
        docs = Path(_DOCS_DIR.value)
        page = tables.publish_tables(request, shown, docs, _command())
        tell_done(f"published: {page}")
    return 0


def _study(tables: tuple[int, ...]) -> Study:
    budget = {"max_steps": _MAX_STEPS.value, "epochs": _EPOCHS.value}
    common = {name: n for name, n in budget.items() if n is not None}
    studies = Path(_STUDIES_DIR.value)
    if _DATASET.value == "procedural":
        return benchmark_study(BENCHMARKS[_SIZE.value], studies, common)
    if not _DATA_DIR.value and set(tables) != {3}:
        raise flags.IllegalFlagValueError(
            f"--data_dir is missing: name the folder of {_DATASET.value}"
        )
    return data_study(_DATASET.value, Path(_DATA_DIR.value), studies, common)


def _command() -> str:
    """What makes the same figures anywhere: no folder, no number of workers."""
    given = {"table": ",".join(_TABLE.value), "dataset": _DATASET.value}
    if _DATASET.value == "procedural":
        given["size"] = _SIZE.value
    else:
        given["data_dir"] = _DATASET.value.upper()
    given |= {
        flag.name: str(flag.value)
        for flag in (_MAX_STEPS, _EPOCHS)
        if flag.value is not None
    }
    if _SEEDS.value:
        given["seeds"] = ",".join(_SEEDS.value)
    flag_texts = [f"--{name}={value}" for name, value in given.items()]
    flag_texts += ["--controls"] if _CONTROLS.value else []
    return " ".join(["python -m experiments.tables", *flag_texts])


def _numbers(
    flag: flags.FlagHolder, among: tuple[int, ...] = ()
) -> tuple[int, ...]:
    """Whole numbers of a list flag, each one once, in order."""
    given = flag.value
    if not all(text.strip().isdecimal() for text in given):
        raise flags.IllegalFlagValueError(
            f"--{flag.name}={','.join(given)}: give whole numbers, separated"
            " by commas"
        )
    numbers = tuple(sorted({int(text) for text in given}))
    if among and not (numbers and set(numbers) <= set(among)):
        raise flags.IllegalFlagValueError(
            f"--{flag.name}={','.join(given)}: the paper has tables 1 to 4"
        )
    return numbers


if __name__ == "__main__":
    run(main, errors=(UserError,))
