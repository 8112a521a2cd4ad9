"""One table in three forms, each read back by other means."""

import csv
import io

from mgtl_tf.reproduction.grid import Grid

GRID = Grid(
    "A title",
    ["row", "r@1", "r@1", "r@5", "cost"],
    [["one | two", "1.00", "2.00", "", "5"], ["three", "", "", "", "6"]],
    ["a note"],
    ["", "", "paper", "paper", ""],
)


def test_markdown_shows_a_group_as_one_column():
    lines = GRID.markdown().splitlines()
    assert lines[0] == "**A title**"
    assert lines[2] == "| row | r@1 | paper: r@1 / r@5 | cost |"
    assert lines[3] == "| --- | ---: | ---: | ---: |"
    assert lines[4] == r"| one \| two | 1.00 | 2.00 / – | 5 |"
    assert lines[5] == "| three |  |  | 6 |"
    assert lines[7] == "- a note"


def test_csv_keeps_every_column_apart():
    rows = list(csv.reader(io.StringIO(GRID.csv())))
    assert rows[0] == ["row", "r@1", "paper: r@1", "paper: r@5", "cost"]
    assert rows[1:] == GRID.rows


def test_text_is_aligned_under_its_groups():
    lines = GRID.text().splitlines()
    assert lines[0] == "A title"
    above, heads, rule, first = lines[2:6]
    assert heads.split() == ["row", "r@1", "r@1", "r@5", "cost"]
    assert set(rule) == {"-"} and len(rule) == len(heads)
    # The group's name stands over its two columns.
    start, end = heads.index("r@1", heads.index("r@1") + 1), heads.rindex("r@5")
    assert start <= above.index("paper") <= end
    assert first.index("1.00") + 4 == heads.index("r@1") + 3
    assert lines[-1] == "  a note"


def test_without_groups():
    plain = Grid("T", ["a", "b"], [["1", "2"]])
    assert plain.csv() == "a,b\n1,2\n"
    assert "| a | b |" in plain.markdown()
    assert plain.text().splitlines()[2:] == ["a  b", "----", "1  2"]
