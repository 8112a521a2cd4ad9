"""Tables as shown and as published: figures, notes, the page from JSON."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mgtl_tf.reproduction.cells import cells_of, compared_with
from mgtl_tf.reproduction.further import binomial_interval
from mgtl_tf.reproduction.notes import notes_of
from mgtl_tf.reproduction.publish import (
    StudyFigures,
    publish,
    read_published,
    write_page,
)
from mgtl_tf.reproduction.recomputing import ranks_key, recomputed
from mgtl_tf.reproduction.results import (
    CONDITION,
    CONTROLS,
    FurtherResult,
    RowResult,
    RunResult,
    Table,
    recalls_of,
)
from mgtl_tf.reproduction.rows import TODAY
from mgtl_tf.reproduction.tables import as_markdown, as_text
from mgtl_tf.utils.errors import UserError

RESULTS = Path(__file__).parents[2] / "docs/results"
COST = {
    "parameters": 79_279_104,
    "multiply_adds": 43_255_234_560,
    "descriptor_bytes": 30_720,
    "one_seconds": 0.1234,
    "batch_seconds": 1.6,
    "batch": 16,
    "peak_bytes": None,
}


def places_of(hits):
    """Ranks of 200 queries of which so many are right at once."""
    return np.where(np.arange(200) < hits, 1, 8)


def row(key, title, *hits, complexity=None, pairs=25_600, places=200):
    """A row of 200 queries; one seed for every count of hits."""
    runs = []
    for seed, count in enumerate(hits):
        recalls = recalls_of(places_of(count), places)
        figures = (recalls, pairs, 60.0, 426.7, f"of-{places}")
        runs.append(RunResult(seed, places, *figures))
    return RowResult(key, title, tuple(runs), complexity)


def ranks_of(*tables):
    """The ranks that these tables' figures are of."""
    return {
        ranks_key(row.key, run.seed, run.gallery): places_of(
            round(200 * run.recalls["r@1"])
        )
        for table in tables
        for row in table.rows
        for run in row.runs
    }


def measured(number, rows):
    table = Table(number, tuple(rows), "a synthetic world", seeds=(0, 1))
    return recomputed(table, ranks_of(table))


def cells_by_row(number, rows):
    return cells_of(measured(number, rows))


MGTL = row("with_cmi", "MGTL", 120, 124, complexity=COST)
ROWS = [
    row("vgg", "VGG16 only", 60, 64),
    row("without_cmi", "w/o CMI", 62, 60),
    dataclasses.replace(MGTL, title="w/ CMI"),
]


def test_a_later_stage_says_whose_pairs_it_saw_before():
    stages = [
        row("transgeo_whole", "TransGeo, stage 1", 60),
        row("transgeo", "TransGeo", 64),
        row("frgeo", "FRGeo", 62),
    ]
    assert (
        "Every row has seen 25,600 pairs, TransGeo before them those of"
        " TransGeo, stage 1."
    ) in notes_of(measured(TODAY, stages))


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
    assert (
        "The paper's order of r@1 on CVUSA is not decided: w/o CMI above VGG16"
        " only; found here too: w/ CMI above w/o CMI."
    ) in notes
    assert cells_by_row(2, [row("vgg", "VGG16 only")])[0]["r@1"] == "not run"
    # A row that was run is not "not run", whatever is left of its figures.
    runs = tuple(
        dataclasses.replace(
            run, recalls={"r@1": run.recalls["r@1"]}, gallery=""
        )
        for run in MGTL.runs
    )
    line = cells_by_row(2, [dataclasses.replace(MGTL, runs=runs)])[2]
    assert (line["r@1"], line["r@5"]) == ("61.00 ± 1.41", "")


