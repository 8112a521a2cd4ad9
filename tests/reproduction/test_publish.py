"""Tables as shown and as published: figures, notes, the page from JSON."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from mgtl_tf.reproduction.comparison import paired_difference
from mgtl_tf.reproduction.publish import (
    publish,
    read_published,
    study_figures,
    write_page,
)
from mgtl_tf.reproduction.results import (
    CONTROLS,
    DISTRACTORS,
    Gallery,
    RowResult,
    RunResult,
    Table,
)
from mgtl_tf.reproduction.tables import (
    as_markdown,
    as_text,
    cells_of,
    compared_with,
    notes_of,
)
from mgtl_tf.utils.errors import UserError

RESULTS = Path(__file__).parents[2] / "docs/results"
OWN = Gallery("worlds/final", 200)
LARGER = Gallery("worlds/distractors", 800)
COST = {
    "parameters": 79_279_104,
    "multiply_adds": 43_255_234_560,
    "descriptor_bytes": 30_720,
    "one_seconds": 0.1234,
    "batch_seconds": 1.6,
    "batch": 16,
    "peak_bytes": None,
}


def row(key, title, *hits, complexity=None, batch_size=32):
    """A row of 200 queries; one seed for every count of hits."""
    runs = []
    for seed, count in enumerate(hits):
        recalls = {"r@1": count / 200, "r@5": count / 200}
        recalls |= {"r@10": 1.0, "r@1%": count / 200}
        pairs = 800 * batch_size
        run = f"{key}-seed{seed}"
        runs.append(RunResult(seed, run, OWN, recalls, pairs, 60.0, 426.7))
    changes = (f"batch_size: 16 -> {batch_size}", f"own: {key}")
    return RowResult(key, title, changes, tuple(runs), complexity)


def _ranks(row):
    hits = [round(200 * run.recalls["r@1"]) for run in row.runs]
    return [np.where(np.arange(200) < count, 1, 8) for count in hits]


def measured(number, rows):
    ranks = {row.key: _ranks(row) for row in rows}
    compared = {
        key: paired_difference(ranks[key], ranks[other])
        for key, other in compared_with(number, rows).items()
    }
    rows = (
        dataclasses.replace(row, difference=compared.get(row.key))
        for row in rows
    )
    return Table(number, tuple(rows), "a synthetic world", seeds=(0, 1))


def cells_by_row(number, rows):
    return cells_of(measured(number, rows))


ROWS = [
    row("vgg", "VGG16 only", 60, 64),
    row("without_cmi", "w/o CMI", 62, 60),
    row("with_cmi", "w/ CMI", 120, 124, complexity=COST),
]


def test_table_2_by_hand():
    first, second, last = cells_by_row(2, ROWS)
    assert [c["row"] for c in (first, second, last)] == [r.title for r in ROWS]
    # 60 % and 62 %: mean 61, standard deviation 2 / sqrt(2).
    assert last["r@1"] == "61.00 ± 1.41"
    assert last["r@10"] == "100.00 ± 0.00"
    assert last["Δ r@1"].startswith("+30.50 [") and "†" in last["Δ r@1"]
    assert last["parameters"] == "79,279,104 (79.27M)"
    assert last["multiply-adds"] == "43.26 G"
    assert list(last.values())[-3:] == [
        "79.27M / 4.43G",
        "94.11 / 98.30 / 99.03 / 99.74",
        "85.35 / 94.45 / 96.06 / 98.48",
    ]
    assert first["Δ r@1"] == "" and first["parameters"] == ""
    # A point less, and the seeds of the row before differ by two.
    assert second["Δ r@1"].startswith("-0.50") and "†" not in second["Δ r@1"]
    notes = " ".join(notes_of(measured(2, ROWS)))
    assert "not CVUSA or CVACT results" in notes
    assert "Every row has seen 25,600 pairs" in notes
    assert "FLOPs cannot be reproduced" in notes
    assert cells_by_row(2, [row("vgg", "VGG16 only")])[0]["r@1"] == "not run"


def test_tables_1_and_4_and_controls_by_hand():
    rows = [
        row("safa", "SAFA-8, small", 100, 101, batch_size=16),
        row("with_cmi", "MGTL", 120, 124),
    ]
    first = {line["row"]: list(line.values()) for line in cells_by_row(1, rows)}
    assert len(first) == 12
    assert first["CVFT 2020"][1:6] == [""] * 5
    assert first["L2LTR 2021"][6].startswith("94.05 / ")
    assert first["Vo and Hays 2016"][6:] == ["– / – / – / 63.70", ""]
    notes = " ".join(notes_of(measured(1, rows)))
    assert "SAFA-8, small 12,800; MGTL 25,600" in notes
    fourth = cells_by_row(4, [row("steps1", "L = 1", 90, 91), rows[1]])
    assert fourth[-1]["row"] == "Naïve (L=6)"
    assert fourth[0]["Δ r@1"].startswith("-15.75")
    assert fourth[2]["Δ r@1"] == ""  # L = 6 itself
    control = row("long_vgg", "VGG16 only, long", 90, 92)
    controls = cells_by_row(CONTROLS, [*ROWS, control])
    assert controls[3]["Δ r@1"].startswith("-15.50")


def test_table_3_by_hand():
    table = measured(3, [row("with_cmi", "MGTL", complexity=COST)])
    # Parameters are cut after two decimals, as the paper's.
    assert list(cells_of(table)[1].values()) == [
        "MGTL (VGG16)",
        "79,279,104 (79.27M)",
        "72.29M",
        "43.26 G",
        "30,720",
        "123.4",
        "100.0",
        "unknown",
    ]
    assert "72.29M cannot be reproduced" in " ".join(notes_of(table))


def test_screen_and_page_show_the_same_cells():
    table = measured(2, ROWS)
    text, page = as_text(table), as_markdown(table).splitlines()
    heads, side, first = (page[i].split("|")[1:-1] for i in (2, 3, 4))
    cells = cells_of(table)[0]
    assert [h.strip() for h in heads] == list(cells)
    assert [c.strip() for c in first] == list(cells.values())
    assert side[0].startswith(":") and all(s.endswith(":") for s in side[1:])
    assert text.startswith("Table 2. a synthetic world, gallery of 200 places")
    for cell in ("VGG16 only", "61.00 ± 1.41", "29.42M / 4.01G"):
        assert cell in text


def _published(docs):
    mgtl = row("with_cmi", "MGTL", 120, 124)
    tables = (measured(1, [mgtl]), measured(2, ROWS))
    facts = {"date": "2026-11-25", "seeds": "0, 1"}
    return publish(study_figures("small", facts, tables), docs)


def test_the_page_is_made_of_the_json_alone(tmp_path):
    page = _published(tmp_path / "one")
    text = page.read_text()
    assert "## small" in text and "- date: 2026-11-25" in text
    assert "| w/ CMI     | 61.00 ± 1.41 |" in text
    assert "94.11 / 98.30 / 99.03 / 99.74" in text
    assert "(results/small-table2.svg)" in text
    page.unlink()
    assert write_page(tmp_path / "one").read_text() == text
    # The same figures give the same bytes, pictures included.
    _published(tmp_path / "two")
    files = [p for p in (tmp_path / "one").rglob("*.*") if p.is_file()]
    assert len(files) == 4
    for one in files:
        two = tmp_path / "two" / one.relative_to(tmp_path / "one")
        assert one.read_bytes() == two.read_bytes(), one
    (tmp_path / "one/results/small-reading.md").write_text("What it means.\n")
    text = write_page(tmp_path / "one").read_text()
    assert "### Reading\n\nWhat it means." in text


def test_json_holds_the_raw_figures_and_what_all_rows_change_once(tmp_path):
    _published(tmp_path)
    study = read_published(tmp_path / "results/small.json")
    assert study.changes == ("batch_size: 16 -> 32",)
    with_cmi = study.tables[1].rows[2]
    assert with_cmi.changes == ("own: with_cmi",)
    assert [run.recalls["r@1"] for run in with_cmi.runs] == [0.6, 0.62]
    assert with_cmi.runs[1].run == "with_cmi-seed1"
    assert with_cmi.runs[1].gallery == OWN
    assert with_cmi.complexity["parameters"] == 79_279_104
    assert cells_of(study.tables[1]) == cells_by_row(2, ROWS)
    assert [table.heading for table in study.tables] == ["Table 1", "Table 2"]


def _among_more(row):
    """The same runs among four times as many places: half as often right."""
    runs = tuple(
        dataclasses.replace(
            run,
            gallery=LARGER,
            recalls={name: value / 2 for name, value in run.recalls.items()},
        )
        for run in row.runs
    )
    return dataclasses.replace(row, runs=runs)


@pytest.mark.parametrize("order", [[2, DISTRACTORS], [DISTRACTORS, 2]])
def test_a_row_measured_on_two_galleries_keeps_both(tmp_path, order):
    rows = {2: ROWS, DISTRACTORS: [_among_more(row) for row in ROWS]}
    tables = tuple(measured(number, rows[number]) for number in order)
    publish(study_figures("small", {}, tables), tmp_path)
    page = (tmp_path / "results.md").read_text()
    again = read_published(tmp_path / "results/small.json")
    by_number = {table.number: table for table in again.tables}
    for number, gallery, percent in (
        (2, OWN, "61.00 ± 1.41"),
        (DISTRACTORS, LARGER, "30.50 ± 0.71"),
    ):
        table = by_number[number]
        assert table.gallery == gallery
        assert cells_of(table)[2]["r@1"] == percent
        assert f"{table.measured_on}, gallery of {gallery.size} places" in page
        assert percent in page
    with pytest.raises(ValueError, match="Table 2: .* several galleries"):
        Table(2, (*ROWS[:2], _among_more(ROWS[2])), "a synthetic world")


def test_a_lost_figure_is_an_empty_cell():
    """A row that was run is not "not run", whatever is left of it."""
    runs = tuple(
        dataclasses.replace(run, recalls={"r@1": run.recalls["r@1"]})
        for run in ROWS[2].runs
    )
    line = cells_by_row(2, [dataclasses.replace(ROWS[2], runs=runs)])[2]
    assert (line["r@1"], line["r@5"]) == ("61.00 ± 1.41", "")


def test_the_page_here_is_of_the_files_here(tmp_path):
    shutil.copytree(RESULTS, tmp_path / "results")
    page = write_page(tmp_path).read_text()
    assert page == (RESULTS.parent / "results.md").read_text()
    # Δ r@1 was of one gallery and r@1 of another, until 2026-11-26.
    studies = [read_published(path) for path in RESULTS.glob("*.json")]
    compared = 0
    for table in (table for study in studies for table in study.tables):
        rows = {row.key: row for row in table.rows}
        for key, other in compared_with(table.number, table.rows).items():
            ours, theirs = (rows[k].recalls("r@1").mean() for k in (key, other))
            assert ours - theirs == pytest.approx(rows[key].difference.mean)
            compared += 1
    assert compared >= 14


def test_damaged_json_and_folders_are_named(tmp_path):
    _published(tmp_path)
    (tmp_path / "results/other.json").write_text('{"name": "other"}')
    with pytest.raises(UserError, match="other.json: damaged"):
        write_page(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file.*results"):
        _published(tmp_path / "file")
