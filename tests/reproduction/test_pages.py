"""Marked figures of README and docs/: made of files, refused when typed."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks import record
from mgtl_tf.evaluation.ranks import read_ranks
from mgtl_tf.reproduction.blocks import pages_of, rewrite_pages, rewritten
from mgtl_tf.reproduction.demo import read_demo
from mgtl_tf.reproduction.page_figures import PageFigures
from mgtl_tf.reproduction.transfer import transfer_rows
from mgtl_tf.utils.errors import UserError
from mgtl_tf.workflows.pages import publish_pages

DOCS = Path(__file__).parents[2] / "docs"
FIGURES = PageFigures(DOCS)
STUDY = "procedural-v1-small"


@pytest.fixture
def docs(tmp_path):
    """A copy of the figures' files, without pages."""
    shutil.copytree(DOCS / "results", tmp_path / "docs/results")
    shutil.copy(DOCS / "gpu-table2-h200.json", tmp_path / "docs")
    return tmp_path / "docs"


@pytest.mark.parametrize("page", pages_of(DOCS), ids=lambda path: path.name)
def test_every_block_here_is_of_the_files_here(page):
    text = page.read_text()
    assert rewritten(text, FIGURES.text_of) == text
    assert text.count("<!-- generated: ") == text.count("<!-- end -->")


def test_readmes_table_is_of_the_ranks():
    """By NumPy alone, from the file of ranks to the printed cell."""
    readme = (DOCS.parent / "README.md").read_text()
    with np.load(DOCS / "results/demo/ranks.npz") as file:
        for direction in ("ground_to_satellite", "satellite_to_ground"):
            place = file[direction]
            assert len(place) == 1000
            cells = [np.mean(place <= k) for k in (1, 5, 10, 10)]
            cells.append(np.mean(file[f"{direction}_within"]))
            shown = " | ".join(f"{100 * cell:.1f} %" for cell in cells)
            assert f" | {shown} |" in readme


def test_a_cell_that_is_changed_by_hand_is_noticed_and_mended(docs):
    page = docs / "page.md"
    page.write_text(
        "Seed <!-- generated: demo seed d -->0<!-- end -->.\n\n"
        "<!-- generated: demo recall -->\n<!-- end -->\n"
    )
    figures = PageFigures(docs)
    assert rewrite_pages(docs, figures.text_of) == [page]
    right = page.read_text()
    demo = read_demo(docs).evaluation["ground_to_satellite"]
    cell = f"{100 * demo['r@5']:.1f} %"
    assert "Seed <!-- generated: demo seed d -->0<!-- end -->." in right
    assert f" | {cell} | " in right
    assert rewrite_pages(docs, figures.text_of) == []
    page.write_text(right.replace(cell, "99.9 %"))
    assert rewrite_pages(docs, figures.text_of) == [page]
    assert page.read_text() == right


def test_what_a_benchmark_printed_stands_on_its_page(
    docs, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIES", "7")
    Path("conftest.py").write_text(
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--run-large', action='store_true')\n"
    )
    Path("test_fake.py").write_text("def test_it(): print('ratio 0.97')")
    path = record.record(["./test_fake.py"])
    assert path.name == "test_fake.json"
    figures, printed = PageFigures(docs), "\nratio 0.97"
    command = "TRIES=7 python -m pytest -q -s --run-large ./test_fake.py"
    everything = figures.text_of("benchmarks all")
    assert command in everything and printed in everything
    (docs / "page.md").write_text(
        "<!-- generated: recorded test_fake -->\n<!-- end -->"
    )
    assert rewrite_pages(docs, figures.text_of)
    page = (docs / "page.md").read_text()
    assert command in page and printed in page
    # Once where a page shows it by name.
    assert command not in figures.text_of("benchmarks all")
    path.write_text(path.read_text().replace("0.97", "0.98"))
    with pytest.raises(UserError, match="test_fake.json: damaged"):
        rewrite_pages(docs, figures.text_of)
    assert record.file_name(["recall", "--mining", "--model=demo/run"]) == (
        "recall-mining"
    )
    assert record.command_of(["recall", "--places=9"]) == [
        "benchmarks.recall",
        "--places=9",
    ]
    Path("test_fake.py").write_text("def test_it(): raise OSError")
    path.unlink()
    with pytest.raises(subprocess.CalledProcessError):
        record.record(["./test_fake.py"])
    assert not path.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("demo moon", "no such block"),
        ("demo moon d", "moon: there is no such figure"),
        ("demo machine d", "machine d: "),
        ("study moon", "moon.json: damaged"),
        (f"cell {STUDY} table2 vgg moon", "has no moon of a row"),
    ],
)
def test_a_block_that_cannot_be_made_names_its_page(docs, words, message):
    (docs / "page.md").write_text(f"<!-- generated: {words} --><!-- end -->")
    with pytest.raises(UserError, match=f"page.md: .*{message}"):
        rewrite_pages(docs, PageFigures(docs).text_of)