def test_tables_1_3_and_4_and_controls_by_hand():
    rows = [row("safa", "SAFA-8, small", 100, 101, pairs=12_800), MGTL]
    first = {line["row"]: list(line.values()) for line in cells_by_row(1, rows)}
    assert len(first) == 12
    assert first["CVFT 2020"][1:6] == [""] * 5
    assert first["L2LTR 2021"][6].startswith("94.05 / ")
    assert first["Vo and Hays 2016"][6:8] == ["– / – / – / 63.70", ""]
    # What was trained costs; nothing is claimed of rows that were not.
    costs = ["79,279,104 (79.27M)", "43.26 G", "30,720", "123.4"]
    assert first["MGTL"][8:] == costs
    assert first["Vo and Hays 2016"][8:] == [""] * 4
    assert len(next(iter(cells_by_row(1, rows[:1])))) == 8
    notes = " ".join(notes_of(measured(1, rows)))
    assert "SAFA-8, small 12,800; MGTL 25,600" in notes
    # Parameters are cut after two decimals, as the paper's.
    third = dataclasses.replace(MGTL, runs=())
    assert list(cells_by_row(3, [third])[1].values()) == [
        "MGTL (VGG16)",
        "79,279,104 (79.27M)",
        "72.29M",
        "43.26 G",
        "30,720",
        "123.4",
        "100.0",
        "unknown",
    ]
    fourth = cells_by_row(4, [row("steps1", "L = 1", 90, 91), MGTL])
    assert fourth[-1]["row"] == "Naïve (L=6)"
    assert fourth[0]["Δ r@1"].startswith("-15.75")
    assert fourth[2]["Δ r@1"] == ""  # L = 6 itself
    better = measured(4, [row("steps1", "L = 1", 150, 151), MGTL])
    reversed_here = "on CVUSA is reversed here: MGTL above L = 1."
    assert reversed_here in " ".join(notes_of(better))
    control = row("long_vgg", "VGG16 only, long", 90, 92)
    controls = cells_by_row(CONTROLS, [*ROWS, control])
    assert controls[3]["Δ r@1"].startswith("-15.50")


def test_screen_and_page_show_the_same_cells():
    table = measured(2, ROWS)
    text, page = as_text(table), as_markdown(table).splitlines()
    heads, first = (page[i].split("|")[1:-1] for i in (2, 4))
    cells = cells_of(table)[0]
    assert [h.strip() for h in heads] == list(cells)
    assert [c.strip() for c in first] == list(cells.values())
    assert text.startswith("Table 2. a synthetic world, gallery of 200 places")
    for cell in ("VGG16 only", "61.00 ± 1.41", "29.42M / 4.01G"):
        assert cell in text


def _published(docs, *tables):
    tables = tables or (measured(1, [MGTL]), measured(2, ROWS))
    changes = {"with_cmi": ("batch_size: 16 -> 32",)}
    facts = {"date": "2026-11-25", "seeds": "0, 1"}
    figures = StudyFigures("small", facts, changes, tables)
    return publish(figures, docs, ranks_of(*tables))


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
    assert len(files) == 5
    for one in files:
        two = tmp_path / "two" / one.relative_to(tmp_path / "one")
        assert one.read_bytes() == two.read_bytes(), one
    (tmp_path / "one/results/small-reading.md").write_text("What it means.\n")
    text = write_page(tmp_path / "one").read_text()
    assert "### Reading\n\nWhat it means." in text


@pytest.mark.parametrize("order", [[2, CONDITION], [CONDITION, 2]])
def test_a_row_measured_on_two_galleries_keeps_both(tmp_path, order):
    """Among four times as many places it is half as often right."""
    larger = [row("with_cmi", "w/ CMI", 60, 62, places=800)]
    rows = {2: ROWS, CONDITION: larger}
    _published(tmp_path, *(measured(number, rows[number]) for number in order))
    page = (tmp_path / "results.md").read_text()
    again = read_published(tmp_path / "results/small.json")
    by_number = {table.number: table for table in again.tables}
    for number, places, percent in (
        (2, 200, "61.00 ± 1.41"),
        (CONDITION, 800, "30.50 ± 0.71"),
    ):
        table = by_number[number]
        assert table.places == places
        assert cells_of(table)[-1]["r@1"] == percent
        assert f"{table.measured_on}, gallery of {places} places" in page
        assert percent in page
    assert by_number[2].rows[2].complexity["parameters"] == 79_279_104
    with pytest.raises(ValueError, match="Table 2: .* several galleries"):
        Table(2, (*ROWS, *larger), "a synthetic world")


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


