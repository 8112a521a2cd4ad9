"""The table of today's systems: published figures, rows, cells, its flag."""

import dataclasses
import re
from pathlib import Path

import pytest

from experiments.study_flags import table_numbers
from mgtl_tf.reproduction.benchmark_v2 import V2
from mgtl_tf.reproduction.cells import cells_of, compared_with
from mgtl_tf.reproduction.notes import notes_of
from mgtl_tf.reproduction.paper import today_rows
from mgtl_tf.reproduction.results import RowResult, RunResult, Table
from mgtl_tf.reproduction.rows import ROWS, TABLES, TODAY, titled_rows
from mgtl_tf.reproduction.study import benchmark_study
from mgtl_tf.reproduction.tables import title_of

DESIGN = Path(__file__).parents[3] / "shared/design"
SURVEYS = [DESIGN / f"{name}.md" for name in ("field2026", "peers", "vigor")]
KINDS = {False: ("cvusa", "cvact"), True: ("same", "cross")}
of_both_kinds = pytest.mark.parametrize("areas", KINDS)


@pytest.mark.skipif(not SURVEYS[0].is_file(), reason="no survey beside us")
@of_both_kinds
def test_published_figures_and_commits_are_the_surveys(areas):
    text = "\n".join(path.read_text() for path in SURVEYS)
    for row in today_rows(areas):
        lines = [x for x in text.splitlines() if row["title"].split()[0] in x]
        assert lines, row["title"]
        joined = "\n".join(lines)
        for recalls in map(row.get, KINDS[areas]):
            for number in re.findall(r"\d+\.\d+", recalls):
                assert number in joined, (row["title"], number)
        for commit in re.findall(r"\b[0-9a-f]{7}\b", row["source"]):
            assert commit in text, commit


@of_both_kinds
def test_every_published_row_has_a_source_and_recalls_that_rise(areas):
    first, second = KINDS[areas]
    for row in today_rows(areas):
        assert row["source"]
        for recalls in (row[first], row[second]):
            found = recalls.replace("-", "").split()
            assert found == sorted(found, key=float)
            assert not recalls or len(recalls.split()) == 4
    best = [float(row[first].split()[0]) for row in today_rows(areas)]
    assert best == sorted(best)


def _table():
    titled = titled_rows(TODAY, "procedural")
    recalls = {"r@1": 0.5, "r@5": 0.75, "r@10": 0.875, "r@1%": 1.0}
    run = RunResult(0, 100, recalls, 12800, 1.0, 1.0)
    rows = tuple(RowResult(row.key, title, (run,)) for title, row in titled)
    return Table(TODAY, rows, "a world", seeds=(0,))


def test_ours_and_published_figures_stand_in_columns_of_their_own():
    table = _table()
    assert title_of(table).startswith("Table today. ")
    cells = cells_of(table)
    assert len({tuple(line) for line in cells}) == 1
    found = {line["row"]: line for line in cells}
    ours = found["FRGeo, small"]
    assert ours["r@1"] == "50.00"
    published = "published, CVUSA: r@1 / r@5 / r@10 / r@1%"
    assert ours[published] == "97.06 / 99.25 / 99.47 / 99.85"
    assert "FRGeo-Code" in ours["source of published figures"]
    mgtl = found["Sample4Geo, MGTL's transformer, small"]
    assert mgtl[published] == mgtl["source of published figures"] == ""
    geo2 = found["Geo2 2026"]
    assert geo2["r@1"] == "" and geo2[published] == "98.83 / – / – / –"
    assert any("none of them measured" in note for note in notes_of(table))


def test_a_variant_is_compared_with_the_row_that_it_changes():
    table = _table()
    found = compared_with(TODAY, table.rows)
    assert found["best_mgtl"] == "best_self_attention"
    assert found["best_quarters"] == found["best_columns"] == "sample4geo"
    assert "frgeo" not in found
    missing = tuple(r for r in table.rows if r.key != "best_columns")
    found = compared_with(TODAY, missing)
    assert {"best_columns", "best_self_attention"}.isdisjoint(found)
    (note,) = (n for n in notes_of(table) if n.startswith("Δ r@1"))
    assert "TransGeo, small: TransGeo, stage 1, small" in note
    alone = tuple(row for row in table.rows if row.key == "frgeo")
    found = notes_of(dataclasses.replace(table, rows=alone))
    assert any("than the row that it changes, and" in note for note in found)


def test_variants_of_the_benchmark_differ_in_what_they_are_named_by(tmp_path):
    study = benchmark_study(V2, tmp_path, {})
    rows = {row.key: row for _, row in ROWS[TODAY]}
    runs = study.runs(rows.values(), V2.seeds)
    assert len(runs) == 2 * len(rows)
    whole, quarters, mgtl = (
        study.config(rows[key], 0)
        for key in ("sample4geo", "best_quarters", "best_mgtl")
    )
    assert whole.differences(quarters) == [
        "descriptor_regions: whole -> quarters"
    ]
    names = {text.split(":")[0] for text in whole.differences(mgtl)}
    assert names == {
        "system",
        "satellite_size",
        "satellite_form",
        "data_cache",
    }
    pairs = {r.config.train.batch_size * r.config.train.max_steps for r in runs}
    assert len(pairs) == 1
    stage_2 = next(r for r in runs if r.folder.name == "transgeo-seed1")
    before = stage_2.config.train.init_backbone
    assert before == str(study.folder / "runs/transgeo_whole-seed1")
    assert stage_2.config.model.kept_patches == 64


def test_the_flag_takes_numbers_and_today():
    assert table_numbers("2,today,1") == (1, 2, TODAY)
    assert table_numbers("today") == (TODAY,)
    assert table_numbers("") == ()
    assert TODAY not in TABLES
    for wrong in ("5", "0", "tomorrow"):
        with pytest.raises(ValueError):
            table_numbers(wrong)
