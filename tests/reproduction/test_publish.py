"""Tables as shown and as published: figures, notes, the page from JSON."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mgtl_tf.reproduction.cost_layout import parameters_text
from mgtl_tf.reproduction.layout import table_grid
from mgtl_tf.reproduction.measured import (
    CONTROLS,
    HARDER,
    MeasuredTable,
    differences_of,
)
from mgtl_tf.reproduction.publish import publish, write_page
from mgtl_tf.reproduction.results import Gallery, RowResult, SeedResult
from mgtl_tf.reproduction.study_json import StudyFigures, from_json, to_json
from mgtl_tf.utils.errors import UserError

RESULTS = Path(__file__).parents[2] / "docs/results"
OWN, LARGER = Gallery("worlds/final", 200), Gallery("worlds/harder", 800)
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
    seeds = []
    for seed, count in enumerate(hits):
        ranks = np.where(np.arange(200) < count, 1, 8)
        recalls = {"r@1": count / 200, "r@5": count / 200}
        recalls |= {"r@10": 1.0, "r@1%": count / 200}
        pairs = 800 * batch_size
        run = f"{key}-seed{seed}"
        seeds.append(
            SeedResult(seed, run, OWN, recalls, pairs, 60.0, 426.7, ranks)
        )
    changes = (f"batch_size: 16 -> {batch_size}", "data_dir:  -> /home/me")
    return RowResult(key, title, changes, tuple(seeds), complexity)


def measured(number, rows):
    return MeasuredTable(
        number,
        rows,
        "a synthetic world",
        seeds=(0, 1),
        differences=differences_of(number, rows),
    )


def grid_of(number, rows):
    return table_grid(measured(number, rows))


ROWS = [
    row("vgg", "VGG16 only", 60, 64),
    row("without_cmi", "w/o CMI", 62, 60),
    row("with_cmi", "w/ CMI", 120, 124, complexity=COST),
]


def cells(grid, number):
    return dict(zip(_names(grid), grid.rows[number], strict=True))


def _names(grid):
    groups = grid.groups or [""] * len(grid.heads)
    pairs = zip(groups, grid.heads, strict=True)
    return [f"{g}: {h}" if g else h for g, h in pairs]


def test_table_2_by_hand():
    grid = grid_of(2, ROWS)
    assert [line[0] for line in grid.rows] == [r.title for r in ROWS]
    last = cells(grid, 2)
    # 60 % and 62 %: mean 61, standard deviation 2 / sqrt(2).
    assert last["r@1"] == "61.00 ± 1.41"
    assert last["r@10"] == "100.00 ± 0.00"
    assert last["Δ r@1"].startswith("+30.50 [") and "†" in last["Δ r@1"]
    assert last["parameters"] == "79,279,104 (79.27M)"
    assert last["multiply-adds"] == "43.26 G"
    assert last["paper: param."] == "79.27M"
    assert last["paper: FLOPs"] == "4.43G"
    assert last["paper, CVUSA: r@1"] == "94.11"
    assert last["paper, CVACT_val: r@1%"] == "98.48"
    first, second = cells(grid, 0), cells(grid, 1)
    assert first["Δ r@1"] == "" and first["parameters"] == ""
    # A point less, and the seeds of the row before differ by two.
    assert second["Δ r@1"].startswith("-0.50") and "†" not in second["Δ r@1"]
    notes = " ".join(grid.notes)
    assert "not CVUSA or CVACT results" in notes
    assert "Every row has seen 25,600 pairs" in notes
    assert "FLOPs cannot be had" in notes


def test_other_tables():
    rows = [
        row("safa", "SAFA-8, small", 100, 101, batch_size=16),
        row("with_cmi", "MGTL", 120, 124),
    ]
    first = grid_of(1, rows)
    assert len(first.rows) == 12
    by_title = {line[0]: line for line in first.rows}
    assert by_title["CVFT 2020"][1:6] == [""] * 5
    assert by_title["L2LTR 2021"][6] == "94.05"
    assert "SAFA-8, small 12,800; MGTL 25,600" in " ".join(first.notes)
    fourth = grid_of(4, [row("steps1", "L = 1", 90, 91), rows[1]])
    assert [line[0] for line in fourth.rows][-1] == "Naïve (L=6)"
    assert cells(fourth, 0)["Δ r@1"].startswith("-15.75")
    assert cells(fourth, 2)["Δ r@1"] == ""  # L = 6 itself
    third = grid_of(3, [row("with_cmi", "MGTL", complexity=COST)])
    own = cells(third, 1)
    assert own["parameters"] == "79,279,104 (79.27M)"
    assert own["param., paper"] == "72.29M"
    assert own["one panorama, ms"] == "123.4"
    assert own["of a batch of 16, ms"] == "100.0"
    assert own["peak memory, MB"] == "unknown"
    assert "72.29M cannot be had" in " ".join(third.notes)
    control = row("long_vgg", "VGG16 only, long", 90, 92)
    controls = grid_of(CONTROLS, [*ROWS, control])
    assert cells(controls, 3)["Δ r@1"].startswith("-15.50")
    nothing = grid_of(2, [row("vgg", "VGG16 only")])
    assert cells(nothing, 0)["r@1"] == "not run"


@pytest.mark.parametrize(
    ("count", "printed"),
    [
        (29_429_376, "29.42M"),
        (50_921_472, "50.92M"),
        (79_279_104, "79.27M"),
        (195_909_248, "195.90M"),
    ],
)
def test_parameters_as_the_paper_cuts_them(count, printed):
    assert parameters_text(count) == f"{count:,} ({printed})"


def _published(docs, seed=0):
    mgtl = row("with_cmi", "MGTL", 120, 124)
    tables = [measured(1, [mgtl]), measured(2, ROWS)]
    trials = [
        {"learning_rate": 0.001, "residual_init": "zeros", "r@1": 0.25},
        {"learning_rate": 0.002, "residual_init": "glorot", "r@1": 0.5},
    ]
    once = [{"learning_rate": 0.0005, "r@1": 0.1}]
    search = {"steps": 300, "trials": {"with_cmi": trials, "l2ltr": once}}
    facts = {"date": "2026-11-25", "seeds": "0, 1"}
    return publish(StudyFigures("small", tables, facts, search), docs)


def test_the_page_is_made_of_the_json_alone(tmp_path):
    page = _published(tmp_path)
    text = page.read_text()
    assert page == tmp_path / "results.md"
    assert "## small" in text and "- date: 2026-11-25" in text
    assert "| w/ CMI | 61.00 ± 1.41 |" in text
    assert "94.11 / 98.30 / 99.03 / 99.74" in text
    assert "(results/small-table2.svg)" in text
    # The best trial comes first.
    assert "| with_cmi | 0.002 glorot: 50.00 | 0.001 zeros: 25.00 |" in text
    assert "| l2ltr | 0.0005: 10.00 |  |" in text
    page.unlink()
    assert write_page(tmp_path).read_text() == text
    (tmp_path / "results/small-reading.md").write_text("What it means.\n")
    assert "### Reading\n\nWhat it means." in write_page(tmp_path).read_text()


def test_json_holds_the_raw_figures_and_is_small(tmp_path):
    _published(tmp_path)
    text = (tmp_path / "results/small.json").read_text()
    assert len(text) < 4000 and "/home/me" not in text
    found = json.loads(text)
    assert list(found["rows"]) == ["with_cmi", "vgg", "without_cmi"]
    with_cmi = found["rows"]["with_cmi"]
    measured = [m for m in found["measurements"] if m["row"] == "with_cmi"]
    assert [m["r@1"] for m in measured] == 2 * [0.6, 0.62]
    assert [m["table"] for m in measured] == [1, 1, 2, 2]
    assert measured[0]["gallery"] == {"name": "worlds/final", "size": 200}
    assert measured[1]["run"] == "with_cmi-seed1"
    assert with_cmi["complexity"]["parameters"] == 79_279_104
    assert found["changes_of_all"] == ["batch_size: 16 -> 32"]
    assert found["tables"][0]["rows"] == {"with_cmi": "MGTL"}


def test_figures_come_back_from_their_json(tmp_path):
    _published(tmp_path)
    study = from_json((tmp_path / "results/small.json").read_text())
    again = [table_grid(table) for table in study.tables]
    assert again[1] == grid_of(2, ROWS)
    assert [table.heading for table in study.tables] == ["Table 1", "Table 2"]


def _among_more(row):
    """The same runs among four times as many places: half as often right."""
    seeds = tuple(
        dataclasses.replace(
            seed,
            gallery=LARGER,
            recalls={name: value / 2 for name, value in seed.recalls.items()},
            ranks=seed.ranks[:0],
        )
        for seed in row.seeds
    )
    return dataclasses.replace(row, seeds=seeds)


@pytest.mark.parametrize("order", [[2, HARDER], [HARDER, 2]])
def test_a_row_measured_on_two_galleries_keeps_both(tmp_path, order):
    rows = {2: ROWS, HARDER: [_among_more(row) for row in ROWS]}
    tables = [measured(number, rows[number]) for number in order]
    page = publish(StudyFigures("small", tables, {}), tmp_path).read_text()
    again = from_json((tmp_path / "results/small.json").read_text())
    by_number = {table.number: table for table in again.tables}
    for number, gallery, percent in (
        (2, OWN, "61.00 ± 1.41"),
        (HARDER, LARGER, "30.50 ± 0.71"),
    ):
        table = by_number[number]
        assert table.gallery == gallery
        assert cells(table_grid(table), 2)["r@1"] == percent
        assert f"{table.measured_on}, gallery of {gallery.size} places" in page
        assert f"| w/ CMI | {percent} |" in page


def test_one_table_is_of_one_gallery():
    with pytest.raises(ValueError, match="Table 2: .* several galleries"):
        MeasuredTable(2, [*ROWS[:2], _among_more(ROWS[2])], "a synthetic world")


def test_two_accounts_of_one_run_are_refused():
    other = [dataclasses.replace(seed, pairs=1) for seed in ROWS[2].seeds]
    row = dataclasses.replace(ROWS[2], seeds=tuple(other))
    tables = [measured(2, ROWS), measured(4, [row])]
    with pytest.raises(ValueError, match="with_cmi-seed0"):
        to_json(StudyFigures("small", tables, {}))


def test_a_lost_figure_is_an_empty_cell():
    """A row that was run is not "not run", whatever is left of it."""
    seeds = tuple(
        dataclasses.replace(seed, recalls={"r@1": seed.recalls["r@1"]})
        for seed in ROWS[2].seeds
    )
    row = dataclasses.replace(ROWS[2], seeds=seeds)
    line = cells(grid_of(2, [row]), 2)
    assert (line["r@1"], line["r@5"]) == ("61.00 ± 1.41", "")


def test_the_same_figures_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        _published(tmp_path / name)
    files = sorted(p.relative_to(tmp_path / "one") for p in
                   (tmp_path / "one").rglob("*.*"))  # fmt: skip
    assert len(files) == 4
    for file in files:
        one, two = (tmp_path / name / file for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes(), file


def _published_here():
    return [from_json(path.read_text()) for path in RESULTS.glob("*.json")]


def test_published_differences_are_of_the_figures_beside_them():
    """Δ r@1 was of one gallery and r@1 of another, until 2026-11-26."""
    compared = 0
    for table in (t for study in _published_here() for t in study.tables):
        run = [row for row in table.rows if row.seeds]
        for place, row in enumerate(run):
            if row.key not in table.differences:
                continue
            other = run[place - 1]
            if table.number in (CONTROLS, 4):
                (other,) = [r for r in run if r.key == "with_cmi"]
            points = row.mean("r@1") - other.mean("r@1")
            assert points == pytest.approx(table.differences[row.key].mean)
            compared += 1
    assert compared >= 14


def test_the_page_here_is_of_the_files_here(tmp_path):
    shutil.copytree(RESULTS, tmp_path / "results")
    page = write_page(tmp_path).read_text()
    assert page == (RESULTS.parent / "results.md").read_text()


def test_damaged_json_and_folders_are_named(tmp_path):
    _published(tmp_path)
    (tmp_path / "results/other.json").write_text('{"name": "other"}')
    with pytest.raises(UserError, match="other.json: damaged"):
        write_page(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="--docs_dir=.*file"):
        _published(tmp_path / "file")
