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
from typing import TYPE_CHECKING, Any

from absl import flags

from experiments.flags import VIGOR_FLAGS, run_program
from experiments.study_flags import TODAY_NAME, define_study_flags
from mgtl_tf.reproduction.benchmarks import BENCHMARKS
from mgtl_tf.reproduction.rows import TODAY
from mgtl_tf.reproduction.study import Study, benchmark_study, data_study
from mgtl_tf.utils.tf_setup import load_tensorflow
from polar.program import print_stdout

if TYPE_CHECKING:
    from mgtl_tf.reproduction.published_study import PublishedStudy
    from mgtl_tf.workflows.tables_request import TablesRequest

_STUDY_FLAGS = define_study_flags()

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
    flags.DEFINE_list(
        "replace_rows",
        [],
        "with --continue_published: published rows, by key (safa, l2ltr), that"
        " are trained anew, with other settings, and replaced; all tables and"
        " seeds that show them must be asked for",
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
    from mgtl_tf.reproduction.tables import as_text
    from mgtl_tf.workflows import tables
    from mgtl_tf.workflows.tables_publication import publish_tables

    request = _request(study, given, docs)
    if given["dry_run"]:
        print("\n".join(tables.plan_tables(request)))
        return False
    tables.run_tables(request, given["workers"])
    shown = tables.show_tables(request)
    print("\n\n".join(map(as_text, shown)))
    if given["publish"]:
        publish_tables(request, shown, docs, _command(given))
    return True


def _request(study: Study, given: dict[str, Any], docs: Path) -> TablesRequest:
    """What is asked for, once it fits what is published."""
    from mgtl_tf.workflows.tables_publication import require_all_shown
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
    published = _published(study, given, docs)
    request = TablesRequest(
        study,
        given["table"],
        seeds,
        measure_cost=given["cost"],
        published=published,
        **asked,
    )
    published.require_same(request.settings)
    require_all_shown(request)
    return request


def _published(
    study: Study, given: dict[str, Any], docs: Path
) -> PublishedStudy:
    """The published runs that count as finished."""
    from mgtl_tf.reproduction.published_study import PublishedStudy

    if given["continue_published"]:
        found = PublishedStudy.read(docs, study.folder.name)
        return found.without(given["replace_rows"])
    if given["replace_rows"]:
        raise flags.IllegalFlagValueError(
            "--replace_rows: only with --continue_published"
        )
    return PublishedStudy()


def _study(given: dict[str, Any]) -> Study:
    names = ("max_steps", "epochs", "backbone_weights", "dtype_policy")
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
            value = tuple(TODAY_NAME if n == TODAY else n for n in value)
        if isinstance(value, tuple):
            value = ",".join(map(str, value))
        if value:
            texts.append(f"--{name}" + ("" if value is True else f"={value}"))
    return " ".join(["python -m experiments.tables", *texts])


if __name__ == "__main__":
    run_program(main, PROGRAM_FLAGS)
