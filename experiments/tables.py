"""The paper's tables: runs what is missing, shows ours beside the paper's.

python -m experiments.tables --table=2 --dataset=procedural --search
python -m experiments.tables --table=1,2,3,4 --dataset=cvusa
    --data_dir=CVUSA

Finished runs are used again; a command that was stopped goes on. On the made
world it is a benchmark of our own, never a CVUSA or CVACT result.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from mgtl_tf.reproduction.rows import TABLES
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.tf_setup import load_tensorflow
from mgtl_tf.workflows.tables_job import TablesJob
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
    "budget of every run; default: the study's; other budgets want another"
    " --studies_dir",
    lower_bound=1,
)
_EPOCHS = flags.DEFINE_integer(
    "epochs", None, "the same in passes over the training pairs", lower_bound=1
)
_MINUTES = flags.DEFINE_float(
    "minutes",
    None,
    "the same in minutes of training: each row gets the steps that its device"
    " takes in them, timed once and kept in the study's minutes.json",
    lower_bound=0.01,
)
_WORKERS = flags.DEFINE_integer(
    "workers",
    0,
    "runs at once; 0: one a GPU, or on a CPU one a core, at most four",
    lower_bound=0,
)
_SEARCH = flags.DEFINE_bool(
    "search",
    False,
    "procedural only: first try the benchmark's settings for every row on"
    " another world",
)
_CONTROLS = flags.DEFINE_bool(
    "controls",
    False,
    "procedural only: the control rows as well, and all rows measured on a"
    " gallery of more places",
)
_DRY_RUN = flags.DEFINE_bool(
    "dry_run", False, "say what would run and how long, and run nothing"
)
_ANY_CODE = flags.DEFINE_bool(
    "any_code", False, "take finished runs of other versions of the code"
)
_COST = flags.DEFINE_bool(
    "cost", True, "measure parameters, multiply-adds, time and memory"
)
_LOOK = flags.DEFINE_bool(
    "look", False, "pages about what the trained rows with steps look at"
)
_PUBLISH = flags.DEFINE_bool(
    "publish", False, "write --docs_dir: results.md and results/"
)
_DOCS_DIR = flags.DEFINE_string("docs_dir", "docs", "where --publish writes")


def main(argv: list[str]) -> int:
    """Reads the flags, runs what is missing, prints the tables."""
    if len(argv) > 1:
        raise flags.Error(f"{argv[1]}: unexpected; all inputs are flags")
    job = _job()
    load_tensorflow(devices=False)
    from mgtl_tf.reproduction.layout import table_grid
    from mgtl_tf.workflows import tables
    from mgtl_tf.workflows.tables_plan import plan

    if _DRY_RUN.value:
        print("\n".join(plan(job)))
        return 0
    tables.run_tables(job)
    shown = tables.show_tables(job)
    print("\n\n".join(table_grid(table).text() for table in shown))
    if _LOOK.value:
        tell_done(f"look: {tables.look_at_tables(job)}")
    if _PUBLISH.value:
        page = tables.publish_tables(job, shown, Path(_DOCS_DIR.value))
        tell_done(f"published: {page}")
    return 0


def _job() -> TablesJob:
    if _MINUTES.value and (_MAX_STEPS.value or _EPOCHS.value):
        raise flags.IllegalFlagValueError(
            f"--minutes={_MINUTES.value:g}: a budget is given in minutes,"
            " --max_steps or --epochs, not in two of them"
        )
    budget = {"max_steps": _MAX_STEPS.value, "epochs": _EPOCHS.value}
    return TablesJob(
        tables=_numbers(_TABLE, TABLES),
        dataset=_DATASET.value,
        size=_SIZE.value,
        data_dir=_DATA_DIR.value,
        studies_dir=Path(_STUDIES_DIR.value),
        seeds=_numbers(_SEEDS),
        common={name: n for name, n in budget.items() if n is not None},
        workers=_WORKERS.value,
        search=_SEARCH.value,
        controls=_CONTROLS.value,
        any_code=_ANY_CODE.value,
        measure_cost=_COST.value,
        minutes=_MINUTES.value or 0.0,
    )


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
