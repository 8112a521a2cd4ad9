"""The paper's tables: runs what is missing, shows ours beside the paper's.

python -m experiments.tables --table=2 --dataset=procedural
python -m experiments.tables --table=1,2,3,4 --dataset=cvusa
    --data_dir=CVUSA
python -m experiments.tables --table=today
python -m experiments.tables --publish --demo=demo

Finished runs are used again; a command that was stopped resumes. On the
synthetic world it is a benchmark of our own, never a CVUSA or CVACT result.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from absl import flags

from experiments.flags import (
    VIGOR_FLAGS,
    define_also,
    define_parsed,
    define_vigor,
    run_program,
)
from mgtl_tf.reproduction.benchmarks import BENCHMARKS
from mgtl_tf.reproduction.rows import TABLES, TODAY
from mgtl_tf.reproduction.study import Study, benchmark_study, data_study
from mgtl_tf.utils.tf_setup import load_tensorflow
from polar.program import print_stdout


def _numbers(text: str) -> tuple[int, ...]:
    """Each number once, in order."""
    given = text.split(",") if text else []
    if not all(number.strip().isdecimal() for number in given):
        raise ValueError(text)
    return tuple(sorted({int(number) for number in given}))


def _tables(text: str) -> tuple[int, ...]:
    """Each table once; today's last."""
    names = [name.strip() for name in text.split(",")] if text else []
    rest = _numbers(",".join(name for name in names if name != _TODAY))
    if not set(rest) <= set(TABLES):
        raise ValueError(text)
    return (*rest, TODAY) if _TODAY in names else rest


_TODAY = "today"
_WHOLE_NUMBERS = "whole numbers, separated by commas"

# The figures depend on these.
_STUDY_FLAGS = [
    define_parsed(
        "table",
        (),
        "which of the paper's tables, 1 to 4, or today (TransGeo, FRGeo,"
        " Sample4Geo and the variants of --preset=best); none: --publish alone"
        " makes the pages anew of the files in --docs_dir",
        _tables,
        "whole numbers of the paper's tables 1 to 4, or today, with commas",
    ),
    flags.DEFINE_enum(
        "dataset",
        "procedural",
        ["procedural", "cvusa", "cvact", "vigor"],
        "what is trained and measured on; procedural is a synthetic world",
    ),
    flags.DEFINE_enum(
        "benchmark",
        "v2",
        list(BENCHMARKS),
        "procedural only: v2 trains the paper's network from --backbone_weights"
        " on smaller images; v1-small small networks from random weights;"
        " v1-full is for a GPU",
    ),
    flags.DEFINE_string(
        "backbone_weights",
        "",
        "start of VGG-16 in every run: imagenet (downloaded by Keras) or a"
        " file; default: the benchmark's, or the data set's preset",
    ),
    flags.DEFINE_string("data_dir", "", "folder of CVUSA, CVACT or VIGOR"),
    define_parsed(
        "seeds",
        (),
        "of every row; default: the study's",
        _numbers,
        _WHOLE_NUMBERS,
    ),
    flags.DEFINE_integer(
        "max_steps",
        None,
        "training steps of every run; default: the study's; other budgets need"
        " another --studies_dir",
        lower_bound=1,
    ),
    flags.DEFINE_integer(
        "epochs",
        None,
        "the same in passes over the training pairs",
        lower_bound=1,
    ),
    flags.DEFINE_bool(
        "controls",
        False,
        "procedural only: the control rows as well",
    ),
    flags.DEFINE_bool(
        "conditions",
        False,
        "procedural only: measure the tables' rows again, among more"
        " distractors and under the benchmark's other conditions",
    ),
    flags.DEFINE_bool(
        "warm",
        False,
        "v2 only: Table 2w as well, whose rows start from the trained VGG-16"
        " of Table 2's first",
    ),
    flags.DEFINE_bool(
        "search",
        False,
        "v2 only: also train the rows of Tables 2 and 4 with every learning"
        " rate of the search, on a synthetic world of its own",
    ),
    define_also(),
    *define_vigor("corrected, same; of --dataset=vigor also what is trained"),
]

