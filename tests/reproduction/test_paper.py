"""The paper's figures, against the paper's own text, read once more."""

import re
from pathlib import Path

import pytest

from mgtl_tf.reproduction.paper import DATASETS, paper_rows

TEXT = Path(__file__).parents[3] / "shared/paper/mgtl_paper.txt"
needs_text = pytest.mark.skipif(not TEXT.is_file(), reason=f"needs {TEXT}")


def _lines(caption):
    """Cells of the lines of figures that stand above a caption."""
    before = TEXT.read_text().split(f"\n{caption}")[0].split("\n\n")
    table = next(block for block in reversed(before) if block.count("\t") > 2)
    return [line.split("\t") for line in table.splitlines()]


def _of(table):
    """Every figure of our data: a row's recalls, four of each data set."""
    return [
        [_figure(cell) for data in DATASETS for cell in _cells(row[data])]
        for row in paper_rows(table)
    ]


def _cells(text):
    return text.split() or 4 * ["-"]


def _figure(cell):
    return None if cell.strip() == "-" else float(cell)


@needs_text
def test_every_cell_of_table_1():
    lines = _lines("Table 1.")[2:]
    assert [[_figure(c) for c in line[1:]] for line in lines] == _of(1)
    for line, row in zip(lines, paper_rows(1), strict=True):
        name = re.sub(r"<.*|\[.*", "", line[0]).replace(",", "").split()
        assert set(name) <= set(row["title"].split()), row


@needs_text
def test_every_cell_of_table_2():
    lines = _lines("Table 2.")[2:]
    for line, row, own in zip(lines, paper_rows(2), _of(2), strict=True):
        assert [row["flops"], row["parameters"]] == line[3:5]
        assert [float(cell) for cell in line[5:]] == own


@needs_text
def test_every_cell_of_table_3():
    lines = _lines("Table 3.")[1:]
    assert [line[-1] for line in lines] == ["195.9M", "72.29M"]
    assert [row["parameters"] for row in paper_rows(3)] == ["195.9M", "72.29M"]


@needs_text
def test_every_cell_of_table_4():
    """Columns there are rows here; the last column, Naive, has no figure."""
    lines = _lines("Table 4.")
    assert lines[0][-1] == "Naïve (L=6)" and len(lines[0]) == 6
    columns = list(zip(*(line[-4:] for line in lines[1:]), strict=True))
    assert [[float(c) for c in column] for column in columns] == _of(4)[:4]
    assert [row["title"] for row in paper_rows(4)] == lines[0][1:]
    assert _of(4)[4] == 8 * [None]


def test_rows_by_hand():
    """A few cells, where the text is not there to compare with."""
    tables = [paper_rows(number) for number in (1, 2, 3, 4)]
    assert [len(rows) for rows in tables] == [12, 3, 2, 5]
    rows = {(row["table"], row["title"]): row for t in tables for row in t}
    mgtl = rows["1", "MGTL"]
    assert mgtl["cvact"] == "85.35 94.45 96.06 98.48"
    assert rows["1", "Regmi and Shah 2019"]["cvusa"] == "48.75 - 81.27 95.98"
    assert mgtl["cvusa"] == rows["4", "CMI (L=6)"]["cvusa"]
