"""Growth with size: exponents, what follows from them, and what docs show."""

import dataclasses
import importlib
import json
import sys

import numpy as np
import pytest
from absl import flags

from mgtl_tf.reproduction.measured.amounts import in_bytes, in_time
from mgtl_tf.reproduction.measured.recorded import recorded_folder
from mgtl_tf.reproduction.measured.scaling import (
    PLOTS,
    Curve,
    Scaling,
    crop_rows,
    draw_recorded_scaling,
    draw_scaling,
    growth_rows,
)
from mgtl_tf.reproduction.page_figures import PageFigures
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import sealed_text

# Time grows as N^2, memory as N.
SQUARE = Curve("evaluation", "places", [10, 100], [0.02, 2.0], [3.0, 30.0])
RAY = Curve("Ray", "workers", [1, 2], [8.0, 4.0], [900.0, 1800.0])
SEARCH = Curve("search", "places", [1000], [0.5], [1.0])
MILVUS = Curve("Milvus", "places", [500], [0.25], [1.0])
FACTS = {
    "ray_images": 64.0,
    "descriptor_bytes": 1024.0,
    "size": 128.0,
    "filled_size": 512.0,
}


def test_exponents_are_those_of_the_powers():
    assert SQUARE.time_exponent == pytest.approx(2)
    assert SQUARE.memory_exponent == pytest.approx(1)
    assert SQUARE.beyond(10) == pytest.approx((200.0, 300.0))
    assert RAY.time_exponent == pytest.approx(-1)
    assert np.isnan(SEARCH.time_exponent)
    row = growth_rows(Scaling([SQUARE], {}))[2]
    assert row == [
        "evaluation",
        "10 to 100 places",
        "2 s",
        "size^2.00",
        "30 MB",
        "size^1.00",
        "3.3 min, 300 MB",
    ]
    assert growth_rows(Scaling([SEARCH], {}))[2][-1] == "unknown, unknown"


def test_the_arithmetic_of_large_galleries():
    """8 images a second and core; a search of 512,000 bytes in 0.5 s; 4,096,000
    bytes a second into Milvus."""
    found = Scaling([RAY, SEARCH, MILVUS], FACTS)
    city, country = crop_rows(found)[2:]
    assert city[:2] == ["10,000,000", f"{1e7 / 8 / 86400:,.0f} core days"]
    assert country[2] == f"{np.ceil(1e9 / 8 / 604800):,.0f}"
    assert (city[3], country[3]) == ("10 GB", "1 TB")
    assert city[4] == in_time(1e7 * 1024 / 4_096_000) == "42 min"
    assert city[5] == in_time(0.5 * 1e7 * 1024 / 512_000)
    with pytest.raises(UserError, match="search was not measured"):
        crop_rows(Scaling([RAY], FACTS))


def test_units():
    times = [in_time(s) for s in (0.0314, 119, 7300, 3e5, 1e9)]
    assert times == ["0.031 s", "119 s", "2 h", "3.5 days", "11,574 days"]
    assert [in_bytes(b) for b in (3.1e5, 2e9, 7.51e12)] == [
        "0.31 MB",
        "2 GB",
        "7.5 TB",
    ]


def test_the_benchmark_is_recorded_and_shown(tmp_path, capsys):
    known = set(flags.FLAGS)
    scaling = importlib.import_module("benchmarks.scaling")
    try:
        flags.FLAGS(["scaling", "--quick"])
        scaling.main([])
    finally:
        for name in set(flags.FLAGS) - known:
            delattr(flags.FLAGS, name)
        del sys.modules["benchmarks.scaling"]
    output = capsys.readouterr().out.strip().splitlines()
    measured = json.loads(output[-1])
    works = [curve["work"] for curve in measured["curves"]]
    assert works == ["evaluation", "mining", "search", "index"]
    for curve in measured["curves"]:
        assert curve["sizes"] == [40, 80] and min(curve["seconds"]) > 0
    figures = PageFigures(tmp_path)
    assert "Not recorded yet" in figures.text_of("scaling table")
    draw_recorded_scaling(tmp_path)
    record = {"command": "it", "date": "now", "machine": "here"}
    folder = recorded_folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "scaling.json").write_text(
        sealed_text({**record, "output": output})
    )
    text = figures.text_of("scaling table")
    assert f"](results/{PLOTS})" in text and "| mining | 40 to 80" in text
    assert figures.text_of("benchmarks all") == ""
    draw_recorded_scaling(tmp_path)
    assert (tmp_path / "results" / PLOTS).read_text().count("evaluation")


def test_an_odd_number_of_works_leaves_no_empty_panel(tmp_path):
    curves = [SQUARE, RAY, dataclasses.replace(SQUARE, work="mining")]
    path = tmp_path / "plots.svg"
    draw_scaling(Scaling(curves, {}), path)
    # A panel has an axis for time and one for memory.
    assert path.read_text().count('id="axes_') == 2 * len(curves)
