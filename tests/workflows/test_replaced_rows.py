"""Rows trained anew take nothing from what is published; what they need."""

import dataclasses

import pytest

from mgtl_tf.reproduction.publish import publish, read_published
from mgtl_tf.reproduction.published_study import PublishedStudy
from mgtl_tf.reproduction.study import benchmark_study
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows import tables
from mgtl_tf.workflows.tables import plan_tables
from mgtl_tf.workflows.tables_publication import (
    publish_tables,
    require_all_shown,
)
from mgtl_tf.workflows.tables_request import TablesRequest
from tests.workflows.tiny_study import TINY, tiny_request

NAME = "procedural-tiny"


def _published(tmp_path, *numbers, **fields):
    """A folder of pages that holds a study whose runs are elsewhere."""
    first = tiny_request(tmp_path / "here", *numbers, **fields)
    tables.run_tables(first)
    docs = tmp_path / "docs"
    publish_tables(first, tables.show_tables(first), docs, "")
    return docs


def _replacing(tmp_path, docs, row, *numbers, **fields):
    published = PublishedStudy.read(docs, NAME).without([row])
    return tiny_request(
        tmp_path / "there", *numbers, published=published, **fields
    )


def _files(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in paths}


WHOLE = {"controls": True, "conditions": True, "seeds": (0, 1)}


def test_a_replaced_row_is_asked_for_in_all_of_its_tables(tmp_path, trained):
    docs = _published(tmp_path, 2, 4, **WHOLE)
    cases = (
        (
            ("with_cmi", 2, {"seeds": (0, 1)}),
            "--replace_rows=with_cmi: is published in Table 4, Controls,"
            " Distractors, Turned, Oracle too, which would lose it; ask for"
            " them too, by --table=2,4 --controls --conditions",
        ),
        (
            ("long_vgg", 2, {"seeds": (0, 1)}),
            "--replace_rows=long_vgg: is published in Controls too, which"
            " would lose it; ask for them too, by --controls",
        ),
        (
            ("naive", 4, {**WHOLE, "seeds": (1,)}),
            "--replace_rows=naive: is published with seed 0, which would be"
            " lost; ask for it too, by --seeds=0,1",
        ),
    )
    for (row, number, asked), said in cases:
        request = _replacing(tmp_path, docs, row, number, **asked)
        with pytest.raises(UserError) as refused:
            require_all_shown(request)
        assert str(refused.value) == said
    require_all_shown(_replacing(tmp_path, docs, "with_cmi", 2, 4, **WHOLE))


def test_a_replaced_row_is_in_all_of_its_tables_again(tmp_path, trained):
    docs = _published(tmp_path, 2, 4, controls=True)
    path = docs / f"results/{NAME}.json"
    before = read_published(path).tables
    again = _replacing(tmp_path, docs, "with_cmi", 2, 4, controls=True)
    require_all_shown(again)
    tables.run_tables(again)
    publish_tables(again, tables.show_tables(again), docs, "")
    after = read_published(path).tables
    # The fake trainer gives a run the same figures every time.
    runs = {t.heading: {r.key: r.runs for r in t.rows} for t in before}
    assert {t.heading: {r.key: r.runs for r in t.rows} for t in after} == runs
    deltas = {t.heading: {r.key: r.difference for r in t.rows} for t in before}
    assert deltas == {
        t.heading: {r.key: r.difference for r in t.rows} for t in after
    }


def test_no_publication_drops_a_run_though_it_goes_on(tmp_path, trained):
    """The last guard, whatever was asked: before anything is written."""
    docs = _published(tmp_path, 2, 4)
    before = _files(docs)
    request = _replacing(tmp_path, docs, "with_cmi", 2)
    tables.run_tables(request)
    shown = tables.show_tables(request)
    with pytest.raises(UserError, match="Table 4, with_cmi, seed 0.*ask for"):
        publish_tables(request, shown, docs, "")
    assert _files(docs) == before


def test_a_row_without_runs_keeps_its_cost(tmp_path, trained):
    """Table 3 is of the paper's networks; nobody trains it."""
    docs = _published(tmp_path, 2, 3)
    request = _replacing(tmp_path, docs, "with_cmi", 2)
    require_all_shown(request)
    (kept,) = (t for t in tables.show_tables(request) if t.number == 3)
    assert [row.key for row in kept.rows] == ["l2ltr", "with_cmi"]


def test_figures_that_are_not_of_their_ranks_are_not_written(tmp_path, trained):
    docs = _published(tmp_path, 2)
    before = _files(docs)
    published = PublishedStudy.read(docs, NAME)
    wrong = {name: 0 * place + 9 for name, place in published.ranks.items()}
    with pytest.raises(UserError, match="the ranks say"):
        publish(published.figures, docs, wrong)
    assert _files(docs) == before


def test_every_stage_before_a_needed_run_is_needed(tmp_path):
    """Three stages, each from the one before, of which only one is new."""
    stages = ["regmi_synthesis", "regmi_joint", "regmi_full"]
    world = dataclasses.replace(TINY.world, labels=True)
    benchmark = dataclasses.replace(TINY, world=world)
    study = benchmark_study(benchmark, tmp_path, {})
    rows = TablesRequest(study, (1,), (0,)).rows
    assert set(stages) < {row.key for row in rows}

    class AllButOne(PublishedStudy):
        def seeds(self, row):
            return set() if row == "regmi_full" else {0}

    request = TablesRequest(study, (1,), (0,), published=AllButOne())
    assert [run.row for run in request.needed] == stages
    starts = [run.config.train.init_backbone for run in request.needed]
    folders = [str(run.folder) for run in request.needed]
    assert starts == ["", *folders[:2]]


def test_warm_rows_bring_what_they_start_from(tmp_path, trained):
    request = tiny_request(tmp_path, 4, warm=True)
    assert "vgg-seed0" not in {run.name for run in request.runs}
    assert "vgg-seed0" in {run.name for run in request.needed}
    tables.run_tables(request)
    assert trained.index("vgg-seed0") < trained.index("warm_vgg-seed0")
    tables_shown = tables.show_tables(request)
    assert [t.heading for t in tables_shown] == ["Table 4", "Table 2w"]


def test_a_dry_run_lists_what_is_trained_for_a_search(tmp_path, trained):
    request = tiny_request(tmp_path, 2, search=True)
    lines = plan_tables(request)
    tables.run_tables(request)
    assert [line.split(":")[0] for line in lines[:-1]] == trained
    # Of each of three rows one step at two rates, and two steps in Table 2.
    assert lines[0] == "vgg-0.1: 1 steps"
    assert lines[-1] == "12 steps to train in all"
    again = plan_tables(request)
    assert again[0] == "vgg-0.1: finished"
    assert again[-1] == "0 steps to train in all"