@pytest.mark.parametrize(
    ("of", "to", "message"),
    [
        ('"r@5": 0.31', '"r@5": 0.41', "VGG16 only|w/o CMI, r@5: says"),
        ('"mean": 0.305', '"mean": 0.315', "w/ CMI, Δ r@1: says .*ranks say"),
        ('"of-200"', '"of-another"', "no ranks of this run on this gallery"),
    ],
)
def test_figures_that_are_not_of_the_ranks_are_refused(
    tmp_path, of, to, message
):
    _published(tmp_path)
    path = tmp_path / "results/small.json"
    assert of in path.read_text()
    path.write_text(path.read_text().replace(of, to))
    with pytest.raises(UserError, match=message):
        write_page(tmp_path)


def test_rows_of_galleries_of_equal_size_do_not_share_a_table():
    other = row("vgg", "VGG16 only", 60)
    runs = (dataclasses.replace(other.runs[0], gallery="of-another"),)
    rows = (dataclasses.replace(other, runs=runs), *ROWS[1:])
    with pytest.raises(ValueError, match="several galleries, of 200 places of"):
        Table(2, rows, "a synthetic world")


def test_further_sets_stand_in_columns_of_their_own(tmp_path):
    """By hand: 3 of 9 and 5 of 9 pairs first, by two seeds."""
    found = []
    for hits in (3, 5):
        place = np.where(np.arange(9) < hits, 1, 4)
        figures = ("of-9", recalls_of(place, 9), float(np.median(place)))
        found.append((FurtherResult(("cvusa", "cvact"), 9, 9, *figures), place))
    runs = tuple(
        dataclasses.replace(run, further=further, backbone_digest="d9a2")
        for run, (further, _) in zip(MGTL.runs, found, strict=True)
    )
    rows = [ROWS[0], dataclasses.replace(MGTL, runs=runs)]
    table = Table(2, tuple(rows), "a synthetic world", seeds=(0, 1))
    ranks = ranks_of(table)
    for seed, (_, place) in enumerate(found):
        ranks[ranks_key("with_cmi", seed, "of-9")] = place
    table = recomputed(table, ranks)
    plain, _, line = cells_of(table)
    name = "cvusa + cvact"
    low, high = stats.binomtest(4, 9).proportion_ci(method="exact")
    assert {key: line[f"{name}: {key}"] for key in ("pairs", "r@1", "r@5")} == {
        "pairs": "9",
        "r@1": "44.4",
        "r@5": "100.0",
    }
    assert line[f"{name}: r@1, 95 %"] == f"{100 * low:.1f} to {100 * high:.1f}"
    assert line[f"{name}: r@5, 95 %"].endswith(" to 100.0")
    assert line[f"{name}: median rank"] == "2.5"  # of 4 and 1
    assert plain[f"{name}: r@1"] == "" and line["r@1"] == "61.00 ± 1.41"
    notes = " ".join(notes_of(table))
    assert "cvusa + cvact: 9 pairs, in one joint gallery of 9" in notes
    assert "VGG16 only none; MGTL d9a2" in notes
    docs = tmp_path
    publish(StudyFigures("small", {}, {}, (table,)), docs, ranks)
    path = docs / "results/small.json"
    assert read_published(path).tables == (table,)
    path.write_text(
        path.read_text().replace('"median_rank": 4', '"median_rank": 2')
    )
    with pytest.raises(UserError, match="MGTL, .*median rank: says '1.5'"):
        write_page(docs)


def test_binomial_intervals_are_scipys():
    for hits, count in ((0, 9), (4, 9), (9, 9), (18, 27)):
        wanted = stats.binomtest(hits, count).proportion_ci(method="exact")
        found = binomial_interval(hits / count, count)
        assert found == pytest.approx(tuple(wanted))


def test_damaged_json_and_folders_are_named(tmp_path):
    _published(tmp_path)
    (tmp_path / "results/other.json").write_text('{"name": "other"}')
    with pytest.raises(UserError, match="other.json: damaged"):
        write_page(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file.*results"):
        _published(tmp_path / "file")