PROGRAM_FLAGS = [
    *_STUDY_FLAGS,
    flags.DEFINE_string(
        "studies_dir", "studies", "folder that holds a folder for every study"
    ),
    flags.DEFINE_integer(
        "workers",
        0,
        "runs at once; 0: one a GPU, or on a CPU one a core, at most four",
        lower_bound=0,
    ),
    flags.DEFINE_bool(
        "dry_run", False, "list the runs that are missing, and run nothing"
    ),
    flags.DEFINE_bool(
        "train",
        True,
        "train the runs that are missing; --train=false shows what is finished",
    ),
    flags.DEFINE_bool(
        "continue_published",
        False,
        "count runs whose figures --docs_dir publishes as finished, and show"
        " them too: a study goes on though its runs are on another machine",
    ),
    flags.DEFINE_bool(
        "any_code", False, "accept finished runs of other versions of the code"
    ),
    flags.DEFINE_bool(
        "cost",
        True,
        "measure parameters, multiply-adds, time and memory: of Table 1's"
        " networks as they are trained, of Tables 2 and 3 at the paper's size",
    ),
    flags.DEFINE_bool(
        "publish",
        False,
        "write --docs_dir: results.md, results/, and the marked figures of all"
        " pages and of README.md beside it",
    ),
    flags.DEFINE_string(
        "demo", "", "with --publish: the folder of a make demo to take over"
    ),
    flags.DEFINE_string(
        "transfer",
        "",
        "with --publish: a run that evaluate --also measured, to take over",
    ),
    flags.DEFINE_string("docs_dir", "docs", "where --publish writes"),
]


def main(**given: Any) -> None:
    """Runs what is missing and prints the tables; publishes on request."""
    if not given["table"] and not given["publish"]:
        raise flags.IllegalFlagValueError(
            "--table is missing: give 1 to 4, or today"
        )
    study = _study(given) if given["table"] else None
    load_tensorflow(devices=False)
    from mgtl_tf.workflows import pages

    docs = Path(given["docs_dir"])
    if given["publish"] and given["demo"]:
        print_stdout(
            f"published: {pages.publish_demo(Path(given['demo']), docs)}"
        )
    if given["publish"] and given["transfer"]:
        path = pages.publish_transfer(Path(given["transfer"]), docs)
        print_stdout(f"published: {path}")
    if study and not _show_tables(study, given, docs):
        return
    if given["publish"]:
        for page in pages.publish_pages(docs):
            print_stdout(f"published: {page}")


def _show_tables(study: Study, given: dict[str, Any], docs: Path) -> bool:
    """Runs and prints the tables; whether they were made."""
    from mgtl_tf.reproduction.published_study import PublishedStudy
    from mgtl_tf.reproduction.tables import as_text
    from mgtl_tf.workflows import study_runs, tables
    from mgtl_tf.workflows.tables_request import TablesRequest

    names = (
        "controls",
        "conditions",
        "warm",
        "search",
        "any_code",
        "train",
        "also",
        *VIGOR_FLAGS,
    )
    asked = {name: given[name] for name in names}
    seeds = given["seeds"] or study.seeds
    published = PublishedStudy()
    if given["continue_published"]:
        published = PublishedStudy.read(docs, study.folder.name)
    request = TablesRequest(
        study,
        given["table"],
        seeds,
        measure_cost=given["cost"],
        published=published,
        **asked,
    )
    published.require_same(tables.settings_of(request))
    if given["dry_run"]:
        plan = study_runs.plan(study, request.needed, given["any_code"])
        print("\n".join(plan))
        return False
    tables.run_tables(request, given["workers"])
    shown = tables.show_tables(request)
    print("\n\n".join(map(as_text, shown)))
    if given["publish"]:
        tables.publish_tables(request, shown, docs, _command(given))
    return True


def _study(given: dict[str, Any]) -> Study:
    names = ("max_steps", "epochs", "backbone_weights")
    common = {name: given[name] for name in names if given[name]}
    studies, dataset = Path(given["studies_dir"]), given["dataset"]
    if dataset == "vigor":
        common |= {n: given[n] for n in VIGOR_FLAGS if given[n]}
    if dataset == "procedural":
        return benchmark_study(BENCHMARKS[given["benchmark"]], studies, common)
    if not given["data_dir"] and set(given["table"]) != {3}:
        raise flags.IllegalFlagValueError(
            f"--data_dir is missing: name the folder of {dataset}"
        )
    return data_study(dataset, Path(given["data_dir"]), studies, common)


def _command(given: dict[str, Any]) -> str:
    """What makes the same figures anywhere: no folder, no number of workers."""
    dataset, texts = given["dataset"], []
    unused = "data_dir" if dataset == "procedural" else "benchmark"
    for name in (flag.name for flag in _STUDY_FLAGS if flag.name != unused):
        value = dataset.upper() if name == "data_dir" else given[name]
        if name == "also":
            value = ",".join(f"{kind}:{kind.upper()}" for kind, _ in value)
        if name == "backbone_weights" and value:
            value = Path(value).name
        if name == "table":
            value = tuple(_TODAY if n == TODAY else n for n in value)
        if isinstance(value, tuple):
            value = ",".join(map(str, value))
        if value:
            texts.append(f"--{name}" + ("" if value is True else f"={value}"))
    return " ".join(["python -m experiments.tables", *texts])


if __name__ == "__main__":
    run_program(main, PROGRAM_FLAGS)