def test_a_cell_within_a_reading(docs):
    """By NumPy, from the stored recalls of each seed to results.md."""
    study = json.loads((docs / f"results/{STUDY}.json").read_text())
    (table,) = (t for t in study["tables"] if t["number"] == 2)
    (row,) = (r for r in table["rows"] if r["key"] == "with_cmi")
    values = [100 * run["recalls"]["r@1"] for run in row["runs"]]
    wanted = f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}"
    begin = f"It is at <!-- generated: cell {STUDY} table2 with_cmi r@1 -->"
    reading = docs / f"results/{STUDY}-reading.md"
    reading.write_text(f"{begin}99.99<!-- end -->.\n")
    page = publish_pages(docs)[0]
    right = f"{begin}{wanted}<!-- end -->.\n"
    assert reading.read_text() == right and right in page.read_text()


def test_a_demo_whose_figures_are_not_of_its_ranks_is_refused(docs):
    path = docs / "results/demo/figures.json"
    sound = json.loads(path.read_text())
    changed = json.loads(path.read_text())
    changed["evaluation"]["ground_to_satellite"]["r@1"] += 0.001
    path.write_text(json.dumps(changed))
    with pytest.raises(UserError, match="ground_to_satellite is .*by the"):
        read_demo(docs)
    path.write_text(json.dumps({**sound, "gallery": "another"}))
    with pytest.raises(UserError, match="of gallery another, and the ranks"):
        read_demo(docs)


def test_damaged_ranks_are_refused(tmp_path):
    path = tmp_path / "ranks.npz"
    with np.load(DOCS / "results/demo/ranks.npz") as file:
        arrays = dict(file)
    for change, message in (
        ({"ground_to_satellite": np.int32([0, 1])}, "ground_to_sat.* shape"),
        ({"satellite_to_ground": 1.0}, "satellite_to_ground has shape"),
        ({"satellite_to_ground": np.zeros(1000, int)}, "holds no ranks"),
        ({"gallery": np.uint8([255])}, "ranks.npz: damaged"),
    ):
        np.savez(path, **(arrays | change))
        with pytest.raises(UserError, match=message):
            read_ranks(path, "make it anew")
    del arrays["metres"]
    np.savez(path, **arrays)
    with pytest.raises(UserError, match="lacks metres"):
        read_ranks(path, "make it anew")


def test_transfer_is_of_the_ranks():
    """By NumPy and SciPy alone."""
    rows = transfer_rows(DOCS)
    folder = DOCS / "results/synthetic-to-real"
    with np.load(folder / "real-ranks.npz") as file:
        place = file["ground_to_satellite"]
    assert len(place) == 27
    for row, part in zip(
        rows[2:5], (place, place[:18], place[18:]), strict=True
    ):
        hits = int(np.sum(part <= 1))
        bounds = stats.binomtest(hits, len(part)).proportion_ci(0.95)
        assert row[1:] == [
            str(len(part)),
            "27",
            f"{100 * hits / len(part):.1f} %",
            f"{100 * bounds.low:.1f} to {100 * bounds.high:.1f}",
            f"{100 * np.mean(part <= 5):.1f} %",
            f"{np.median(part):g}",
        ]


def test_transfer_on_another_gallery_is_refused(docs):
    folder = docs / "results/synthetic-to-real"
    shutil.copy(folder / "synthetic-ranks.npz", folder / "real-ranks.npz")
    with pytest.raises(UserError, match="is of gallery .* real-ranks.npz of"):
        transfer_rows(docs)
    path = folder / "figures.json"
    figures = json.loads(path.read_text())
    shutil.copytree(DOCS / "results", docs / "results", dirs_exist_ok=True)
    figures["sets"]["cvusa"] = 19
    path.write_text(json.dumps(figures))
    with pytest.raises(UserError, match="tells of 28 pairs, .* of 27"):
        transfer_rows(docs)
