"""The report: its figures, and that it needs nothing from elsewhere."""

from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from mgtl_tf.config import RunConfig
from mgtl_tf.datasets.records import Pair
from mgtl_tf.metrics import ranks, recall
from mgtl_tf.retrieval.report.charts import draw_losses
from mgtl_tf.retrieval.report.examples import choose_examples
from mgtl_tf.retrieval.report.report import ReportData, write_report
from mgtl_tf.utils.errors import UserError


class Links(HTMLParser):
    """Collects what a page refers to, and whether its tags are balanced."""

    def __init__(self, page):
        super().__init__()
        self.sources, self.open = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.sources += [v for k, v in attributes if k in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def train_record(step):
    return {
        "kind": "train",
        "step": step,
        "epoch": 0,
        "loss": 0.7 / step,
        "triplet_loss": 0.6 / step,
        "generative_loss": 0.0,
        "positive_distance": 0.5,
        "negative_distance": 1.5,
        "learning_rate": 1e-3,
        "pairs_per_second": 80.0 + step,
        "seconds": 60.0 * step,
    }


def evaluation_record(step):
    recalls = {"r@1": 0.5, "r@5": 1.0, "r@10": 1.0, "r@1%": 0.5}
    return {
        "kind": "evaluation",
        "step": step,
        "ground_to_satellite": recalls,
        "satellite_to_ground": recalls,
    }


@pytest.fixture
def pairs(tmp_path):
    (tmp_path / "data").mkdir()
    made = []
    for i in range(4):
        ground, aerial = (tmp_path / "data" / f"{i}{v}.png" for v in "ga")
        cv2.imwrite(str(ground), np.full((20, 110, 3), 50 * i, "u1"))
        cv2.imwrite(str(aerial), np.full((30, 30, 3), 50 * i, "u1"))
        made.append(Pair(f"<{i}>", ground, aerial))
    return made


@pytest.fixture
def data(pairs):
    satellite = np.eye(4, dtype=np.float32)
    # The last query takes place 0 for its own.
    ground = satellite[[0, 1, 2, 0]]
    return ReportData(
        RunConfig().replace(seed=7, dataset="procedural"),
        {"python": "3.x", "gpus": [], "command": "train --a=<b>"},
        [train_record(1), train_record(3), evaluation_record(3)],
        {
            "protocol": "aligned",
            "ground_to_satellite": recall(ground, satellite),
            "satellite_to_ground": recall(satellite, ground),
            "gallery_size": 4,
        },
        ground,
        satellite,
        pairs,
        {"trainable numbers": "1,234"},
    )


def test_page_stands_alone_and_tells_the_figures(data, tmp_path):
    page = write_report(tmp_path / "run" / "report", data)
    text = page.read_text()
    links = Links(text)
    assert not links.open
    assert len(links.sources) == 10
    for source in links.sources:
        assert "/" not in source
        assert (page.parent / source).stat().st_size > 500
    assert {p.name for p in page.parent.iterdir()} == {
        "report.html",
        "ranks.npy",
        *links.sources,
    }
    for told in (
        "75.0 %",
        "3.0 min",
        "1,234",
        "train --a=&lt;b&gt;",
        "&lt;3&gt;",
        "seed: 0 -&gt; 7",
        "imagenet",
    ):
        assert told in text, told
    assert "http" not in text


def test_report_is_replaced_as_a_whole(data, tmp_path):
    page = write_report(tmp_path / "report", data)
    before = page.read_text()
    data.pairs[0].aerial.write_bytes(b"")
    with pytest.raises(UserError, match="0a.png"):
        write_report(tmp_path / "report", data)
    assert page.read_text() == before
    assert {p.name for p in tmp_path.iterdir()} == {"report", "data"}


def test_run_without_validation_pairs(tmp_path):
    page = write_report(
        tmp_path / "report",
        ReportData(RunConfig(), {}, [train_record(1)]),
    )
    links = Links(page.read_text())
    assert sorted(links.sources) == ["distances.svg", "loss.svg", "rate.svg"]
    assert "Nowhere." in page.read_text()


def test_curve_of_the_loss_that_there_is(tmp_path):
    records = [train_record(step) for step in (1, 2)]
    for record in records:
        record["info_nce_loss"] = record.pop("triplet_loss")
    draw_losses(records, tmp_path / "with.svg")
    for record in records:
        del record["info_nce_loss"]
    draw_losses(records, tmp_path / "without.svg")
    curves = [
        (tmp_path / name).read_text().count("stroke: #ea580c")
        for name in ("with.svg", "without.svg")
    ]
    # The line itself and its mark in the legend.
    assert curves == [2, 0]


def test_nothing_trained_yet(tmp_path):
    page = write_report(tmp_path / "r", ReportData(RunConfig(), {}, []))
    assert Links(page.read_text()).sources == []


def test_examples_are_the_first_the_middle_and_the_last(pairs):
    satellite = np.eye(9, dtype=np.float32)
    strength = np.float32([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    rest = np.sqrt(1 - strength**2)
    # Below one half, the neighbour is nearer than the true place.
    ground = np.diag(strength) + np.diag(rest[:-1], 1)
    ground[8, 0] = rest[8]
    ground = ground.astype(np.float32)
    many = [Pair(str(i), p.ground, p.aerial) for i, p in enumerate(pairs * 3)]
    rank, _ = ranks(ground, satellite)
    chosen = choose_examples(ground, satellite, many[:9], rank, each=2)
    ids = {kind: [q.truth for q in found] for kind, found in chosen.items()}
    assert ids == {
        "best": ["0", "1"],
        "median": ["3", "4"],
        "worst": ["8", "7"],
    }
    assert chosen["worst"][0].truth_rank == 2
    assert [a.place.id for a in chosen["worst"][0].answers][:2] == ["0", "8"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_no_query_is_shown_twice(pairs, count):
    unit = np.eye(3, dtype=np.float32)[:count]
    chosen = choose_examples(unit, unit, pairs[:count], np.ones(count, int))
    shown = [q.truth for found in chosen.values() for q in found]
    assert sorted(shown) == [p.id for p in pairs[:count]]
